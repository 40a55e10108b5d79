//! metafield-gateway puts one shared BigCommerce credential behind policy.
pub mod denial;
pub mod identity;
pub mod observe;
pub mod policy;
pub mod secret;
