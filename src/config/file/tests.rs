//! Configurations as data: the good ones equal the defaults, the bad ones are named.

use std::collections::BTreeSet;
use std::path::Path;

use proptest::prelude::*;
use toml::de::{DeTable, DeValue};

use super::*;
use crate::config::problem::Problem;
use crate::observe::{OnFailure, Output};
use crate::policy::vocabulary::{Id, PermissionSet, Scope, Verb};
use crate::policy::{Ownership, Pattern, Required, UnknownFields};
use crate::quota::{CallerTerms, RateTerms, StoreTerms};

mod bad;
mod identities;
mod issuers;

const GATEWAY: &str = include_str!("../../../config/gateway.toml");
const MINIMAL: &str = include_str!("../../../config/minimal.toml");

const STORE: &str = "[[store]]\nhash = \"abc\"\ncredential = { file = \"token\" }\n";
const CALLER: &str = "[[caller]]\nname = \"app\"\ntoken_sha256 = [\"0000000000000000000000000000000000000000000000000000000000000000\"]\nscopes = [\"store_v2_customers\"]\n";

/// The file's base directory in every test.
const BASE: &str = "/etc/gateway";

/// A configuration that begins with these lines and is complete.
fn complete(head: &str) -> String {
    format!("{head}\n{STORE}{CALLER}")
}

fn read_text(text: &str) -> Result<File, String> {
    read(text, Path::new(BASE)).map_err(|problems| problems.report("f").to_string())
}

fn read_good(text: &str) -> File {
    read_text(text).unwrap()
}

/// The text with every optional key in use: one hash and a space before a line are removed.
fn uncommented(text: &str) -> String {
    let lines = text
        .lines()
        .map(|line| line.strip_prefix("# ").unwrap_or(line));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_shipped_file_is_the_defaults() {
    assert_eq!(read_good(GATEWAY), read_good(MINIMAL));
}

#[test]
fn the_shipped_file_writes_every_default_out() {
    // Equal to the defaults is also a key that is absent: each one must be there.
    let (_, findings) = walk(GATEWAY);
    let mut written = keys_of(GATEWAY);
    written.extend(WITHOUT_DEFAULT.map(ToOwned::to_owned));
    assert_eq!(written, findings.asked);
}

#[test]
fn the_shipped_file_has_every_key_and_no_other() {
    let text = uncommented(GATEWAY);
    let (file, findings) = walk(&text);
    // All keys at once contradict each other in one point: a mode goes with a Unix socket, TLS does not.
    let keys: Vec<_> = findings
        .problems()
        .iter()
        .map(|problem| problem.key.as_str())
        .collect();
    let unbuilt = (!cfg!(feature = "otlp")).then_some("otlp");
    let expected: Vec<_> = std::iter::once("listen.socket_mode")
        .chain(unbuilt)
        .collect();
    assert_eq!(keys, expected);
    assert_eq!(keys_of(&text), findings.asked);

    let file = file.unwrap();
    assert_eq!(file.listen.socket_mode, listen::SOCKET_MODE);
    assert_eq!(file.stores.len(), 4);
    let defaults = read_good(&complete(SHIPPED_ISSUER)).issuers;
    let Jwks::Url(shipped) = &file.issuers[0].jwks.value else {
        panic!("a URL")
    };
    assert_eq!(
        (shipped.refresh, shipped.keep),
        (issuer::REFRESH, issuer::KEEP)
    );
    assert_eq!(
        (
            &file.issuers[0].algorithms,
            file.issuers[0].clock_skew,
            file.issuers[0].max_lifetime
        ),
        (
            &defaults[0].algorithms,
            defaults[0].clock_skew,
            defaults[0].max_lifetime
        )
    );
}

#[test]
fn the_minimal_file_is_read() {
    let file = read_good(MINIMAL);
    assert_eq!((file.stores.len(), file.callers.len()), (1, 1));
    assert_eq!(
        (file.workers, file.admin, file.listen.tls),
        (None, None, None)
    );
}

fn walk(text: &str) -> (Option<File>, reader::Findings<'_>) {
    reader::walk(text, |root| {
        file(root, Path::new(BASE), &mut Named::default())
    })
}

/// Every key of a document, arrays of tables as `caller[].name`.
fn keys_of(text: &str) -> BTreeSet<String> {
    fn collect(table: &DeTable<'_>, prefix: &str, keys: &mut BTreeSet<String>) {
        for (key, value) in table {
            let path = format!("{prefix}{}", key.get_ref());
            match value.get_ref() {
                // The names of claims are the issuer's.
                _ if path.ends_with(".claims") => {}
                DeValue::Table(table) => collect(table, &format!("{path}."), keys),
                DeValue::Array(entries) => {
                    for table in entries
                        .iter()
                        .filter_map(|entry| entry.get_ref().as_table())
                    {
                        collect(table, &format!("{path}[]."), keys);
                    }
                }
                _ => {}
            }
            keys.insert(path);
        }
    }
    let mut keys = BTreeSet::new();
    collect(DeTable::parse(text).unwrap().get_ref(), "", &mut keys);
    keys
}

/// An issuer with nothing but what it must have.
const SHIPPED_ISSUER: &str =
    "[[issuer]]\nname = \"idp\"\nissuer = \"x\"\naudience = \"x\"\njwks = { file = \"x\" }";

/// The keys that stand in the shipped file as comments and are asked for nevertheless.
const WITHOUT_DEFAULT: [&str; 26] = [
    "caller[].enforcement",
    "workers",
    "handover",
    "listen.socket_mode",
    "listen.tls",
    "admin",
    "otlp",
    "upstream.ca",
    "store[].credential.env",
    "store[].credential.previous",
    "issuer",
    "caller[].signed_token",
    "caller[].certificate",
    "caller[].unix",
    "caller[].stores",
    "caller[].operations",
    "caller[].permission_sets",
    "caller[].namespaces",
    "caller[].keys",
    "caller[].customers",
    "caller[].batch_items",
    "caller[].require",
    "caller[].rate_limit",
    "caller[].concurrency",
    "store[].quota",
    "quota.shared",
];

/// No key at its default.
const EVERY_KEY: &str = r#"
workers = 4
drain_timeout = "1s"
drain_delay = "2s"
reload_interval = "9s"
[listen]
address = "unix:run/gateway.sock"
socket_mode = "0600"
[admin]
address = "[::1]:0"
hosts = ["Gateway.Internal"]
page = "[::1]:9091"
[upstream]
url = "http://127.0.0.9:81"
ca = "/ca.crt"
allow_plaintext = true
deadline = "3s"
connect_timeout = "4s"
idle_timeout = "5s"
body_timeout = "6s"
connections = 7
http2 = false
[audit]
output = "audit.log"
on_failure = "continue"
queue = 16
[policy]
unknown_fields = "forward"
ownership = "named"
ownership_ttl = "25s"
[limits]
connections = 8
connections_per_peer = 24
exempt_local_peers = false
http2_streams = 9
header_timeout = "10s"
idle_timeout = "11s"
body_timeout = "12s"
write_timeout = "13s"
answer_timeout = "22s"
handshake_timeout = "14s"
target = "15KiB"
headers = "16KiB"
body = "17KiB"
batch_body = "18KiB"
batch_items = 19
value_length = 20
body_memory = "21MiB"
answer_memory = "23MiB"
ownership_entries = 65
[quota]
store_headers = true
[quota.shared]
url = "redis://Redis.Internal:6380/3"
username = "gateway"
password_file = "redis-password"
ca = "/redis.crt"
prefix = "shop"
replicas = 26
allow_plaintext = true
"#;

#[test]
fn the_page_is_where_it_is_wanted_or_where_only_this_machine_connects() {
    let at = |address: &str| Page::At(Address::Tcp(address.parse().unwrap()));
    for (admin, page) in [
        (
            "address = \"[::1]:0\"\npage = \"[::1]:9091\"",
            at("[::1]:9091"),
        ),
        ("address = \"[::1]:0\"", Page::Beside),
        ("address = \"unix:admin.sock\"", Page::Off),
        ("address = \"0.0.0.0:9090\"", Page::Off),
        ("address = \"0.0.0.0:9090\"\npage = \"on\"", Page::Beside),
        ("address = \"[::1]:0\"\npage = \"off\"", Page::Off),
    ] {
        let file = read_good(&complete(&format!("[admin]\n{admin}\n")));
        assert_eq!(file.admin.unwrap().page.value, page, "{admin}");
    }
}

#[test]
fn a_collector_is_named_or_not() {
    let read = |text: &str| {
        let text = complete(&format!("[otlp]\n{text}\n"));
        let (file, findings) = walk(&text);
        let problems = findings.problems().iter();
        let told = problems.map(|problem| format!("{}: {}", problem.key, problem.message));
        let unbuilt = "otlp: this program was built without OTLP";
        let told: Vec<_> = told.filter(|told| told != unbuilt).collect();
        (file.and_then(|file| file.otlp), told)
    };
    let (otlp, told) = read("endpoint = \"http://127.0.0.1:4318\"");
    assert_eq!(told, [""; 0]);
    let otlp = otlp.unwrap();
    assert_eq!(otlp.endpoint.value.authority, "127.0.0.1:4318");
    assert_eq!(
        (otlp.sample.to_bits(), otlp.logs),
        (otlp::SAMPLE.to_bits(), otlp::LOGS)
    );
    let (otlp, told) =
        read("endpoint = \"http://c\"\nallow_plaintext = true\nsample = 0.25\nlogs = false");
    assert_eq!(told, [""; 0]);
    let otlp = otlp.unwrap();
    assert_eq!(
        (otlp.sample.to_bits(), otlp.logs),
        (0.25_f64.to_bits(), false)
    );
    for (text, problem) in [
        ("", "otlp.endpoint: is missing"),
        (
            "endpoint = \"http://c\"",
            "otlp.endpoint: would tell another machine without encryption who changes what",
        ),
        (
            "endpoint = \"https://c\"\nsample = 1.5",
            "otlp.sample: is not between 0 and 1",
        ),
        (
            "endpoint = \"https://c\"\nsample = nan",
            "otlp.sample: is not between 0 and 1",
        ),
        (
            "endpoint = \"https://c\"\nsample = -1",
            "otlp.sample: is not between 0 and 1",
        ),
        (
            "endpoint = \"https://c\"\nsample = \"1\"",
            "otlp.sample: expected a number from 0 to 1, found a string",
        ),
    ] {
        assert_eq!(read(text).1, [problem], "{text}");
    }
}

#[test]
fn every_key_of_sharing_is_taken_over() {
    let file = read_good(&complete(EVERY_KEY));
    let shared = file.quota.shared.unwrap();
    assert_eq!(shared.url.value.show(), "redis://redis.internal:6380/3");
    assert_eq!(shared.username.as_deref(), Some("gateway"));
    assert_eq!(
        shared.password_file.unwrap().value,
        Path::new("/etc/gateway/redis-password")
    );
    assert_eq!(shared.ca.unwrap().value, Path::new("/redis.crt"));
    assert_eq!((shared.prefix.as_str(), shared.replicas), ("shop", 26));
    assert!(!shared.cluster);
}

#[test]
fn every_key_is_taken_over() {
    let text = complete(EVERY_KEY);
    let file = read_good(&text);
    let seconds = Duration::from_secs;
    assert_eq!(file.workers, Some(4));
    assert_eq!(
        (file.drain_timeout, file.drain_delay),
        (seconds(1), seconds(2))
    );
    let socket = Address::Unix("/etc/gateway/run/gateway.sock".into());
    assert_eq!(
        (file.listen.address.value, file.listen.socket_mode),
        (socket, 0o600)
    );
    let admin = file.admin.unwrap();
    assert_eq!(
        admin.address.value,
        Address::Tcp("[::1]:0".parse().unwrap())
    );
    assert_eq!(admin.hosts, ["gateway.internal"]);
    let upstream = file.upstream;
    assert_eq!(upstream.url.value.authority, "127.0.0.9:81");
    assert_eq!(upstream.ca.unwrap().value, Path::new("/ca.crt"));
    assert!(upstream.allow_plaintext && !upstream.http2);
    assert_eq!(
        [
            upstream.deadline,
            upstream.connect_timeout,
            upstream.idle_timeout,
            upstream.body_timeout
        ],
        [3, 4, 5, 6].map(seconds)
    );
    assert_eq!(upstream.connections, 7);
    assert_eq!(
        file.audit.output.value,
        Output::File("/etc/gateway/audit.log".into())
    );
    assert_eq!(
        (file.audit.on_failure, file.audit.queue),
        (OnFailure::Continue, 16)
    );
    assert_eq!(file.policy.unknown_fields, UnknownFields::Forward);
    assert_eq!(file.policy.ownership, Ownership::Named);
    assert_eq!(file.policy.ownership_ttl, seconds(25));
    assert!(file.quota.store_headers);
    assert_eq!(
        file.limits,
        Limits {
            connections: 8,
            connections_per_peer: 24,
            exempt_local_peers: false,
            http2_streams: 9,
            header_timeout: seconds(10),
            idle_timeout: seconds(11),
            body_timeout: seconds(12),
            write_timeout: seconds(13),
            handshake_timeout: seconds(14),
            target: 15 << 10,
            headers: 16 << 10,
            body: 17 << 10,
            batch_body: 18 << 10,
            batch_items: 19,
            value_length: 20,
            body_memory: 21 << 20,
            answer_timeout: seconds(22),
            answer_memory: 23 << 20,
            ownership_entries: 65,
        }
    );
}

#[test]
fn quotas_and_limits_are_taken_over() {
    let text = format!(
        "{STORE}quota = {{ requests = 450, per = \"20s\", keep_free = 50 }}\n{}{CALLER}{}",
        STORE.replace("abc", "def"),
        "rate_limit = { requests = 60, per = \"40s\", burst = 5, batch_items = 70 }\nconcurrency = 4\nweight = 3\nguaranteed = 9\nmax_wait = \"2s\""
    );
    let file = read_good(&text);
    let seconds = Duration::from_secs;
    let rate = |amount, burst| {
        Some(RateTerms {
            amount,
            per: seconds(40),
            burst,
        })
    };
    assert_eq!(
        file.callers[0].spending,
        CallerTerms {
            rate: rate(60, 5),
            batch_items: rate(70, 70),
            concurrency: Some(4),
            weight: 3,
            guaranteed: 9,
            max_wait: seconds(2),
        }
    );
    let quotas: Vec<_> = file
        .stores
        .iter()
        .map(|store| store.quota.map(|quota| quota.value))
        .collect();
    let quota = StoreTerms {
        requests: 450,
        per: seconds(20),
        keep_free: 50,
    };
    assert_eq!(quotas, [Some(quota), None]);
}

#[test]
fn stores_and_callers_are_taken_over() {
    let text = "\
[[store]]
hash = \"abc\"
credential = { file = \"token\" }
[[store]]
hash = \"def\"
credential.env = \"ACCESS_TOKEN\"
[[caller]]
name = \"a.b-c_d\"
token_sha256 = [\"00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF\", \"0000000000000000000000000000000000000000000000000000000000000000\"]
scopes = [\"store_v2_customers_read_only\", \"store_stored_payment_instruments\"]
stores = [\"def\"]
operations = [\"list_all\", \"get\"]
permission_sets = [\"read\"]
namespaces = [\"crm\", \"crm.*\"]
keys = [\"tier\"]
customers = [7, \"1000-1999\", 42]
batch_items = 20
require = [\"key\", \"permission_set\"]
";
    let file = read_good(text);
    let sources: Vec<_> = file
        .stores
        .iter()
        .map(|store| &store.credential.value)
        .collect();
    assert_eq!(
        sources,
        [
            &CredentialSource::File("/etc/gateway/token".into()),
            &CredentialSource::Variable("ACCESS_TOKEN".to_owned())
        ]
    );
    let places: Vec<_> = file
        .stores
        .iter()
        .map(|store| store.credential.place.line)
        .collect();
    assert_eq!(places, [3, 6]);
    let caller = &file.callers[0];
    assert_eq!(caller.name, "a.b-c_d");
    assert_eq!(
        caller.identity.tokens[0].value.sha256[..4],
        [0x00, 0x11, 0x22, 0x33]
    );
    assert_eq!(
        caller.identity.tokens[0].value.sha256[28..],
        [0xcc, 0xdd, 0xee, 0xff]
    );
    assert_eq!(
        caller.scopes,
        [Scope::CustomersReadOnly, Scope::StoredPaymentInstruments]
    );
    grants_are_taken_over(&caller.grants);
}

fn grants_are_taken_over(grants: &Grants) {
    fn value<T: Clone>(grant: Option<&Located<Vec<T>>>) -> Vec<T> {
        grant.unwrap().value.clone()
    }
    let id = |value| Id::new(value).unwrap();
    assert_eq!(
        value(grants.stores.as_ref()),
        StoreHash::parse("def").as_slice()
    );
    assert_eq!(
        value(grants.operations.as_ref()),
        [Verb::ListAll, Verb::Get]
    );
    assert_eq!(
        value(grants.permission_sets.as_ref()),
        [PermissionSet::Read]
    );
    let patterns = ["crm", "crm."].map(ToOwned::to_owned);
    let [exact, prefix] = patterns;
    assert_eq!(
        value(grants.namespaces.as_ref()),
        [Pattern::Exact(exact), Pattern::Prefix(prefix)]
    );
    assert_eq!(
        value(grants.keys.as_ref()),
        [Pattern::Exact("tier".to_owned())]
    );
    assert_eq!(
        value(grants.customers.as_ref()),
        [id(7)..=id(7), id(1000)..=id(1999), id(42)..=id(42)]
    );
    assert_eq!(grants.batch_items.unwrap().value, 20);
    assert_eq!(
        value(grants.require.as_ref()),
        [Required::Key, Required::PermissionSet]
    );
    assert_eq!(grants.require.as_ref().unwrap().place.line, 18);
}

#[test]
fn good_urls_are_taken_apart() {
    for (url, host, port, authority) in [
        (
            "https://api.bigcommerce.com",
            "api.bigcommerce.com",
            443,
            "api.bigcommerce.com",
        ),
        ("https://API.example/", "api.example", 443, "api.example"),
        ("https://api.example:443", "api.example", 443, "api.example"),
        (
            "https://api.example:8443",
            "api.example",
            8443,
            "api.example:8443",
        ),
        ("http://localhost:9000", "localhost", 9000, "localhost:9000"),
        ("http://127.3.2.1", "127.3.2.1", 80, "127.3.2.1"),
        ("http://[::1]:443", "::1", 443, "[::1]:443"),
        ("https://[2001:DB8::1]", "2001:db8::1", 443, "[2001:db8::1]"),
    ] {
        let file = read_good(&complete(&format!("[upstream]\nurl = \"{url}\"")));
        let origin = file.upstream.url.value;
        assert_eq!((origin.host.as_str(), origin.port), (host, port), "{url}");
        assert_eq!(origin.authority, authority, "{url}");
    }
    assert_eq!(
        Origin::parse("https://api.bigcommerce.com"),
        Ok(Origin::bigcommerce())
    );
    let trusted = "[upstream]\nurl = \"http://api.internal\"\nallow_plaintext = true";
    assert_eq!(
        read_good(&complete(trusted)).upstream.url.value.scheme,
        Scheme::Http
    );
}

#[test]
fn places_lead_back_to_the_key() {
    let text = complete(
        "[listen]\naddress = \"0.0.0.0:8080\"\ntls = { certificate = \"a\", private_key = \"b\", client_ca = \"c\" }\n\
         [upstream]\nca = \"d\"\n[audit]\noutput = \"./e\"",
    );
    let file = read_good(&text);
    let tls = file.listen.tls.unwrap();
    let places = [
        file.listen.address.place,
        tls.certificate.place,
        tls.private_key.place,
        tls.client_ca.unwrap().place,
        file.upstream.ca.unwrap().place,
        file.audit.output.place,
        file.stores[0].credential.place,
    ];
    let places = places.map(|place| (place.line, place.column));
    assert_eq!(
        places,
        [
            (2, 11),
            (3, 23),
            (3, 42),
            (3, 59),
            (5, 6),
            (7, 10),
            (10, 23)
        ]
    );
}

/// Texts that look like a configuration often enough to reach the readers.
fn any_configuration() -> impl Strategy<Value = String> {
    let key = prop_oneof![
        Just("workers"),
        Just("address"),
        Just("tls"),
        Just("certificate"),
        Just("url"),
        Just("output"),
        Just("hash"),
        Just("credential"),
        Just("file"),
        Just("name"),
        Just("token_sha256"),
        Just("scopes"),
        Just("stores"),
        Just("operations"),
        Just("namespaces"),
        Just("body"),
        Just("deadline"),
        Just("\"\u{1b}\"")
    ];
    let value = prop_oneof![
        Just("1".to_owned()),
        Just("{ file = \"a\" }".to_owned()),
        Just("[\"get\", \"get\"]".to_owned()),
        Just("[]".to_owned()),
        Just("[{}]".to_owned()),
        Just("\"".to_owned()),
        Just("1979-05-27".to_owned()),
        "\"[^\"\\\\\\n]{0,12}\"",
        "\\[\"[a-z.*]{0,8}\"\\]",
        "[0-9]{1,20}",
        "\"[0-9.]{1,5}(ms|s|KiB|MB)\""
    ];
    let pair = (key, value).prop_map(|(key, value)| format!("{key} = {value}\n"));
    let header = prop_oneof![
        Just("[listen]\n"),
        Just("[admin]\n"),
        Just("[upstream]\n"),
        Just("[audit]\n"),
        Just("[limits]\n"),
        Just("[[store]]\n"),
        Just("[[caller]]\n"),
        Just("[caller]\n"),
        Just("[listen.tls]\n"),
        Just("]")
    ];
    let line = prop_oneof![4 => pair, 2 => header.prop_map(ToOwned::to_owned), 1 => "\\PC{0,12}\n"];
    prop::collection::vec(line, 0..24).prop_map(|lines| lines.concat())
}

proptest! {
    #[test]
    fn any_text_is_judged(text in "(?s).{0,256}") {
        let _judged = read_text(&text);
    }

    #[test]
    fn anything_like_a_configuration_is_judged(text in any_configuration()) {
        if let Err(problems) = read(&text, Path::new(BASE)) {
            let lines = text.split('\n').count();
            let is_in_text = |problem: &Problem| problem.line <= lines && problem.line >= 1;
            prop_assert!(problems.iter().all(is_in_text));
            prop_assert!(problems.iter().is_sorted_by_key(Problem::place));
            let report = problems.report("f").to_string();
            let escapes = report.contains(char::from(27));
            prop_assert!(!escapes);
        }
    }

    #[test]
    fn secrets_in_wrong_places_are_not_shown(secret in "[a-z0-9]{31}", place in 0_usize..12) {
        let lines = [
            format!("{STORE}token = \"{secret}\"\n{CALLER}"),
            format!("[[store]]\nhash = \"abc\"\ncredential = \"{secret}\"\n{CALLER}"),
            format!("[[store]]\nhash = \"abc\"\ncredential = {{ token = \"{secret}\" }}\n{CALLER}"),
            format!("[[store]]\nhash = \"abc\"\ncredential = {{ env = \"-{secret}\" }}\n{CALLER}"),
            format!("[[store]]\nhash = \"abc\"\ncredential = [\"{secret}\"]\n{CALLER}"),
            format!("[[store]]\nhash = \"abc\"\ncredential = {secret}\n{CALLER}"),
            format!("{STORE}{CALLER}token = \"{secret}\"\n"),
            format!("{STORE}{CALLER}access_tokn = [\"{secret}\"]\n"),
            format!("{STORE}[[caller]]\nname = \"a\"\ntoken_sha256 = [\"{secret}\"]\n"),
            format!("{STORE}[[caller]]\nname = \"a\"\ntoken_sha256 = \"{secret}\"\n"),
            format!("{STORE}[[caller]]\nname = \"a\"\ntoken_sha256 = [{{ token = \"{secret}\" }}]\n"),
            complete(&format!("[upstream]\nurl = \"https://user:{secret}@api.example\"")),
        ];
        let report = read_text(&lines[place]).unwrap_err();
        prop_assert!(!report.contains(&secret), "{}", report);
    }
}
