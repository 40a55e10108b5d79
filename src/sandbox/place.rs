//! The three paths of the nine operations.

/// What a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// `/customers/metafields`
    All,
    /// `/customers/{customerId}/metafields`
    Customer(u64),
    /// `/customers/{customerId}/metafields/{metafieldId}`
    One(u64, u64),
}

impl Place {
    /// Ids are read as a lenient router reads them (`007` is 7): the gateway has to be the strict one.
    pub(super) fn read(route: &str) -> Option<Self> {
        let mut segments = route.strip_prefix("v3/customers/")?.split('/');
        let first = segments.next()?;
        let place = match (first, segments.next(), segments.next()) {
            ("metafields", None, None) => Self::All,
            (customer, Some("metafields"), None) => Self::Customer(customer.parse().ok()?),
            (customer, Some("metafields"), Some(id)) => {
                Self::One(customer.parse().ok()?, id.parse().ok()?)
            }
            _ => return None,
        };
        segments.next().is_none().then_some(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_paths_are_known() {
        let table = [
            ("v3/customers/metafields", Some(Place::All)),
            ("v3/customers/7/metafields", Some(Place::Customer(7))),
            ("v3/customers/007/metafields", Some(Place::Customer(7))),
            ("v3/customers/7/metafields/8", Some(Place::One(7, 8))),
            ("v2/customers/metafields", None),
            ("v3/customers", None),
            ("v3/customers/", None),
            ("v3/customers/metafields/", None),
            ("v3/customers/7", None),
            ("v3/customers/7/metafields/", None),
            ("v3/customers/7/metafields/8/", None),
            ("v3/customers/x/metafields", None),
            ("v3/customers/-7/metafields/8", None),
            ("v3/customers/7/addresses/8", None),
            ("v3/customers/99999999999999999999/metafields", None),
        ];
        for (route, place) in table {
            assert_eq!(Place::read(route), place, "{route}");
        }
    }
}
