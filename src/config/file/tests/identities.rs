//! By what callers are known: good and bad forms, a form a case. Each caller stands after the other lines on
//! line 4 (line 6 with TLS), its name `b`.

use super::bad::problems;
use super::*;

const ONE: &str = "1111111111111111111111111111111111111111111111111111111111111111";

/// A configuration with this listener and this caller.
fn with(listen: &str, caller: &str) -> String {
    format!(
        "{listen}\n{STORE}[[caller]]\nname = \"b\"\nscopes = [\"store_v2_customers\"]\n{caller}"
    )
}

const TCP: &str = "listen.address = \"127.0.0.1:0\"";
const UNIX: &str = "listen.address = \"unix:/run/gateway.sock\"";
const TLS: &str = "listen.tls = { certificate = \"a\", private_key = \"b\", client_ca = \"c\" }";
const NO_CLIENTS: &str = "listen.tls = { certificate = \"a\", private_key = \"b\" }";

fn good(listen: &str, caller: &str) -> Identity {
    read_good(&with(listen, caller)).callers[0].identity.clone()
}

#[test]
fn tokens_may_expire() {
    for (expires, expected) in [
        ("\"2027-01-31T00:00:00Z\"", "2027-01-31T00:00:00Z"),
        ("2027-01-31T00:00:00Z", "2027-01-31T00:00:00Z"),
        ("2027-01-31 01:30:00+01:30", "2027-01-31T00:00:00Z"),
        (
            "\"2027-01-31T01:30:00.25+01:30\"",
            "2027-01-31T00:00:00.25Z",
        ),
        ("\"2027-01-30 19:00:00-05:00\"", "2027-01-31T00:00:00Z"),
        ("\"1999-01-31t00:00:00z\"", "1999-01-31T00:00:00Z"),
    ] {
        let caller = format!("token_sha256 = [{{ sha256 = \"{ONE}\", expires = {expires} }}]");
        let identity = good(TCP, &caller);
        let found: Vec<_> = identity.tokens.iter().map(|token| token.value).collect();
        let expected = Token {
            sha256: [0x11; 32],
            expires: Some(expected.parse().unwrap()),
        };
        assert_eq!(found, [expected], "{expires}");
    }
}

#[test]
fn a_caller_may_be_known_by_several_things() {
    let caller = format!(
        "token_sha256 = [\"{ONE}\", {{ sha256 = \"{}\", expires = \"2027-01-31T00:00:00Z\" }}]\n\
         certificate = {{ spiffe = [\"spiffe://a-b_c.9/Ns/x.y/-_\", \"spiffe://e/...\"], dns = [\"CRM.example.org\", \"_x.y-z\", \"a\"] }}",
        ONE.replace('1', "2")
    );
    let identity = good(TLS, &caller);
    assert_eq!(identity.tokens.len(), 2);
    assert_eq!(
        identity.spiffe,
        ["spiffe://a-b_c.9/Ns/x.y/-_", "spiffe://e/..."]
    );
    assert_eq!(identity.dns, ["crm.example.org", "_x.y-z", "a"]);
    let identity = good(UNIX, "unix = { uid = [0, 4294967294], gid = [0x10] }");
    assert_eq!(
        (identity.uids, identity.gids),
        (vec![0, 4_294_967_294], vec![16])
    );
    assert_eq!(identity.tokens, []);
}

#[test]
fn wrong_expiries_are_named() {
    check(TCP, &EXPIRIES);
}

#[test]
fn wrong_certificates_are_named() {
    check(TLS, &CERTIFICATES);
}

#[test]
fn wrong_peers_are_named() {
    check(UNIX, &PEERS);
}

#[test]
fn what_the_listener_cannot_tell_is_named() {
    const NO_AUTHORITIES: &str = "the listener asks for no client certificates | name their authorities in `listen.tls.client_ca`";
    const NO_PEERS: &str = "only a Unix socket knows its peers, and `listen.address` is none | remove the key, or listen on `unix:/path`";
    let certificate = "certificate = { dns = [\"a.b\"] }";
    let unix = "unix = { uid = [1] }";
    for (listen, caller, expected) in [
        (TCP, certificate, format!("8:15 caller[0].certificate: {NO_AUTHORITIES}")),
        (NO_CLIENTS, certificate, format!("8:15 caller[0].certificate: {NO_AUTHORITIES}")),
        (UNIX, certificate, format!("8:15 caller[0].certificate: {NO_AUTHORITIES}")),
        (TCP, unix, format!("8:8 caller[0].unix: {NO_PEERS}")),
        (TLS, unix, format!("8:8 caller[0].unix: {NO_PEERS}")),
        // Of a listener that cannot be read nothing is said.
        (
            "listen.address = 1",
            unix,
            "1:18 listen.address: expected an address, found an integer | such as `\"127.0.0.1:8080\"`".to_owned(),
        ),
        (
            "listen.tls = { certificate = \"a\", private_key = \"b\", client_ca = \"\" }",
            certificate,
            "1:66 listen.tls.client_ca: is empty | name a file".to_owned(),
        ),
        (
            "listen.tls = { certificate = \"a\", private_key = \"b\", client_auth = \"optional\" }",
            "",
            format!("1:68 listen.tls.client_auth: no client certificates are asked for without `client_ca` | name their authorities in `client_ca`, or remove the key\n\
             5:1 caller[0].token_sha256: is missing | {DIGEST}; or bind the caller with `signed_token`, `certificate` or `unix`"),
        ),
        (
            "listen.tls = { certificate = \"a\", private_key = \"b\", client_ca = \"c\", client_auth = \"none\" }",
            certificate,
            "1:85 listen.tls.client_auth: `none` is not known | known are `required`, `optional`".to_owned(),
        ),
    ] {
        assert_eq!(problems(&with(listen, caller)).join("\n"), expected, "{listen}");
    }
}

#[test]
fn nothing_identifies_two_callers() {
    for (listen, known_by, column, key) in [
        (
            TLS,
            "certificate.spiffe = [\"spiffe://e/a\"]",
            23,
            "certificate.spiffe[0]",
        ),
        (TLS, "certificate.dns = [\"a.b\"]", 20, "certificate.dns[0]"),
        (UNIX, "unix.uid = [7]", 13, "unix.uid[0]"),
        (UNIX, "unix.gid = [7]", 13, "unix.gid[0]"),
        (
            TCP,
            "token_sha256 = [{ sha256 = \"1111111111111111111111111111111111111111111111111111111111111111\", expires = 2027-01-31T00:00:00Z }]",
            17,
            "token_sha256[0]",
        ),
    ] {
        let text = with(listen, known_by);
        let other = known_by.replace("a.b", "A.B");
        let text =
            format!("{text}\n[[caller]]\nname = \"c\"\nscopes = [\"store_v2_customers\"]\n{other}");
        let found = problems(&text);
        let expected = format!("12:{column} caller[1].{key}: is the same as on line 8 | ");
        assert!(
            found.len() == 1 && found[0].starts_with(&expected),
            "{found:?}\n{expected}"
        );
    }
}

const DIGEST: &str = "it is the SHA-256 of the token in 64 hex digits, not the token: `metafield-gateway token` prints both";

/// Each line for a caller with its one problem, on line 8.
fn check(listen: &str, cases: &[(&str, &str)]) {
    let wrong: Vec<_> = cases
        .iter()
        .filter_map(|(line, expected)| {
            let found = problems(&with(listen, &line.replace("ONE", ONE))).join("\n");
            (found != *expected).then(|| format!("{line}\nexpected {expected}\nfound    {found}\n"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

const EXPIRIES: [(&str, &str); 12] = [
    (
        "token_sha256 = [{ sha256 = \"ONE\" }]",
        "8:17 caller[0].token_sha256[0].expires: is missing | such as `expires = \"2027-01-31T00:00:00Z\"`; a token that never expires is its digest alone, in quotes",
    ),
    (
        "token_sha256 = [{ expires = 2027-01-31T00:00:00Z }]",
        "8:17 caller[0].token_sha256[0].sha256: is missing | it is the SHA-256 of the token in 64 hex digits, not the token: `metafield-gateway token` prints both",
    ),
    (
        "token_sha256 = [{ sha256 = \"ONE\", expires = \"90d\" }]",
        "8:106 caller[0].token_sha256[0].expires: is not a date and a time of day | such as `expires = \"2027-01-31T00:00:00Z\"`; a token that never expires is its digest alone, in quotes",
    ),
    (
        "token_sha256 = [{ sha256 = \"ONE\", expires = 1800000000 }]",
        "8:106 caller[0].token_sha256[0].expires: expected a date and a time of day, found an integer | such as `expires = \"2027-01-31T00:00:00Z\"`; a token that never expires is its digest alone, in quotes",
    ),
    (
        "token_sha256 = [{ sha256 = \"ONE\", expires = 2027-01-31T00:00:00 }]",
        "8:106 caller[0].token_sha256[0].expires: does not say where it is that time of day | end it with `Z` for UTC, or with an offset such as `+01:00`",
    ),
    (
        "token_sha256 = [{ sha256 = \"ONE\", expires = \"2027-01-31T00:00:00\" }]",
        "8:106 caller[0].token_sha256[0].expires: does not say where it is that time of day | end it with `Z` for UTC, or with an offset such as `+01:00`",
    ),
    (
        "token_sha256 = [{ sha256 = \"ONE\", expires = 2027-01-31 }]",
        "8:106 caller[0].token_sha256[0].expires: is not a date and a time of day | such as `expires = \"2027-01-31T00:00:00Z\"`; a token that never expires is its digest alone, in quotes",
    ),
    (
        "token_sha256 = [{ sha256 = \"ONE\", expires = 00:00:00 }]",
        "8:106 caller[0].token_sha256[0].expires: is not a date and a time of day | such as `expires = \"2027-01-31T00:00:00Z\"`; a token that never expires is its digest alone, in quotes",
    ),
    (
        "token_sha256 = [{ sha256 = \"ONE\", expires = \"2027-02-29T00:00:00Z\" }]",
        "8:106 caller[0].token_sha256[0].expires: is not a date and a time of day | such as `expires = \"2027-01-31T00:00:00Z\"`; a token that never expires is its digest alone, in quotes",
    ),
    (
        "token_sha256 = [{ sha256 = \"ONE\", expires = 2027-01-31T00:00:00Z, until = 1 }]",
        "8:128 caller[0].token_sha256[0].until: unknown key | known here are `sha256`, `expires`",
    ),
    (
        "token_sha256 = [{ token = \"secret-of-someone\", expires = 2027-01-31T00:00:00Z }]",
        "8:17 caller[0].token_sha256[0].sha256: is missing | it is the SHA-256 of the token in 64 hex digits, not the token: `metafield-gateway token` prints both\n8:19 caller[0].token_sha256[0].token: unknown key | a token does not belong into this file: write `token_sha256`, its SHA-256, and replace the token that stood here",
    ),
    (
        "token_sha256 = [{ sha256 = \"secret-of-someone\", expires = 2027-01-31T00:00:00Z }, 7]",
        "8:28 caller[0].token_sha256[0].sha256: is not 64 hex digits | it is the SHA-256 of the token in 64 hex digits, not the token: `metafield-gateway token` prints both\n8:83 caller[0].token_sha256[1]: expected 64 hex digits, found an integer | it is the SHA-256 of the token in 64 hex digits, not the token: `metafield-gateway token` prints both",
    ),
];

const CERTIFICATES: [(&str, &str); 27] = [
    (
        "certificate = \"crm.example.org\"",
        "8:15 caller[0].certificate: expected a table, found a string | such as `{ spiffe = [\"spiffe://example.org/crm\"] }` or `{ dns = [\"crm.example.org\"] }`",
    ),
    (
        "certificate = {}",
        "8:15 caller[0].certificate: names nobody | such as `{ spiffe = [\"spiffe://example.org/crm\"] }` or `{ dns = [\"crm.example.org\"] }`",
    ),
    (
        "certificate = { common_name = \"crm\" }",
        "8:15 caller[0].certificate: names nobody | such as `{ spiffe = [\"spiffe://example.org/crm\"] }` or `{ dns = [\"crm.example.org\"] }`\n8:17 caller[0].certificate.common_name: unknown key | a common name identifies nobody: use `dns`",
    ),
    (
        "certificate = { dns = \"crm.example.org\" }",
        "8:23 caller[0].certificate.dns: expected an array, found a string | write brackets, even round a single entry: `[...]`",
    ),
    (
        "certificate = { dns = [] }",
        "8:23 caller[0].certificate.dns: is empty | such as `{ spiffe = [\"spiffe://example.org/crm\"] }` or `{ dns = [\"crm.example.org\"] }`",
    ),
    (
        "certificate = { dns = [7] }",
        "8:24 caller[0].certificate.dns[0]: expected a DNS name, found an integer",
    ),
    (
        "certificate = { dns = [\"\"] }",
        "8:24 caller[0].certificate.dns[0]: an empty text is not a DNS name | write it as it stands in the certificate, such as `crm.example.org`",
    ),
    (
        "certificate = { dns = [\"*.example.org\"] }",
        "8:24 caller[0].certificate.dns[0]: `*.example.org` is not a DNS name | wildcards are not known here: list each name",
    ),
    (
        "certificate = { dns = [\"crm.example.org.\"] }",
        "8:24 caller[0].certificate.dns[0]: `crm.example.org.` is not a DNS name | write it as it stands in the certificate, such as `crm.example.org`",
    ),
    (
        "certificate = { dns = [\"crm..example\"] }",
        "8:24 caller[0].certificate.dns[0]: `crm..example` is not a DNS name | write it as it stands in the certificate, such as `crm.example.org`",
    ),
    (
        "certificate = { dns = [\"-crm.example\"] }",
        "8:24 caller[0].certificate.dns[0]: `-crm.example` is not a DNS name | write it as it stands in the certificate, such as `crm.example.org`",
    ),
    (
        "certificate = { dns = [\"crm example\"] }",
        "8:24 caller[0].certificate.dns[0]: `crm example` is not a DNS name | write it as it stands in the certificate, such as `crm.example.org`",
    ),
    (
        "certificate = { dns = [\"10.0.0.1\"] }",
        "8:24 caller[0].certificate.dns[0]: `10.0.0.1` is not a DNS name | an IP address identifies nobody",
    ),
    (
        "certificate = { dns = [\"spiffe://example.org/crm\"] }",
        "8:24 caller[0].certificate.dns[0]: `spiffe://example.org/crm` is not a DNS name | write it as it stands in the certificate, such as `crm.example.org`",
    ),
    (
        "certificate = { spiffe = [\"https://example.org/crm\"] }",
        "8:27 caller[0].certificate.spiffe[0]: `https://example.org/crm` is not a workload's SPIFFE id | it begins with `spiffe://`, in lower case",
    ),
    (
        "certificate = { spiffe = [\"SPIFFE://example.org/crm\"] }",
        "8:27 caller[0].certificate.spiffe[0]: `SPIFFE://example.org/crm` is not a workload's SPIFFE id | it begins with `spiffe://`, in lower case",
    ),
    (
        "certificate = { spiffe = [\"spiffe://example.org\"] }",
        "8:27 caller[0].certificate.spiffe[0]: `spiffe://example.org` is not a workload's SPIFFE id | a path follows the trust domain, such as `spiffe://example.org/crm`",
    ),
    (
        "certificate = { spiffe = [\"spiffe://example.org/\"] }",
        "8:27 caller[0].certificate.spiffe[0]: `spiffe://example.org/` is not a workload's SPIFFE id | its path's segments are letters, digits, `.`, `-` and `_`; none is empty, `.` or `..`, and nothing follows the path",
    ),
    (
        "certificate = { spiffe = [\"spiffe://Example.org/crm\"] }",
        "8:27 caller[0].certificate.spiffe[0]: `spiffe://Example.org/crm` is not a workload's SPIFFE id | its trust domain is 1 to 255 lower-case letters, digits, `.`, `-` and `_`, without a port or a user",
    ),
    (
        "certificate = { spiffe = [\"spiffe://example.org:443/crm\"] }",
        "8:27 caller[0].certificate.spiffe[0]: `spiffe://example.org:443/crm` is not a workload's SPIFFE id | its trust domain is 1 to 255 lower-case letters, digits, `.`, `-` and `_`, without a port or a user",
    ),
    (
        "certificate = { spiffe = [\"spiffe://user@example.org/crm\"] }",
        "8:27 caller[0].certificate.spiffe[0]: `spiffe://user@example.org/crm` is not a workload's SPIFFE id | its trust domain is 1 to 255 lower-case letters, digits, `.`, `-` and `_`, without a port or a user",
    ),
    (
        "certificate = { spiffe = [\"spiffe:///crm\"] }",
        "8:27 caller[0].certificate.spiffe[0]: `spiffe:///crm` is not a workload's SPIFFE id | its trust domain is 1 to 255 lower-case letters, digits, `.`, `-` and `_`, without a port or a user",
    ),
    (
        "certificate = { spiffe = [\"spiffe://example.org/crm?a=b\"] }",
        "8:27 caller[0].certificate.spiffe[0]: `spiffe://example.org/crm?a=b` is not a workload's SPIFFE id | its path's segments are letters, digits, `.`, `-` and `_`; none is empty, `.` or `..`, and nothing follows the path",
    ),
    (
        "certificate = { spiffe = [\"spiffe://example.org/crm#a\"] }",
        "8:27 caller[0].certificate.spiffe[0]: `spiffe://example.org/crm#a` is not a workload's SPIFFE id | its path's segments are letters, digits, `.`, `-` and `_`; none is empty, `.` or `..`, and nothing follows the path",
    ),
    (
        "certificate = { spiffe = [\"spiffe://example.org/crm/\"] }",
        "8:27 caller[0].certificate.spiffe[0]: `spiffe://example.org/crm/` is not a workload's SPIFFE id | its path's segments are letters, digits, `.`, `-` and `_`; none is empty, `.` or `..`, and nothing follows the path",
    ),
    (
        "certificate = { spiffe = [\"spiffe://example.org/a/../b\"] }",
        "8:27 caller[0].certificate.spiffe[0]: `spiffe://example.org/a/../b` is not a workload's SPIFFE id | its path's segments are letters, digits, `.`, `-` and `_`; none is empty, `.` or `..`, and nothing follows the path",
    ),
    (
        "certificate = { spiffe = [\"spiffe://example.org/%63rm\"] }",
        "8:27 caller[0].certificate.spiffe[0]: `spiffe://example.org/%63rm` is not a workload's SPIFFE id | its path's segments are letters, digits, `.`, `-` and `_`; none is empty, `.` or `..`, and nothing follows the path",
    ),
];

const PEERS: [(&str, &str); 10] = [
    (
        "unix = 1000",
        "8:8 caller[0].unix: expected a table, found an integer | such as `{ uid = [1000] }` or `{ gid = [1000] }`",
    ),
    (
        "unix = {}",
        "8:8 caller[0].unix: names nobody | such as `{ uid = [1000] }` or `{ gid = [1000] }`",
    ),
    (
        "unix = { uid = 1000 }",
        "8:16 caller[0].unix.uid: expected an array, found an integer | write brackets, even round a single entry: `[...]`",
    ),
    (
        "unix = { uid = [] }",
        "8:16 caller[0].unix.uid: is empty | such as `{ uid = [1000] }` or `{ gid = [1000] }`",
    ),
    (
        "unix = { uid = [-1] }",
        "8:17 caller[0].unix.uid[0]: `-1` is not within 0 to 4294967294",
    ),
    (
        "unix = { uid = [4294967295] }",
        "8:17 caller[0].unix.uid[0]: `4294967295` is not within 0 to 4294967294",
    ),
    (
        "unix = { uid = [\"crm\"] }",
        "8:17 caller[0].unix.uid[0]: expected an integer, found a string | write the number: `id -u NAME` tells a user's, `getent group NAME` a group's",
    ),
    (
        "unix = { user = \"crm\" }",
        "8:8 caller[0].unix: names nobody | such as `{ uid = [1000] }` or `{ gid = [1000] }`\n8:10 caller[0].unix.user: unknown key | users and groups are numbers: names are not looked up, `id` tells the number",
    ),
    (
        "unix = { gid = [65534] }",
        "8:17 caller[0].unix.gid[0]: `65534` is how everyone from outside the gateway's user namespace appears | let the application run under a number of its own",
    ),
    (
        "unix = { uid = [1, 1] }",
        "8:20 caller[0].unix.uid[1]: is the same as on line 8 | each names one caller and is listed once",
    ),
];
