//! Keys that are fetched over TLS: from the server whose certificate is good for its name under the trusted
//! authorities, and from no other.

use super::*;
use crate::support::issuer::{jwks, ok as answer};
use crate::support::tls::{Authority, Identity, LOOPBACK};

/// A server of this key set that shows this certificate.
fn serving(identity: &Identity, key: &Key) -> Fake {
    let answer = answer(&jwks(&[key]));
    Fake::over_tls(identity.server(&["http/1.1"]), move |connection| {
        while connection.request()?.is_some() {
            connection.send(&answer)?;
        }
        Ok(())
    })
}

/// A gateway that fetches the keys from there, and trusts this authority alone.
fn trusting(upstream: &Fake, server: &Fake, authority: &Authority) -> Gateway {
    let url = format!(
        "{{ url = \"https://{}/keys\", ca = \"issuer.crt\" }}",
        server.address
    );
    let setup = setup(upstream, &url);
    setup.folder.write("issuer.crt", authority.pem());
    setup.start_by(&clock().0)
}

#[test]
fn keys_come_from_a_server_with_a_good_certificate_alone() {
    let (upstream, key) = (Fake::good(), Key::new("one"));
    let (trusted, other) = (Authority::new(), Authority::new());
    let good = serving(&trusted.issue(&LOOPBACK), &key);
    let gateway = trusting(&upstream, &good, &trusted);
    gateway.wait_for_metric(&refreshes("ok"), 1.0);
    assert_eq!(outcome(&gateway, &token(&key)), ok());
    let asked = good.requests().remove(0);
    assert_eq!(asked.start, "GET /keys HTTP/1.1");
    assert_eq!(asked.field("host"), Some(good.address.to_string().as_str()));
    for (what, identity) in [
        ("of another authority", other.issue(&LOOPBACK)),
        ("for another name", trusted.issue(&["issuer.example"])),
        ("expired", trusted.issue_expired(&LOOPBACK)),
        ("of its own", Identity::self_signed(&LOOPBACK)),
    ] {
        let server = serving(&identity, &key);
        let gateway = trusting(&upstream, &server, &trusted);
        gateway.wait_for_metric(&refreshes("failed"), 1.0);
        let found = outcome(&gateway, &token(&key));
        assert_eq!(found, refused(503, "issuer_unavailable"), "{what}");
        assert_eq!(server.requests().len(), 0, "{what}");
    }
}
