//! Bad configurations and what is said about them, a mistake a case.

use super::*;

/// Each problem as `LINE:COLUMN KEY: message | hint`.
pub(super) fn problems(text: &str) -> Vec<String> {
    let show = |problem: &Problem| {
        let Problem {
            line,
            column,
            key,
            message,
            hint,
        } = problem;
        let hint = hint
            .as_ref()
            .map(|hint| format!(" | {hint}"))
            .unwrap_or_default();
        format!("{line}:{column} {key}: {message}{hint}")
    };
    match read(text, Path::new(BASE)) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.iter().map(show).collect(),
    }
}

/// Checks a table of texts, each with its one problem, and shows every difference at once.
pub(super) fn check(cases: &[(String, &str)]) {
    let wrong: Vec<_> = cases
        .iter()
        .filter_map(|(text, expected)| {
            let found = problems(text).join("\n");
            (found != *expected).then(|| format!("{text}\nexpected {expected}\nfound    {found}\n"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn wrong_settings_are_named() {
    check(&HEADS.map(|(text, expected)| (complete(text), expected)));
}

#[test]
fn wrong_stores_are_named() {
    check(&STORES.map(|(text, expected)| (format!("{text}\n{CALLER}"), expected)));
}

#[test]
fn wrong_callers_are_named() {
    check(&CALLERS.map(|(text, expected)| (format!("{STORE}{CALLER}{text}\n"), expected)));
}

#[test]
fn wrong_sharing_is_named() {
    check(
        &SHARED.map(|(lines, expected)| (complete(&format!("[quota.shared]\n{lines}")), expected)),
    );
}

#[test]
fn wrong_quotas_are_named() {
    check(&QUOTAS.map(|(quota, caller, expected)| {
        let store = STORE.trim_end();
        (format!("{store}\n{quota}\n{CALLER}{caller}\n"), expected)
    }));
    check(&[(
        complete("upstream.deadline = \"2s\"") + "max_wait = \"2s\"",
        "9:12 caller[0].max_wait: is not shorter than `upstream.deadline`, `2s` | a request waits within its deadline, and must have time left to be sent",
    )]);
}

#[test]
fn guarantees_of_others_and_of_other_stores_do_not_count() {
    let stores = "[[store]]\nhash = \"one\"\ncredential = { file = \"a\" }\nquota = { requests = 100, per = \"30s\" }\n[[store]]\nhash = \"two\"\ncredential = { file = \"a\" }\n";
    let caller = |number: usize, rest: &str| {
        format!(
            "[[caller]]\nname = \"c{number}\"\ntoken_sha256 = [\"{number:064}\"]\nscopes = [\"store_v2_customers\"]\n{rest}\n"
        )
    };
    let elsewhere = caller(1, "guaranteed = 60\nstores = [\"two\"]");
    let text = format!("{stores}{}{elsewhere}", caller(2, "guaranteed = 60"));
    assert_eq!(problems(&text), [""; 0]);
    let many: String = (0..12)
        .map(|number| caller(number, "guaranteed = 9"))
        .collect();
    assert_eq!(
        problems(&format!("{stores}{many}")),
        [
            "4:9 store[0].quota: is less than what its callers are guaranteed: 9 + 9 + 9 + 9 + 9 + 9 + 9 + 9 + ... (12 callers) = 108, of 100 - 0 = 100 | lower `guaranteed` of some callers, or take the store out of their `stores`"
        ]
    );
}

#[test]
fn broken_syntax_is_named_and_does_not_hide_the_rest() {
    check(&SYNTAX.map(|(text, expected)| (complete(text), expected)));
}

#[test]
fn ten_mistakes_are_named_in_one_run() {
    let expected = "\
1:1 worker: unknown key | did you mean `workers`?
2:17 drain_timeout: `25` has no unit | a duration is a number and `us`, `ms`, `s`, `m` or `h`, in quotes, such as `\"2.5s\"`
5:11 listen.address: `localhost:8080` is not an IP address and a port | names are not resolved: write `127.0.0.1:8080`
8:7 upstream.url: would send the credential without encryption to another machine | write `https://`, or set `allow_plaintext = true` if the way there is trusted
11:8 limits.body: `1MB` has an unknown unit | sizes are counted in 1024s: write `MiB`
12:15 limits.batch_items: expected an integer, found a string | write the number without quotes
16:14 store[0].credential: expected a table, found a string | a credential does not belong into this file: write `credential = { file = ... }`, and replace the one that stood here
18:1 caller[0].scopes: is missing | name at least one scope
20:17 caller[0].token_sha256[0]: is not 64 hex digits | it is the SHA-256 of the token in 64 hex digits, not the token: `metafield-gateway token` prints both
21:1 caller[0].scope: unknown key | did you mean `scopes`?";
    assert_eq!(problems(TEN_MISTAKES).join("\n"), expected);
}

#[test]
fn a_store_that_cannot_be_read_is_not_missed_by_callers() {
    let text = format!("[[store]]\nhash = \"abc\"\n{CALLER}stores = [\"abc\"]\n");
    assert_eq!(problems(&text).len(), 1, "{:?}", problems(&text));
}

const TEN_MISTAKES: &str = r#"worker = 2
drain_timeout = "25"

[listen]
address = "localhost:8080"

[upstream]
url = "http://api.bigcommerce.com"

[limits]
body = "1MB"
batch_items = "250"

[[store]]
hash = "abc"
credential = "abcdefghijklmnopqrstuvwxyz01234"

[[caller]]
name = "app"
token_sha256 = ["abc"]
scope = ["store_v2_customers"]
"#;

const HEADS: [(&str, &str); 72] = [
    (
        "worker = 2",
        "1:1 worker: unknown key | did you mean `workers`?",
    ),
    ("workers = 0", "1:11 workers: `0` is not within 1 to 64"),
    (
        "handover = \"/run/handover.sock\"",
        "1:12 handover: `/run/handover.sock` is not a Unix socket | write it as `unix:/run/metafield-gateway/handover.sock`",
    ),
    ("workers = 65", "1:11 workers: `65` is not within 1 to 64"),
    (
        "workers = \"2\"",
        "1:11 workers: expected an integer, found a string | write the number without quotes",
    ),
    ("workers = -1", "1:11 workers: `-1` is not within 1 to 64"),
    (
        "workers = 99999999999999999999999",
        "1:11 workers: `99999999999999999999999` is not within 1 to 64",
    ),
    (
        "drain_timeout = 25",
        "1:17 drain_timeout: expected a duration, found an integer | a duration is a number and `us`, `ms`, `s`, `m` or `h`, in quotes, such as `\"2.5s\"`",
    ),
    (
        "drain_timeout = \"25\"",
        "1:17 drain_timeout: `25` has no unit | a duration is a number and `us`, `ms`, `s`, `m` or `h`, in quotes, such as `\"2.5s\"`",
    ),
    (
        "drain_timeout = \"0s\"",
        "1:17 drain_timeout: must be longer than nothing",
    ),
    (
        "drain_timeout = \"25h\"",
        "1:17 drain_timeout: `25h` is longer than `24h`",
    ),
    (
        "drain_delay = \"-1s\"",
        "1:15 drain_delay: `-1s` does not begin with a number | a duration is a number and `us`, `ms`, `s`, `m` or `h`, in quotes, such as `\"2.5s\"`",
    ),
    (
        "listen = 8080",
        "1:10 listen: expected a table, found an integer | write `[listen]` and its keys below",
    ),
    (
        "[limits]\nbody = \"1MiB\"\nworkers = 1",
        "3:1 limits.workers: unknown key | it stands at the top level: move it above the first `[table]`",
    ),
    (
        "tls = {}",
        "1:1 tls: unknown key | it belongs into `[listen]`",
    ),
    (
        "[listen]\naddress = \"localhost:8080\"",
        "2:11 listen.address: `localhost:8080` is not an IP address and a port | names are not resolved: write `127.0.0.1:8080`",
    ),
    (
        "[listen]\naddress = \"gateway.internal:8080\"",
        "2:11 listen.address: `gateway.internal:8080` is not an IP address and a port | names are not resolved: write an IP address and a port, such as `127.0.0.1:8080`, or `unix:/path`",
    ),
    (
        "[listen]\naddress = \":8080\"",
        "2:11 listen.address: `:8080` is not an IP address and a port | for every address write `0.0.0.0:8080` or `[::]:8080`",
    ),
    (
        "[listen]\naddress = \"127.0.0.1\"",
        "2:11 listen.address: `127.0.0.1` has no port | write it as `127.0.0.1:8080` or `[::1]:8080`",
    ),
    (
        "[listen]\naddress = \"/run/a.sock\"",
        "2:11 listen.address: `/run/a.sock` is not an IP address and a port | for a Unix socket write `unix:/run/a.sock`",
    ),
    (
        "[listen]\naddress = \"unix:\"",
        "2:11 listen.address: is empty | name a file",
    ),
    (
        "[listen]\naddress = 8080",
        "2:11 listen.address: expected an address, found an integer | such as `\"127.0.0.1:8080\"`",
    ),
    (
        "[listen]\nsocket_mode = \"0660\"",
        "2:15 listen.socket_mode: only a Unix socket has a mode, and `listen.address` is none | remove the key, or listen on `unix:/path`",
    ),
    (
        "[listen]\naddress = \"unix:/a\"\nsocket_mode = \"0999\"",
        "3:15 listen.socket_mode: `0999` is not a mode | write the mode in octal digits and quotes, such as `\"0660\"`",
    ),
    (
        "[listen]\naddress = \"unix:/a\"\nsocket_mode = \"4755\"",
        "3:15 listen.socket_mode: `4755` is not a mode | write the mode in octal digits and quotes, such as `\"0660\"`",
    ),
    (
        "[listen]\naddress = \"unix:/a\"\nsocket_mode = 0o660",
        "3:15 listen.socket_mode: expected a mode, found an integer | write the mode in octal digits and quotes, such as `\"0660\"`",
    ),
    (
        "[listen]\naddress = \"unix:/a\"\ntls = { certificate = \"a\", private_key = \"b\" }",
        "3:7 listen.tls: a Unix socket is served without TLS | remove the key: the socket's mode says who may connect",
    ),
    (
        "[listen]\ntls = { certificate = \"a\" }",
        "2:7 listen.tls.private_key: is missing | name the file of the private key, in PEM",
    ),
    (
        "[listen]\ntls = { certificate = \"a\", private_key = \"\", ca = \"b\" }",
        "2:42 listen.tls.private_key: is empty | name a file\n2:46 listen.tls.ca: unknown key | known here are `certificate`, `private_key`, `client_ca`, `client_auth`",
    ),
    (
        "[listen]\ntls = \"tls.crt\"",
        "2:7 listen.tls: expected a table, found a string | such as `{ certificate = \"tls.crt\", private_key = \"tls.key\" }`",
    ),
    (
        "[admin]",
        "1:1 admin.address: is missing | such as `address = \"127.0.0.1:9090\"`; without `[admin]` there is no admin listener",
    ),
    (
        "[admin]\naddress = \"127.0.0.1:8080\"",
        "2:11 admin.address: is also `listen.address` | give each door its own",
    ),
    (
        "[admin]\naddress = \"127.0.0.1:9090\"\nhosts = [\"http://a\"]",
        "3:10 admin.hosts[0]: `http://a` is not a host name | write the name alone, without scheme and port",
    ),
    (
        "[admin]\naddress = \"127.0.0.1:9090\"\npage = \"yes\"",
        "3:8 admin.page: `yes` is not an IP address and a port | write `\"on\"`, `\"off\"`, or an address of its own such as `\"127.0.0.1:9091\"`",
    ),
    (
        "[admin]\naddress = \"127.0.0.1:9090\"\npage = true",
        "3:8 admin.page: expected `\"on\"`, `\"off\"` or an address, found a boolean | write `\"on\"`, `\"off\"`, or an address of its own such as `\"127.0.0.1:9091\"`",
    ),
    (
        "[admin]\naddress = \"127.0.0.1:9090\"\npage = \"0.0.0.0:9090\"",
        "3:8 admin.page: is also `admin.address` | write `\"on\"` for the page to be there too, or another address",
    ),
    (
        "[admin]\naddress = \"127.0.0.1:9090\"\npage = \"127.0.0.1:8080\"",
        "3:8 admin.page: is also `listen.address` | give each door its own",
    ),
    (
        "[admin]\naddress = \"127.0.0.1:9090\"\nhosts = []",
        "3:9 admin.hosts: is empty | leave the key out to accept the address alone",
    ),
    (
        "[admin]\naddress = \"127.0.0.1:9090\"\nhosts = [\"a\", \"A\"]",
        "3:15 admin.hosts[1]: is the same as on line 3 | each must be there once: change this one or leave it out",
    ),
    (
        "[upstream]\nurl = \"api.bigcommerce.com\"",
        "2:7 upstream.url: is not a URL with scheme and host | write it as `https://api.bigcommerce.com`",
    ),
    (
        "[upstream]\nurl = \"ftp://api.bigcommerce.com\"",
        "2:7 upstream.url: the scheme `ftp` is not known | known are `https` and `http`",
    ),
    (
        "[upstream]\nurl = \"http://api.bigcommerce.com\"",
        "2:7 upstream.url: would send the credential without encryption to another machine | write `https://`, or set `allow_plaintext = true` if the way there is trusted",
    ),
    (
        "[upstream]\nurl = \"http://127.0.0.1.example\"",
        "2:7 upstream.url: would send the credential without encryption to another machine | write `https://`, or set `allow_plaintext = true` if the way there is trusted",
    ),
    (
        "[upstream]\nurl = \"https://127.1\"",
        "2:7 upstream.url: `127.1` is not a host",
    ),
    (
        "[upstream]\nurl = \"https://a@b\"",
        "2:7 upstream.url: must not hold a user or a password | the gateway authenticates with each store's `credential`",
    ),
    (
        "[upstream]\nurl = \"https://a/v3\"",
        "2:7 upstream.url: must not have a path | paths are built by the gateway: name scheme and host alone",
    ),
    (
        "[upstream]\nurl = \"https://a?b\"",
        "2:7 upstream.url: must not have a query or a fragment | write it as `https://api.bigcommerce.com`",
    ),
    (
        "[upstream]\nurl = \"https://a:0\"",
        "2:7 upstream.url: `0` is not a port | a port is a number from 1 to 65535",
    ),
    (
        "[upstream]\nurl = \"https://a:\"",
        "2:7 upstream.url: an empty text is not a port | a port is a number from 1 to 65535",
    ),
    (
        "[upstream]\nurl = \"https://\"",
        "2:7 upstream.url: an empty text is not a host",
    ),
    (
        "[upstream]\nurl = \"https://a b\"",
        "2:7 upstream.url: `a b` is not a host",
    ),
    (
        "[upstream]\nurl = \"https://[::1\"",
        "2:7 upstream.url: `[:` is not a host",
    ),
    (
        "[upstream]\nconnections = 0",
        "2:15 upstream.connections: `0` is not within 1 to 65535",
    ),
    (
        "[upstream]\nhttp2 = \"yes\"",
        "2:9 upstream.http2: expected `true` or `false`, found a string",
    ),
    (
        "[upstream]\ndeadline = \"6,5s\"",
        "2:12 upstream.deadline: `6,5s` has an unknown unit | a duration is a number and `us`, `ms`, `s`, `m` or `h`, in quotes, such as `\"2.5s\"`",
    ),
    (
        "[audit]\noutput = \"stderr\"",
        "2:10 audit.output: `stderr` is neither `stdout` nor `off` nor a path | for a file beside this one write `./stderr`",
    ),
    (
        "[audit]\noutput = \"\"",
        "2:10 audit.output: is empty | name a file",
    ),
    (
        "[audit]\noutput = true",
        "2:10 audit.output: expected `\"stdout\"`, `\"off\"` or a path, found a boolean",
    ),
    (
        "[audit]\non_failure = \"deny\"",
        "2:14 audit.on_failure: `deny` is not known | known are `refuse`, `continue`",
    ),
    (
        "[audit]\nqueue = 15",
        "2:9 audit.queue: `15` is not within 16 to 1048576",
    ),
    (
        "[policy]\nunknown_fields = \"Refuse\"",
        "2:18 policy.unknown_fields: `Refuse` is not known | did you mean `refuse`? known are `refuse`, `forward`",
    ),
    (
        "[policy]\nownership = \"look_up\"",
        "2:13 policy.ownership: `look_up` is not known | did you mean `lookup`? known are `lookup`, `named`",
    ),
    (
        "[policy]\nownership_ttl = \"0s\"",
        "2:17 policy.ownership_ttl: must be longer than nothing",
    ),
    (
        "[limits]\nownership_entries = 63",
        "2:21 limits.ownership_entries: `63` is not within 64 to 4194304",
    ),
    (
        "[limits]\nheaders = \"8KiB\"",
        "2:11 limits.headers: `8KiB` is not within `16KiB` to `256KiB`",
    ),
    (
        "[limits]\nbody = \"1MB\"",
        "2:8 limits.body: `1MB` has an unknown unit | sizes are counted in 1024s: write `MiB`",
    ),
    (
        "[limits]\nbody = 1048576",
        "2:8 limits.body: expected a size, found an integer | a size is a whole number and `B`, `KiB`, `MiB` or `GiB`, in quotes, such as `\"64KiB\"`",
    ),
    (
        "[limits]\nbody = \"1.5MiB\"",
        "2:8 limits.body: `1.5MiB` is not a whole number | a size is a whole number and `B`, `KiB`, `MiB` or `GiB`, in quotes, such as `\"64KiB\"`",
    ),
    (
        "[limits]\nbody_memory = \"2MiB\"",
        "2:15 limits.body_memory: is less than `limits.batch_body` | a single body must fit into the memory for all of them",
    ),
    (
        "[limits]\nbatch_body = \"128MiB\"",
        "2:14 limits.batch_body: is more than `limits.body_memory` | a single body must fit into the memory for all of them",
    ),
    (
        "[limits]\nbody_memory = 1\nbatch_body = \"128MiB\"",
        "2:15 limits.body_memory: expected a size, found an integer | a size is a whole number and `B`, `KiB`, `MiB` or `GiB`, in quotes, such as `\"64KiB\"`",
    ),
    (
        "[limits]\n\"bad\\u001bkey\" = 1",
        "2:1 limits.\"bad\\u{1b}key\": unknown key | known here are `body`, `batch_body`, `body_memory`, `connections`, `connections_per_peer`, `batch_items`, `exempt_local_peers`, `http2_streams`, `header_timeout`, `idle_timeout`, `body_timeout`, `write_timeout`, `answer_timeout`, `handshake_timeout`, `target`, `headers`, `value_length`, `answer_memory`, `ownership_entries`",
    ),
];
const STORES: [(&str, &str); 14] = [
    (
        "",
        "1:1 store: is missing | such as `[[store]]`, `hash = \"abc123\"`, `credential = { file = \"/run/secrets/token\" }`",
    ),
    (
        "store = []",
        "1:9 store: is empty | such as `[[store]]`, `hash = \"abc123\"`, `credential = { file = \"/run/secrets/token\" }`",
    ),
    (
        "[store]\nhash = \"abc\"",
        "1:1 store: expected an array of tables, found a table | such as `[[store]]`, `hash = \"abc123\"`, `credential = { file = \"/run/secrets/token\" }`",
    ),
    (
        "store = [1]",
        "1:10 store[0]: expected a table, found an integer | such as `[[store]]`, `hash = \"abc123\"`, `credential = { file = \"/run/secrets/token\" }`",
    ),
    (
        "[[store]]\nhash = \"ABC\"\ncredential = { file = \"a\" }",
        "2:8 store[0].hash: `ABC` is not a store hash | a hash is 1 to 32 lower-case letters and digits",
    ),
    (
        "[[store]]\nhash = \"abc\"",
        "1:1 store[0].credential: is missing | write `{ file = \"/run/secrets/token\" }` or `{ env = \"BIGCOMMERCE_ACCESS_TOKEN\" }`",
    ),
    (
        "[[store]]\nhash = \"abc\"\ncredential = \"x\"",
        "3:14 store[0].credential: expected a table, found a string | a credential does not belong into this file: write `credential = { file = ... }`, and replace the one that stood here",
    ),
    (
        "[[store]]\nhash = \"abc\"\ncredential = {}",
        "3:14 store[0].credential: has neither `file` nor `env` | write `{ file = \"/run/secrets/token\" }` or `{ env = \"BIGCOMMERCE_ACCESS_TOKEN\" }`",
    ),
    (
        "[[store]]\nhash = \"abc\"\ncredential = { file = \"a\", env = \"B\" }",
        "3:14 store[0].credential: has both `file` and `env` | write `{ file = \"/run/secrets/token\" }` or `{ env = \"BIGCOMMERCE_ACCESS_TOKEN\" }`",
    ),
    (
        "[[store]]\nhash = \"abc\"\ncredential = { env = \"1A\" }",
        "3:22 store[0].credential.env: is not the name of an environment variable | write a name such as `BIGCOMMERCE_ACCESS_TOKEN`, never the credential itself",
    ),
    (
        "[[store]]\nhash = \"abc\"\ncredential = { file = \"a\", token = \"B\" }",
        "3:28 store[0].credential.token: unknown key | a credential does not belong into this file: write `credential = { file = ... }`, and replace the one that stood here",
    ),
    (
        "[[store]]\nhash = \"abc\"\nfile = \"a\"",
        "1:1 store[0].credential: is missing | write `{ file = \"/run/secrets/token\" }` or `{ env = \"BIGCOMMERCE_ACCESS_TOKEN\" }`\n3:1 store[0].file: unknown key | it belongs into `credential = { ... }`",
    ),
    (
        "[[store]]\nhash = \"abc\"\ncredential = { file = \"a\" }\n[[store]]\nhash = \"abc\"\ncredential = { file = \"a\" }",
        "5:8 store[1].hash: is the same as on line 2 | each must be there once: change this one or leave it out",
    ),
    (
        "[[store]]\nhash = 1\ncredential = { file = \"-----BEGIN X\" }",
        "2:8 store[0].hash: expected a store hash, found an integer\n3:23 store[0].credential.file: holds a PEM text instead of a path | put the text into a file of its own and name that",
    ),
];
const CALLERS: [(&str, &str); 37] = [
    (
        "[[caller]]",
        "8:1 caller[1].name: is missing | it names the caller in logs and metrics\n8:1 caller[1].token_sha256: is missing | it is the SHA-256 of the token in 64 hex digits, not the token: `metafield-gateway token` prints both; or bind the caller with `signed_token`, `certificate` or `unix`\n8:1 caller[1].scopes: is missing | name at least one scope",
    ),
    (
        "scope = [\"store_v2_customers\"]",
        "8:1 caller[0].scope: unknown key | did you mean `scopes`?",
    ),
    (
        "token = \"abc\"",
        "8:1 caller[0].token: unknown key | a token does not belong into this file: write `token_sha256`, its SHA-256, and replace the token that stood here",
    ),
    (
        "stores = [\"abd\"]",
        "8:11 caller[0].stores[0]: `abd` is not the hash of a `[[store]]` | did you mean `abc`? known are `abc`",
    ),
    (
        "stores = [\"ABC\"]",
        "8:11 caller[0].stores[0]: `ABC` is not a store hash | a hash is 1 to 32 lower-case letters and digits",
    ),
    (
        "stores = []",
        "8:10 caller[0].stores: is empty | leave the key out to allow every store",
    ),
    (
        "stores = [\"abc\", \"abc\"]",
        "8:18 caller[0].stores[1]: is the same as on line 8 | each must be there once: change this one or leave it out",
    ),
    (
        "stores = \"abc\"",
        "8:10 caller[0].stores: expected an array, found a string | write brackets, even round a single entry: `[...]`",
    ),
    (
        "operations = []",
        "8:14 caller[0].operations: is empty | leave the key out to allow what the scopes open",
    ),
    (
        "operations = [\"updat\", 1, \"put\"]",
        "8:15 caller[0].operations[0]: `updat` is not known | did you mean `update`? known are `create`, `create_batch`, `delete`, `delete_batch`, `get`, `list`, `list_all`, `update`, `update_batch`\n8:24 caller[0].operations[1]: expected an operation's name, found an integer\n8:27 caller[0].operations[2]: `put` is not known | known are `create`, `create_batch`, `delete`, `delete_batch`, `get`, `list`, `list_all`, `update`, `update_batch`",
    ),
    (
        "permission_sets = []",
        "8:19 caller[0].permission_sets: is empty | leave the key out to allow all five",
    ),
    (
        "permission_sets = [\"app-only\"]",
        "8:20 caller[0].permission_sets[0]: `app-only` is not known | did you mean `app_only`? known are `app_only`, `read`, `write`, `read_and_sf_access`, `write_and_sf_access`",
    ),
    (
        "namespaces = []",
        "8:14 caller[0].namespaces: is empty | leave the key out to allow any",
    ),
    (
        "namespaces = [\"\", \"*\", \".*\", \"crm*\", \"a*b\", \"a\\u0000\"]",
        "8:15 caller[0].namespaces[0]: an empty text is not a namespace | a namespace has at least one character and no control character\n8:19 caller[0].namespaces[1]: `*` would be any namespace | leave the key out to allow any\n8:24 caller[0].namespaces[2]: `.*` is neither a namespace nor a prefix | a prefix ends in `.*`, such as `crm.*`\n8:30 caller[0].namespaces[3]: `crm*` is neither a namespace nor a prefix | a prefix ends in `.*`, such as `crm.*`\n8:38 caller[0].namespaces[4]: `a*b` is neither a namespace nor a prefix | a prefix ends in `.*`, such as `crm.*`\n8:45 caller[0].namespaces[5]: `a\\0` is not a namespace | a namespace has at least one character and no control character",
    ),
    (
        "namespaces = [\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\", \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.*\"]",
        "8:15 caller[0].namespaces[0]: `aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa…` is too long | a namespace has at most 64 characters\n8:84 caller[0].namespaces[1]: `aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.…` is too long | a namespace has at most 64 characters",
    ),
    (
        "namespaces = [\"crm\", \"crm.*\", \"crm\"]",
        "8:31 caller[0].namespaces[2]: is the same as on line 8 | each must be there once: change this one or leave it out",
    ),
    (
        "keys = []",
        "8:8 caller[0].keys: is empty | leave the key out to allow any",
    ),
    (
        "keys = [\"\", \"*\", \"tier*\", 7]",
        "8:9 caller[0].keys[0]: an empty text is not a key | a key has at least one character and no control character\n8:13 caller[0].keys[1]: `*` would be any key | leave the key out to allow any\n8:18 caller[0].keys[2]: `tier*` is neither a key nor a prefix | a prefix ends in `.*`, such as `tier.*`\n8:27 caller[0].keys[3]: expected a key, found an integer",
    ),
    (
        "customers = []",
        "8:13 caller[0].customers: is empty | leave the key out to allow every customer",
    ),
    (
        "customers = 7",
        "8:13 caller[0].customers: expected an array, found an integer | write brackets, even round a single entry: `[...]`",
    ),
    (
        "customers = [0, -7, 9223372036854775808, true]",
        "8:14 caller[0].customers[0]: `0` is not within 1 to 9223372036854775807\n8:17 caller[0].customers[1]: `-7` is not within 1 to 9223372036854775807\n8:21 caller[0].customers[2]: `9223372036854775808` is not within 1 to 9223372036854775807\n8:42 caller[0].customers[3]: expected a customer's id or a range, found a boolean | write an id without quotes, such as `42`, or both ends of a range in quotes: `\"1000-1999\"`",
    ),
    (
        "customers = [\"42\", \"1 - 2\", \"01-2\", \"2-1\"]",
        "8:14 caller[0].customers[0]: `42` is not a range of customers' ids | write an id without quotes, such as `42`, or both ends of a range in quotes: `\"1000-1999\"`\n8:20 caller[0].customers[1]: `1 - 2` is not a range of customers' ids | write an id without quotes, such as `42`, or both ends of a range in quotes: `\"1000-1999\"`\n8:29 caller[0].customers[2]: `01-2` is not a range of customers' ids | write an id without quotes, such as `42`, or both ends of a range in quotes: `\"1000-1999\"`\n8:37 caller[0].customers[3]: `2-1` ends before it begins | write the smaller id first",
    ),
    (
        "enforcement = \"reports\"",
        "8:15 caller[0].enforcement: `reports` is not known | did you mean `report`? known are `enforce`, `report`",
    ),
    (
        "customers = [7, 1000-1999]",
        "8:17 : invalid date, expected `-` (MM-DD) | numbers and a dash are a date in TOML: put anything else in quotes, such as the range `\"1000-1999\"`",
    ),
    (
        "customers = [7, \"5-9\", \"9-12\", 7, \"1-4\"]",
        "8:17 caller[0].customers[1]: holds customers that are on line 8 too | each must be there once: let the ranges not overlap\n8:32 caller[0].customers[3]: holds customers that are on line 8 too | each must be there once: let the ranges not overlap",
    ),
    (
        "batch_items = 0",
        "8:15 caller[0].batch_items: `0` is not within 1 to 10000",
    ),
    (
        "batch_items = 251",
        "8:15 caller[0].batch_items: 251 is more than `limits.batch_items`, 250 | a grant only takes away: leave the key out to allow as many",
    ),
    (
        "require = []",
        "8:11 caller[0].require: is empty | leave the key out to allow updates that leave fields out",
    ),
    (
        "require = [\"permission_sets\", \"key\", \"key\"]",
        "8:12 caller[0].require[0]: `permission_sets` is not known | did you mean `permission_set`? known are `permission_set`, `namespace`, `key`\n8:38 caller[0].require[2]: is the same as on line 8 | each must be there once: change this one or leave it out",
    ),
    (
        "[[caller]]\nname = \"app\"\ntoken_sha256 = [\"1111111111111111111111111111111111111111111111111111111111111111\"]\nscopes = [\"store_v2_customers\"]",
        "9:8 caller[1].name: is the same as on line 5 | each must be there once: change this one or leave it out",
    ),
    (
        "[[caller]]\nname = \"b c\"\ntoken_sha256 = []\nscopes = []",
        "9:8 caller[1].name: `b c` is not a caller's name | a name is 1 to 64 letters, digits, `_`, `.` or `-`\n10:16 caller[1].token_sha256: is empty | it is the SHA-256 of the token in 64 hex digits, not the token: `metafield-gateway token` prints both\n11:10 caller[1].scopes: is empty | name at least one scope",
    ),
    (
        "[[caller]]\nname = \"b\"\ntoken_sha256 = [\"0000000000000000000000000000000000000000000000000000000000000000\"]\nscopes = [\"store_v2_customers\"]",
        "10:17 caller[1].token_sha256[0]: is the same as on line 6 | every token belongs to one caller and is listed once",
    ),
    (
        "[[caller]]\nname = \"b\"\ntoken_sha256 = [\n\"AA11111111111111111111111111111111111111111111111111111111111111\",\n\"aa11111111111111111111111111111111111111111111111111111111111111\"]\nscopes = [\"store_v2_customers\"]",
        "12:1 caller[1].token_sha256[1]: is the same as on line 11 | every token belongs to one caller and is listed once",
    ),
    (
        "[[caller]]\nname = \"b\"\ntoken_sha256 = [\"123\", \"+111111111111111111111111111111111111111111111111111111111111111\"]\nscopes = [\"store_v2_customer\", \"store_warehouses\", \"store_v2_customers_read\"]",
        "10:17 caller[1].token_sha256[0]: is not 64 hex digits | it is the SHA-256 of the token in 64 hex digits, not the token: `metafield-gateway token` prints both\n10:24 caller[1].token_sha256[1]: is not 64 hex digits | it is the SHA-256 of the token in 64 hex digits, not the token: `metafield-gateway token` prints both\n11:11 caller[1].scopes[0]: `store_v2_customer` is not known | did you mean `store_v2_customers`? known are `store_v2_customers`, `store_v2_customers_read_only`, `store_stored_payment_instruments`, `store_stored_payment_instruments_read_only`\n11:32 caller[1].scopes[1]: `store_warehouses` is not known | known are `store_v2_customers`, `store_v2_customers_read_only`, `store_stored_payment_instruments`, `store_stored_payment_instruments_read_only`\n11:52 caller[1].scopes[2]: `store_v2_customers_read` is not known | did you mean `store_v2_customers_read_only`? known are `store_v2_customers`, `store_v2_customers_read_only`, `store_stored_payment_instruments`, `store_stored_payment_instruments_read_only`",
    ),
    (
        "[[caller]]\nname = \"b\"\ntoken_sha256 = [\"1111111111111111111111111111111111111111111111111111111111111111\"]\nscopes = [\"store_v2_customers_read_only\"]\noperations = [\"get\", \"update\"]",
        "12:22 caller[1].operations[1]: `update` is opened by none of the caller's scopes | it needs `store_v2_customers`",
    ),
    (
        "[[caller]]\nname = \"b\"\ntoken_sha256 = [\"1111111111111111111111111111111111111111111111111111111111111111\"]\nscopes = [\"store_stored_payment_instruments\"]\noperations = [\"list\"]",
        "12:15 caller[1].operations[0]: `list` is opened by none of the caller's scopes | it needs `store_v2_customers` or `store_v2_customers_read_only`",
    ),
    (
        "[[caller]]\nname = \"\"\ntoken_sha256 = \"1111111111111111111111111111111111111111111111111111111111111111\"\nscopes = [\"store_v2_customers\"]",
        "9:8 caller[1].name: an empty text is not a caller's name | a name is 1 to 64 letters, digits, `_`, `.` or `-`\n10:16 caller[1].token_sha256: expected an array, found a string | write brackets, even round a single entry: `[...]`",
    ),
];

const SYNTAX: [(&str, &str); 8] = [
    (
        "workers",
        "1:8 : key with no value, expected `=` | the file is TOML: see https://toml.io/en/v1.0.0",
    ),
    (
        "workers =",
        "1:10 : string values must be quoted, expected literal string | the file is TOML: see https://toml.io/en/v1.0.0",
    ),
    (
        "workers = two",
        "1:11 : invalid boolean, expected `true` | the file is TOML: see https://toml.io/en/v1.0.0",
    ),
    (
        "workers = \"2",
        "1:13 : invalid basic string, expected `\"` | the file is TOML: see https://toml.io/en/v1.0.0",
    ),
    (
        "workers = 2\nworkers = 3",
        "2:1 : duplicate key | a key or a `[table]` may stand once; keys of one table belong together",
    ),
    (
        "[listen\naddress = 1",
        "1:8 : unclosed table, expected `]` | the file is TOML: see https://toml.io/en/v1.0.0",
    ),
    (
        "[listen]\n[listen]\naddress = 1",
        "2:2 : duplicate key | a key or a `[table]` may stand once; keys of one table belong together\n3:11 listen.address: expected an address, found an integer | such as `\"127.0.0.1:8080\"`",
    ),
    (
        "= 3\nworkers = 0",
        "1:1 : unquoted keys cannot be empty, expected letters, numbers, `-`, `_` | the file is TOML: see https://toml.io/en/v1.0.0\n2:11 workers: `0` is not within 1 to 64",
    ),
];

/// A store's quota, what stands below a caller, and what is said.
const QUOTAS: [(&str, &str, &str); 22] = [
    (
        "quota = 150",
        "",
        "4:9 store[0].quota: expected a table, found an integer | write `quota = { requests = 150, per = \"30s\" }`, as BigCommerce lists it for the store's plan",
    ),
    (
        "quota = {}",
        "",
        "4:9 store[0].quota.requests: is missing | write `quota = { requests = 150, per = \"30s\" }`, as BigCommerce lists it for the store's plan\n4:9 store[0].quota.per: is missing | write `quota = { requests = 150, per = \"30s\" }`, as BigCommerce lists it for the store's plan",
    ),
    (
        "quota = { requests = 0, per = \"30s\" }",
        "",
        "4:22 store[0].quota.requests: `0` is not within 1 to 1000000",
    ),
    (
        "quota = { requests = 1000001, per = \"30s\" }",
        "",
        "4:22 store[0].quota.requests: `1000001` is not within 1 to 1000000",
    ),
    (
        "quota = { requests = -5, per = \"30s\" }",
        "",
        "4:22 store[0].quota.requests: `-5` is not within 1 to 1000000",
    ),
    (
        "quota = { requests = 150, per = \"0s\" }",
        "",
        "4:33 store[0].quota.per: must be longer than nothing",
    ),
    (
        "quota = { requests = 150, per = \"10ms\" }",
        "",
        "4:33 store[0].quota.per: `10ms` is not within `1s` to `1h`",
    ),
    (
        "quota = { requests = 150, per = \"2h\" }",
        "",
        "4:33 store[0].quota.per: `2h` is not within `1s` to `1h`",
    ),
    (
        "quota = { requests = 150, per = 30 }",
        "",
        "4:33 store[0].quota.per: expected a duration, found an integer | a duration is a number and `us`, `ms`, `s`, `m` or `h`, in quotes, such as `\"2.5s\"`",
    ),
    (
        "quota = { requests = 150, per = \"30s\", keep_free = 150 }",
        "",
        "4:52 store[0].quota.keep_free: leaves the callers nothing of 150 requests | it is what of each window belongs to the store's other apps",
    ),
    (
        "quota = { requests = 150, per = \"30s\", keepfree = 15 }",
        "",
        "4:40 store[0].quota.keepfree: unknown key | did you mean `keep_free`?",
    ),
    (
        "quota = { requests = 150, per = \"30s\", keep_free = 100 }",
        "guaranteed = 51",
        "4:9 store[0].quota: is less than what its callers are guaranteed: 51 = 51, of 150 - 100 = 50 | lower `guaranteed` of some callers, or take the store out of their `stores`",
    ),
    (
        "",
        "weight = 0",
        "9:10 caller[0].weight: `0` is not within 1 to 1000",
    ),
    (
        "",
        "weight = 1001",
        "9:10 caller[0].weight: `1001` is not within 1 to 1000",
    ),
    (
        "",
        "guaranteed = -1",
        "9:14 caller[0].guaranteed: `-1` is not within 0 to 1000000",
    ),
    (
        "",
        "concurrency = 0",
        "9:15 caller[0].concurrency: `0` is not within 1 to 1000000",
    ),
    (
        "",
        "max_wait = 2",
        "9:12 caller[0].max_wait: expected a duration, found an integer | a duration is a number and `us`, `ms`, `s`, `m` or `h`, in quotes, such as `\"2.5s\"`",
    ),
    (
        "",
        "max_wait = \"6.5s\"",
        "9:12 caller[0].max_wait: is not shorter than `upstream.deadline`, `6500ms` | a request waits within its deadline, and must have time left to be sent",
    ),
    (
        "",
        "rate_limit = \"60/s\"",
        "9:14 caller[0].rate_limit: expected a table, found a string | write `rate_limit = { requests = 60, per = \"30s\" }`",
    ),
    (
        "",
        "rate_limit = { requests = 0, per = \"1s\" }",
        "9:27 caller[0].rate_limit.requests: `0` is not within 1 to 1000000",
    ),
    (
        "",
        "rate_limit = { requests = 5, per = \"1s\", burst = 0 }",
        "9:50 caller[0].rate_limit.burst: `0` is not within 1 to 1000000",
    ),
    (
        "",
        "rate_limit = { requests = 5, per = \"1s\", batch_items = 0 }",
        "9:56 caller[0].rate_limit.batch_items: `0` is not within 1 to 1000000",
    ),
];

/// What stands in `[quota.shared]`, and what is said.
const SHARED: [(&str, &str); 10] = [
    (
        "",
        "1:1 quota.shared.url: is missing | write it as `rediss://redis.example:6379`",
    ),
    (
        "url = \"http://redis\"",
        "2:7 quota.shared.url: the scheme `http` is not known | known are `rediss` (with TLS) and `redis`",
    ),
    (
        "url = \"redis://user:secret@redis\"",
        "2:7 quota.shared.url: must not hold a user or a password | write `password_file = \"/run/secrets/redis-password\"` and `username`",
    ),
    (
        "url = \"redis://redis:6379\"",
        "2:7 quota.shared.url: would send password and counts without encryption to another machine | write `rediss://`, or set `allow_plaintext = true` if the way there is trusted",
    ),
    (
        "url = \"rediss://redis/x\"",
        "2:7 quota.shared.url: `x` is not the number of a database | write it as `rediss://redis.example:6379`",
    ),
    (
        "url = \"rediss://redis/1\"\ncluster = true",
        "2:7 quota.shared.url: names a database, and a cluster has none | write it as `rediss://redis.example:6379`",
    ),
    (
        "url = \"rediss://redis\"\npassword = \"secret\"",
        "3:1 quota.shared.password: unknown key | a password does not belong into this file: write `password_file`, and replace the one that stood here",
    ),
    (
        "url = \"rediss://redis\"\nusername = \"gateway\"",
        "3:12 quota.shared.username: is of no use without a password | write `password_file = \"/run/secrets/redis-password\"`",
    ),
    (
        "url = \"rediss://redis\"\nprefix = \"a{b}\"",
        "3:10 quota.shared.prefix: `a{b}` is not a prefix | it is 1 to 64 letters, digits, `_`, `.` or `-`",
    ),
    (
        "url = \"rediss://redis\"\nreplicas = 0\nhost = \"x\"",
        "3:12 quota.shared.replicas: `0` is not within 1 to 10000\n4:1 quota.shared.host: unknown key | it belongs into `url`; of a cluster, one node is enough",
    ),
];
