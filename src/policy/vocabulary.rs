//! The closed sets of words that BigCommerce and the contract know: scopes, operations, permission
//! sets, store hashes and ids. A word that is not listed here does not exist for the gateway.

use std::fmt;

/// An OAuth scope of BigCommerce.
///
/// Source: BigCommerce, "API Accounts & OAuth Scopes", tables of token creation and store resource
/// scopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// `store_v2_customers`: opens every route of the gateway.
    Customers,
    /// `store_v2_customers_read_only`: opens the reading routes.
    CustomersReadOnly,
    /// `store_stored_payment_instruments`: real, but opens no route of the gateway.
    StoredPaymentInstruments,
    /// `store_stored_payment_instruments_read_only`: real, but opens no route of the gateway.
    StoredPaymentInstrumentsReadOnly,
    /// A real scope of another API, by its name: a caller may have it, but it opens no route of the
    /// gateway.
    Foreign(&'static str),
}

impl Scope {
    /// The scopes of other APIs.
    const FOREIGN: [&'static str; 43] = [
        "store_app_extensions_manage",
        "store_cart",
        "store_cart_read_only",
        "store_channel_listings",
        "store_channel_listings_read_only",
        "store_channel_settings",
        "store_channel_settings_read_only",
        "store_checkout",
        "store_checkout_read_only",
        "store_content_checkout",
        "store_content_checkout_read_only",
        "store_fulfillment_methods_manage",
        "store_fulfillment_methods_read_only",
        "store_inventory",
        "store_inventory_read_only",
        "store_locations",
        "store_locations_read_only",
        "store_metafield_change_owner",
        "store_metafield_write",
        "store_metafield_write_all",
        "store_order_fulfillment_manage",
        "store_order_fulfillment_read_only",
        "store_payments_access_token_create",
        "store_payments_methods_read",
        "store_sites",
        "store_sites_read_only",
        "store_storefront_api",
        "store_storefront_api_customer_impersonation",
        "store_themes_manage",
        "store_themes_read_only",
        "store_v2_content",
        "store_v2_content_read_only",
        "store_v2_customers_login",
        "store_v2_information",
        "store_v2_information_read_only",
        "store_v2_marketing",
        "store_v2_marketing_read_only",
        "store_v2_orders",
        "store_v2_orders_read_only",
        "store_v2_products",
        "store_v2_products_read_only",
        "store_v2_transactions",
        "store_v2_transactions_read_only",
    ];

    /// The scopes of the Customers API.
    pub const ALL: [Self; 4] = [
        Self::Customers,
        Self::CustomersReadOnly,
        Self::StoredPaymentInstruments,
        Self::StoredPaymentInstrumentsReadOnly,
    ];

    /// BigCommerce's own spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Customers => "store_v2_customers",
            Self::CustomersReadOnly => "store_v2_customers_read_only",
            Self::StoredPaymentInstruments => "store_stored_payment_instruments",
            Self::StoredPaymentInstrumentsReadOnly => "store_stored_payment_instruments_read_only",
            Self::Foreign(name) => name,
        }
    }

    /// The scope with this exact spelling.
    pub fn from_name(name: &str) -> Option<Self> {
        let foreign = Self::FOREIGN.into_iter().map(Self::Foreign);
        Self::ALL
            .into_iter()
            .chain(foreign)
            .find(|scope| scope.as_str() == name)
    }
}

/// What a request does: one of the nine operations of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// `POST /customers/{customerId}/metafields`
    Create,
    /// `POST /customers/metafields`
    CreateBatch,
    /// `DELETE /customers/{customerId}/metafields/{metafieldId}`
    Delete,
    /// `DELETE /customers/metafields`
    DeleteBatch,
    /// `GET` or `HEAD /customers/{customerId}/metafields/{metafieldId}`
    Get,
    /// `GET` or `HEAD /customers/{customerId}/metafields`
    List,
    /// `GET` or `HEAD /customers/metafields`
    ListAll,
    /// `PUT /customers/{customerId}/metafields/{metafieldId}`
    Update,
    /// `PUT /customers/metafields`
    UpdateBatch,
}

impl Verb {
    /// Every operation, in the order of their discriminants.
    pub const ALL: [Self; 9] = [
        Self::Create,
        Self::CreateBatch,
        Self::Delete,
        Self::DeleteBatch,
        Self::Get,
        Self::List,
        Self::ListAll,
        Self::Update,
        Self::UpdateBatch,
    ];

    /// The operation's name in configuration, logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::CreateBatch => "create_batch",
            Self::Delete => "delete",
            Self::DeleteBatch => "delete_batch",
            Self::Get => "get",
            Self::List => "list",
            Self::ListAll => "list_all",
            Self::Update => "update",
            Self::UpdateBatch => "update_batch",
        }
    }

    /// The operation with this exact name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verb| verb.as_str() == name)
    }

    /// Whether the operation only reads.
    pub const fn reads(self) -> bool {
        matches!(self, Self::Get | Self::List | Self::ListAll)
    }

    /// Whether the operation carries a body that is judged.
    pub const fn has_body(self) -> bool {
        !self.reads() && !matches!(self, Self::Delete)
    }

    /// Whether the body is an array.
    pub const fn is_batch(self) -> bool {
        matches!(
            self,
            Self::CreateBatch | Self::DeleteBatch | Self::UpdateBatch
        )
    }
}

/// Who else may see or change a metafield.
///
/// Source: BigCommerce, Customers v3 reference, schema `MetafieldBase_Put`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PermissionSet {
    /// `app_only`: private to the API account that owns the metafield.
    AppOnly,
    /// `read`: other API accounts may read.
    Read,
    /// `write`: other API accounts may read and write.
    Write,
    /// `read_and_sf_access`: as `read`, and on the storefront.
    ReadAndStorefront,
    /// `write_and_sf_access`: as `write`, and on the storefront.
    WriteAndStorefront,
}

impl PermissionSet {
    /// Every permission set.
    pub const ALL: [Self; 5] = [
        Self::AppOnly,
        Self::Read,
        Self::Write,
        Self::ReadAndStorefront,
        Self::WriteAndStorefront,
    ];

    /// BigCommerce's own spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AppOnly => "app_only",
            Self::Read => "read",
            Self::Write => "write",
            Self::ReadAndStorefront => "read_and_sf_access",
            Self::WriteAndStorefront => "write_and_sf_access",
        }
    }

    /// The permission set with this exact spelling.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|set| set.as_str() == name)
    }
}

/// A store's hash: `[a-z0-9]{1,32}`, kept in place so that it can be copied without allocating.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StoreHash {
    length: u8,
    text: [u8; Self::MAX_LENGTH],
}

impl StoreHash {
    const MAX_LENGTH: usize = 32;

    /// Reads a hash; `None` unless it is 1 to 32 characters of `[a-z0-9]`.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        if !bytes
            .iter()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9'))
            || text.is_empty()
        {
            return None;
        }
        let mut kept = [0; Self::MAX_LENGTH];
        kept.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(Self {
            length: u8::try_from(bytes.len()).ok()?,
            text: kept,
        })
    }

    /// The hash as it stands in a path.
    pub fn as_str(&self) -> &str {
        self.text
            .get(..usize::from(self.length))
            .and_then(|bytes| std::str::from_utf8(bytes).ok())
            .unwrap_or_default()
    }
}

impl fmt::Debug for StoreHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for StoreHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A customer's or a metafield's id: 1 to 2^63-1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id(u64);

impl Id {
    /// The largest id.
    pub const MAX: u64 = i64::MAX as u64;

    /// The id of that value.
    pub const LARGEST: Self = Self(Self::MAX);

    /// An id from its value; `None` outside 1 to 2^63-1.
    pub const fn new(value: u64) -> Option<Self> {
        if value >= 1 && value <= Self::MAX {
            Some(Self(value))
        } else {
            None
        }
    }

    /// Reads a canonical decimal: no sign, no leading zero.
    pub fn parse(text: &str) -> Option<Self> {
        let canonical = !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit());
        if canonical {
            text.parse().ok().and_then(Self::new)
        } else {
            None
        }
    }

    /// The id's value.
    pub const fn get(self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for scope in Scope::ALL {
            assert_eq!(Scope::from_name(scope.as_str()), Some(scope));
        }
        for verb in Verb::ALL {
            assert_eq!(Verb::from_name(verb.as_str()), Some(verb));
        }
        for set in PermissionSet::ALL {
            assert_eq!(PermissionSet::from_name(set.as_str()), Some(set));
        }
        assert_eq!(PermissionSet::from_name("APP_ONLY"), None);
        assert_eq!(Scope::from_name("store_v2_customers "), None);
        assert_eq!(
            Scope::from_name("store_v2_orders"),
            Some(Scope::Foreign("store_v2_orders"))
        );
    }

    #[test]
    fn verbs_stand_at_their_discriminants() {
        for (index, verb) in Verb::ALL.into_iter().enumerate() {
            assert_eq!(verb as usize, index);
        }
    }

    #[test]
    fn store_hashes_are_exact() {
        for good in ["a", "abc123", "0", &"z".repeat(32)] {
            assert_eq!(
                StoreHash::parse(good).map(|hash| hash.to_string()),
                Some(good.to_owned())
            );
        }
        for bad in ["", "A", "abc-1", "abc 1", "ä", "a%31", &"z".repeat(33)] {
            assert_eq!(StoreHash::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn ids_are_canonical_decimals() {
        assert_eq!(Id::parse("1").map(Id::get), Some(1));
        assert_eq!(Id::parse("9223372036854775807").map(Id::get), Some(Id::MAX));
        for bad in [
            "",
            "0",
            "01",
            "+1",
            "-1",
            " 1",
            "1 ",
            "1.0",
            "1e1",
            "9223372036854775808",
            "٣",
        ] {
            assert_eq!(Id::parse(bad), None, "{bad}");
        }
    }
}
