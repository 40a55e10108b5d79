//! From method and path to an [`Operation`]. The path is matched byte for byte against the grammar of
//! the routes: nothing is decoded, folded or normalised, and what does not match exactly is no route.
//! The path that is sent upstream is written anew from the operation.

use super::vocabulary::{Id, StoreHash, Verb};
use http::Method;

/// A known path: a store and a place in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    store: StoreHash,
    place: Place,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// `/customers/metafields`
    All,
    /// `/customers/{customerId}/metafields`
    Customer(Id),
    /// `/customers/{customerId}/metafields/{metafieldId}`
    Metafield(Id, Id),
}

/// A known path with a method it takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// What the request does.
    pub verb: Verb,
    /// The request's method; `GET` and `HEAD` both read.
    pub method: Method,
    /// The store in the path.
    pub store: StoreHash,
    /// The customer in the path, where the route has one.
    pub customer: Option<Id>,
    /// The metafield in the path, where the route has one.
    pub metafield: Option<Id>,
}

impl Route {
    /// Reads a path; `None` if it is not exactly one of the routes.
    pub fn parse(path: &str) -> Option<Self> {
        let (hash, rest) = path.strip_prefix("/stores/")?.split_once('/')?;
        let store = StoreHash::parse(hash)?;
        let place = rest.strip_prefix("v3/customers/")?;
        Some(Self {
            store,
            place: Place::parse(place)?,
        })
    }

    /// The store in the path.
    pub const fn store(&self) -> StoreHash {
        self.store
    }

    /// The operation that this method asks for; `None` if the path does not take it.
    pub fn operation(&self, method: &Method) -> Option<Operation> {
        let verb = match (self.place, method.as_str()) {
            (Place::All, "GET" | "HEAD") => Verb::ListAll,
            (Place::All, "POST") => Verb::CreateBatch,
            (Place::All, "PUT") => Verb::UpdateBatch,
            (Place::All, "DELETE") => Verb::DeleteBatch,
            (Place::Customer(_), "GET" | "HEAD") => Verb::List,
            (Place::Customer(_), "POST") => Verb::Create,
            (Place::Metafield(..), "GET" | "HEAD") => Verb::Get,
            (Place::Metafield(..), "PUT") => Verb::Update,
            (Place::Metafield(..), "DELETE") => Verb::Delete,
            _ => return None,
        };
        let (customer, metafield) = match self.place {
            Place::All => (None, None),
            Place::Customer(customer) => (Some(customer), None),
            Place::Metafield(customer, metafield) => (Some(customer), Some(metafield)),
        };
        Some(Operation {
            verb,
            method: method.clone(),
            store: self.store,
            customer,
            metafield,
        })
    }

    /// The methods that the path takes, as the value of `Allow` (RFC 9110 section 10.2.1).
    pub const fn allow(&self) -> &'static str {
        match self.place {
            Place::All => "GET, HEAD, POST, PUT, DELETE",
            Place::Customer(_) => "GET, HEAD, POST",
            Place::Metafield(..) => "GET, HEAD, PUT, DELETE",
        }
    }
}

impl Place {
    fn parse(text: &str) -> Option<Self> {
        if text == "metafields" {
            return Some(Self::All);
        }
        let (customer, rest) = text.split_once('/')?;
        let customer = Id::parse(customer)?;
        match rest.strip_prefix("metafields")? {
            "" => Some(Self::Customer(customer)),
            rest => Some(Self::Metafield(
                customer,
                Id::parse(rest.strip_prefix('/')?)?,
            )),
        }
    }
}

impl Operation {
    /// Writes the operation's one path, as it is sent upstream.
    pub fn push_path(&self, out: &mut String) {
        let mut digits = itoa::Buffer::new();
        out.push_str("/stores/");
        out.push_str(self.store.as_str());
        out.push_str("/v3/customers/");
        if let Some(customer) = self.customer {
            out.push_str(digits.format(customer.get()));
            out.push('/');
        }
        out.push_str("metafields");
        if let Some(metafield) = self.metafield {
            out.push('/');
            out.push_str(digits.format(metafield.get()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verb(method: &Method, path: &str) -> Option<Verb> {
        Route::parse(path)?
            .operation(method)
            .map(|operation| operation.verb)
    }

    #[test]
    fn every_route_is_found() {
        let all = "/stores/abc123/v3/customers/metafields";
        let customer = "/stores/abc123/v3/customers/7/metafields";
        let one = "/stores/abc123/v3/customers/7/metafields/9";
        for (method, path, expected) in [
            (Method::GET, all, Verb::ListAll),
            (Method::HEAD, all, Verb::ListAll),
            (Method::POST, all, Verb::CreateBatch),
            (Method::PUT, all, Verb::UpdateBatch),
            (Method::DELETE, all, Verb::DeleteBatch),
            (Method::GET, customer, Verb::List),
            (Method::HEAD, customer, Verb::List),
            (Method::POST, customer, Verb::Create),
            (Method::GET, one, Verb::Get),
            (Method::HEAD, one, Verb::Get),
            (Method::PUT, one, Verb::Update),
            (Method::DELETE, one, Verb::Delete),
        ] {
            assert_eq!(verb(&method, path), Some(expected), "{method} {path}");
        }
    }

    #[test]
    fn allow_names_exactly_the_methods_that_work() {
        for path in ["metafields", "7/metafields", "7/metafields/9"] {
            let route = Route::parse(&format!("/stores/abc/v3/customers/{path}")).expect("a route");
            for method in [
                "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "get",
            ] {
                let listed = route.allow().split(", ").any(|allowed| allowed == method);
                let method = Method::from_bytes(method.as_bytes()).expect("a method");
                assert_eq!(
                    route.operation(&method).is_some(),
                    listed,
                    "{method} {path}"
                );
            }
        }
    }

    #[test]
    fn the_path_is_exact() {
        for bad in [
            "/",
            "*",
            "",
            "/stores",
            "/stores/abc123/v3/customers",
            "/stores/abc123/v3/customers/",
            "/stores/abc123/v3/customers/7",
            "/stores/abc123/v3/customers/metafields/",
            "/stores/abc123/v3/customers/metafields/9",
            "/stores/abc123/v3/customers/7/metafields/",
            "/stores/abc123/v3/customers/7/metafields/9/",
            "/stores/abc123/v3/customers/7/metafields/9/x",
            "/stores/abc123/v3/customers/7/metafields/9;v=1",
            "/stores/abc123/v3/customers/7/metafields/9.json",
            "/stores/abc123/v3/customers/7/metafields%2F9",
            "/stores/abc123/v3/customers/%37/metafields/9",
            "/stores/abc123/v3/customers/07/metafields/9",
            "/stores/abc123/v3/customers/7/metafields/0",
            "/stores/abc123/v3/customers/-7/metafields/9",
            "/stores/abc123/v3/customers/+7/metafields/9",
            "/stores/abc123/v3/customers/7/metafields/9223372036854775808",
            "/stores/abc123/v3/customers//metafields/9",
            "/stores/abc123/v3//customers/7/metafields/9",
            "//stores/abc123/v3/customers/7/metafields/9",
            "/stores//v3/customers/7/metafields/9",
            "/stores/abc123/v3/customers/./7/metafields/9",
            "/stores/abc123/v3/customers/7/../7/metafields/9",
            "/stores/ABC123/v3/customers/7/metafields/9",
            "/stores/abc-123/v3/customers/7/metafields/9",
            "/stores/abc123/V3/customers/7/metafields/9",
            "/stores/abc123/v3/Customers/7/metafields/9",
            "/stores/abc123/v2/customers/7/metafields/9",
            "/stores/abc123/v3/customers/7/metafieldsx",
            "/stores/abc123/v3/customers/7/metafield",
            "/x/stores/abc123/v3/customers/7/metafields/9",
        ] {
            assert_eq!(Route::parse(bad), None, "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_route_is_written_as_it_was_read(path in "(/stores/[a-z0-9]{1,33}/v3/customers/([0-9]{1,20}/)?metafields(/[0-9]{1,20})?|.{0,80})") {
            if let Some(operation) = Route::parse(&path).and_then(|route| route.operation(&Method::GET)) {
                let mut written = String::new();
                operation.push_path(&mut written);
                proptest::prop_assert_eq!(written, path);
            }
        }
    }
}
