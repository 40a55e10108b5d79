//! metafield-gateway puts one shared BigCommerce credential behind policy.
pub mod cli;
pub mod config;
pub mod denial;
pub mod gateway;
pub mod identity;
pub mod observe;
pub mod policy;
pub mod sandbox;
pub mod secret;
pub mod server;
