//! The scopes that a token carries. They narrow what its caller's configuration opens and never widen it:
//! an operation needs a scope of the caller and one of the token, each of which opens it.

use super::vocabulary::{Scope, Verb};
use crate::denial::Denial;

/// Which of the Customers API's scopes a token carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TokenScopes([bool; Scope::ALL.len()]);

impl TokenScopes {
    /// Takes a scope by its name up; other APIs' scopes, and an issuer's own, open nothing here.
    pub fn add(&mut self, name: &str) {
        for (scope, has) in Scope::ALL.into_iter().zip(&mut self.0) {
            *has |= scope.as_str() == name;
        }
    }

    /// Refuses an operation that none of the token's scopes opens.
    pub fn permit(self, verb: Verb) -> Result<(), Denial> {
        let mut scopes = Scope::ALL.into_iter().zip(self.0);
        if scopes.any(|(scope, has)| has && scope.opens(verb)) {
            return Ok(());
        }
        let needs = if verb.reads() {
            Scope::CustomersReadOnly
        } else {
            Scope::Customers
        };
        Err(Denial::ScopeDenied {
            needs: needs.as_str(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_opens_what_its_scopes_open() {
        let cases: [(&[&str], Verb, bool); 8] = [
            (&["store_v2_customers"], Verb::Update, true),
            (&["store_v2_customers"], Verb::Get, true),
            (&["store_v2_customers_read_only"], Verb::Get, true),
            (&["store_v2_customers_read_only"], Verb::Update, false),
            (&["store_stored_payment_instruments"], Verb::Get, false),
            (&["openid", "store_v2_customers"], Verb::Delete, true),
            (&["STORE_V2_CUSTOMERS", ""], Verb::Get, false),
            (&[], Verb::Get, false),
        ];
        for (names, verb, allowed) in cases {
            let mut scopes = TokenScopes::default();
            for name in names {
                scopes.add(name);
            }
            assert_eq!(scopes.permit(verb).is_ok(), allowed, "{names:?} {verb:?}");
        }
    }
}
