//! Certificates that prove nothing, and handshakes that come to nothing: the credential stays here.

use super::{End, Step, assert_own, fate};
use crate::support::client::Request;
use crate::support::fake::Fake;
use crate::support::gateway::Gateway;
use crate::support::tls::{Authority, Identity, LOOPBACK};
use crate::upstream_tls::setup;
use rcgen::{BasicConstraints, ExtendedKeyUsagePurpose, IsCa, date_time_ymd};
use serde_json::json;

/// Two requests to a gateway that can trust nobody: nothing is sent, and each has a try of its own.
fn assert_unsent(name: &str, gateway: Gateway, upstream: &Fake, code: &str) {
    for _ in 0..2 {
        let answer = gateway.exchange(&Request::update("{}"));
        let found = (answer.status(), answer.code());
        assert_eq!(found, (502, Some(code)), "{name}");
        assert_own(&answer, false, name);
    }
    let lines = gateway.stop();
    assert_eq!(lines.len(), 2, "{name}");
    for line in &lines {
        let expected = json!(["allowed", code, "no", null]);
        assert_eq!(fate(line), expected, "{name}");
    }
    let counts: Vec<usize> = upstream.connections().iter().map(Vec::len).collect();
    assert_eq!(counts, [0, 0], "{name}");
}

#[test]
fn a_certificate_that_proves_nothing_is_not_trusted() {
    let authority = Authority::new();
    let names = |names: &[&str]| authority.issue(names);
    let purpose = |purpose: ExtendedKeyUsagePurpose| {
        authority.issue_altered(&LOOPBACK, |params| {
            params.extended_key_usages = vec![purpose];
        })
    };
    let early = authority.issue_altered(&LOOPBACK, |params| {
        params.not_before = date_time_ymd(2400, 1, 1);
        params.not_after = date_time_ymd(2401, 1, 1);
    });
    let backwards = authority.issue_altered(&LOOPBACK, |params| {
        params.not_before = date_time_ymd(2400, 1, 1);
        params.not_after = date_time_ymd(2001, 1, 1);
    });
    let is_authority = authority.issue_altered(&LOOPBACK, |params| {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    });
    let identities = [
        ("the other name of the host", names(&["localhost"])),
        ("another address", names(&["127.0.0.2"])),
        ("every name", names(&["*"])),
        ("a name that begins alike", names(&["127.0.0.1.test"])),
        ("no name", names(&[])),
        ("not yet valid", early),
        ("valid never", backwards),
        ("for clients", purpose(ExtendedKeyUsagePurpose::ClientAuth)),
        ("for code", purpose(ExtendedKeyUsagePurpose::CodeSigning)),
        ("an authority's own", is_authority),
        ("its own authority", Identity::self_signed(&LOOPBACK)),
    ];
    let count = identities.len();
    for (name, identity) in identities {
        let upstream = Fake::good_over_tls(identity.server(&["http/1.1"]));
        let gateway = setup("127.0.0.1", upstream.address, &authority).start();
        assert_unsent(name, gateway, &upstream, "upstream_untrusted");
    }
    println!("certificates: {count} cases");
}

#[test]
fn a_handshake_that_comes_to_nothing_is_unreachable() {
    let authority = Authority::new();
    let begun = b"\x16\x03\x03\0\x7a\x02\0\0\x76\x03\x03";
    let answers: [(&str, &[u8]); 10] = [
        ("nothing", b""),
        ("half a hello", begun),
        ("a failure", b"\x15\x03\x03\0\x02\x02\x28"),
        ("a warning", b"\x15\x03\x03\0\x02\x01\x5a"),
        ("a goodbye", b"\x15\x03\x03\0\x02\x01\0"),
        ("data before the handshake", b"\x17\x03\x03\0\x05hello"),
        ("a record that is too long", b"\x16\x03\x03\xff\xff\x02"),
        ("a version that is none", b"\x16\x09\x09\0\x02\x02\0"),
        (
            "an answer in the clear",
            b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        ),
        ("zeros", &[0; 64]),
    ];
    let mut count = 0;
    for (name, bytes) in answers {
        for end in [End::Close, End::Reset] {
            let steps = [Step::ReadOne, Step::Send(bytes.to_vec())];
            let upstream = Fake::doing(move |connection| {
                steps.iter().try_for_each(|step| step.take(connection))?;
                if end == End::Reset {
                    connection.reset()?;
                }
                Ok(())
            });
            let gateway = setup("127.0.0.1", upstream.address, &authority).start();
            assert_unsent(name, gateway, &upstream, "upstream_unreachable");
            count += 1;
        }
    }
    // What is agreed on is what both sides offered.
    let alpn = authority.issue(&LOOPBACK).server(&["spdy/3"]);
    let upstream = Fake::good_over_tls(alpn);
    let gateway = setup("127.0.0.1", upstream.address, &authority).start();
    assert_unsent(
        "another protocol",
        gateway,
        &upstream,
        "upstream_unreachable",
    );
    super::tell("handshakes", count + 1);
}
