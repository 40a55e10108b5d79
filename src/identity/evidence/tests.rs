//! What certificates say, made by the same authority.

use super::*;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, KeyPair, KeyUsagePurpose, SanType,
    date_time_ymd,
};

/// 2030-01-01, and 2020-01-01 for what has expired.
const NEVER: i64 = 1_893_456_000;
const LONG_PAST: i64 = 1_577_836_800;

fn read(names: &[SanType], alter: impl FnOnce(&mut CertificateParams)) -> Certificate {
    let mut params = CertificateParams::default();
    params.subject_alt_names = names.to_vec();
    params.not_before = date_time_ymd(2019, 1, 1);
    params.not_after = date_time_ymd(2030, 1, 1);
    alter(&mut params);
    let key = KeyPair::generate().expect("a key");
    let certificate = params.self_signed(&key).expect("a certificate");
    Certificate::read(certificate.der()).expect("a certificate")
}

fn uri(text: &str) -> SanType {
    SanType::URI(text.try_into().expect("ASCII"))
}

fn dns(text: &str) -> SanType {
    SanType::DnsName(text.try_into().expect("ASCII"))
}

/// The URI and the DNS names.
fn names(certificate: &Certificate) -> (Option<&str>, Vec<&str>) {
    let dns = certificate.dns.iter().map(AsRef::as_ref).collect();
    (certificate.uri.as_deref(), dns)
}

type Names<'n> = (Option<&'n str>, &'n [&'n str]);

#[test]
fn a_certificate_says_who_holds_it() {
    const ID: &str = "spiffe://example.org/crm";
    let address = SanType::IpAddress([127, 0, 0, 1].into());
    let mail = SanType::Rfc822Name("crm@example.org".try_into().expect("ASCII"));
    let cases: [(&[SanType], Names<'_>); 9] = [
        (&[], (None, &[])),
        (&[uri(ID)], (Some(ID), &[])),
        (&[dns("crm.example.org")], (None, &["crm.example.org"])),
        (
            &[uri(ID), dns("a.example.org"), dns("b.example.org")],
            (Some(ID), &["a.example.org", "b.example.org"]),
        ),
        (&[dns("CRM.Example.ORG")], (None, &["crm.example.org"])),
        (&[uri(ID), uri("https://example.org")], (None, &[])),
        (&[uri(ID), uri(ID)], (None, &[])),
        (
            &[dns("*.example.org"), dns("c*.example.org"), address, mail],
            (None, &[]),
        ),
        (
            &[uri("SPIFFE://example.org/crm")],
            (Some("SPIFFE://example.org/crm"), &[]),
        ),
    ];
    for (given, expected) in cases {
        let certificate = read(given, |params| {
            params
                .distinguished_name
                .push(DnType::CommonName, "common.example.org");
        });
        let (uri, dns) = names(&certificate);
        assert_eq!((uri, dns.as_slice()), expected, "{given:?}");
        assert_eq!(certificate.not_after.as_second(), NEVER);
    }
}

#[test]
fn who_may_sign_others_is_no_workload() {
    type Alteration = fn(&mut CertificateParams);
    let cases: [(Alteration, bool); 5] = [
        (
            |params| params.key_usages = vec![KeyUsagePurpose::DigitalSignature],
            true,
        ),
        (|params| params.is_ca = IsCa::ExplicitNoCa, true),
        (
            |params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained),
            false,
        ),
        (
            |params| params.key_usages = vec![KeyUsagePurpose::KeyCertSign],
            false,
        ),
        (
            |params| params.key_usages = vec![KeyUsagePurpose::CrlSign],
            false,
        ),
    ];
    for (index, (alter, is_fit)) in cases.into_iter().enumerate() {
        let certificate = read(&[uri("spiffe://example.org/crm"), dns("a.b")], alter);
        assert_eq!(certificate.uri.is_some(), is_fit, "case {index}");
        assert_eq!(names(&certificate).1, ["a.b"]);
    }
}

#[test]
fn the_end_of_a_certificate_is_known_to_the_second() {
    let past = read(&[], |params| params.not_after = date_time_ymd(2020, 1, 1));
    assert_eq!(past.not_after.as_second(), LONG_PAST);
    // From 2050 on the encoding is another one, and 9999-12-31 stands for no end (RFC 5280, 4.1.2.5).
    let late = read(&[], |params| params.not_after = date_time_ymd(2051, 1, 1));
    assert_eq!(late.not_after.as_second(), 2_556_144_000);
    let endless = read(&[], |params| params.not_after = date_time_ymd(9999, 12, 31));
    assert_eq!(endless.not_after, Timestamp::MAX);
}

#[test]
fn what_is_no_certificate_is_an_error() {
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![uri("spiffe://example.org/crm")];
    let key = KeyPair::generate().expect("a key");
    let der = params
        .self_signed(&key)
        .expect("a certificate")
        .der()
        .to_vec();
    assert!(Certificate::read(&der).is_ok());
    for length in 0..der.len() {
        assert!(Certificate::read(&der[..length]).is_err(), "{length} bytes");
    }
    let longer = [der.as_slice(), &[0]].concat();
    assert!(Certificate::read(&longer).is_err());
    // The tag of the URI made one that names do not have, and its first byte no ASCII.
    let at = der
        .windows(6)
        .position(|window| window == b"spiffe")
        .expect("the URI");
    for (place, byte) in [(at - 2, 0x8e), (at, 0xff)] {
        let mut broken = der.clone();
        broken[place] = byte;
        assert!(Certificate::read(&broken).is_err(), "{byte:#x} at {place}");
    }
}
