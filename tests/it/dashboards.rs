//! The alerts of `deploy/prometheus` and the dashboard of `deploy/grafana`: each metric, label and code that they name
//! is there, Prometheus reads their expressions, and the alerts fire when they should and not otherwise.

use crate::support::client::Request;
use crate::support::fake::Fake;
use crate::support::gateway::{Folder, Gateway, READER, Setup};
use crate::support::http1::json;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const PREFIX: &str = "metafield_gateway_";
/// Labels that Prometheus adds.
const ADDED: [&str; 3] = ["instance", "job", "le"];

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join(path)).expect("a file of the project")
}

/// A gateway that shows every metric it has.
fn with_everything(upstream: &Fake) -> Gateway {
    let setup = Setup::new(upstream.address)
        .with("admin.address = \"127.0.0.1:0\"")
        .with("quota.shared = { url = \"redis://127.0.0.1:1\" }")
        .with("[[issuer]]\nname = \"idp\"\nissuer = \"https://idp\"\naudience = \"a\"\njwks = { file = \"jwks.json\" }\nalgorithms = [\"EdDSA\"]")
        .with("[[caller]]\nname = \"signed\"\nsigned_token = { issuer = \"idp\", subject = \"s\" }\nscopes = [\"store_v2_customers\"]")
        .with("[[caller]]\nname = \"told\"\ntoken_sha256 = [\"00000000000000000000000000000000000000000000000000000000000000aa\"]\noperations = [\"get\"]\nenforcement = \"report\"\nscopes = [\"store_v2_customers\"]");
    setup.folder.write("jwks.json", JWKS);
    let text = setup.text().replace(
        "hash = \"abc123\"\n",
        "hash = \"abc123\"\nquota = { requests = 200, per = \"600s\" }\n",
    );
    let gateway = setup.start_with(&text);
    let mut client = gateway.connect();
    client.exchange(&Request::update("{}"));
    client.exchange(&Request::update("{}").instead("X-Auth-Token", READER));
    gateway
}

/// An Ed25519 key, that of RFC 8037, appendix A.2.
const JWKS: &str = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"1","use":"sig","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

/// The samples of a gateway: each name with its labels and their values.
fn samples(gateway: &Gateway) -> BTreeMap<String, BTreeMap<String, BTreeSet<String>>> {
    let mut all: BTreeMap<String, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
    let answer = gateway.admin("/metrics");
    for line in answer.text().lines() {
        if let Some(name) = line.strip_prefix("# TYPE ") {
            // A family without a sample yet has its type.
            let (name, kind) = name.split_once(' ').expect("a type");
            let endings: &[&str] = match kind {
                "counter" => &["_total"],
                "histogram" => &["_bucket", "_sum", "_count"],
                "info" => &["_info"],
                _ => &[""],
            };
            for ending in endings {
                all.entry(format!("{name}{ending}")).or_default();
            }
        } else if let Some((name, labels)) = line.split_once('{') {
            let labels = labels.rsplit_once('}').expect("the end").0;
            let known = all.entry(name.to_owned()).or_default();
            for label in labels.split("\",").filter(|label| !label.is_empty()) {
                let (label, value) = label.split_once("=\"").expect("a label");
                let values = known.entry(label.to_owned()).or_default();
                values.insert(value.trim_end_matches('"').to_owned());
            }
        }
    }
    all
}

/// The expressions of the alerts, and of the dashboard with its variables filled in.
fn expressions() -> Vec<String> {
    let mut found = Vec::new();
    let alerts = read("deploy/prometheus/alerts.yaml");
    let mut lines = alerts.lines().peekable();
    while let Some(line) = lines.next() {
        let Some(expression) = line.trim().strip_prefix("expr: ") else {
            continue;
        };
        let mut expression = expression.trim_start_matches('|').to_owned();
        while let Some(more) = lines.next_if(|line| line.starts_with("          ")) {
            write!(expression, " {}", more.trim()).expect("a string");
        }
        found.push(expression);
    }
    let dashboard = json(read("deploy/grafana/metafield-gateway.json").as_bytes());
    for panel in dashboard["panels"].as_array().expect("panels") {
        let targets = panel["targets"].as_array();
        for target in targets.into_iter().flatten() {
            let expression = target["expr"].as_str().expect("an expression");
            found.push(
                expression
                    .replace("$__rate_interval", "5m")
                    .replace("$instance", ".*"),
            );
        }
    }
    assert!(found.len() > 60, "{}", found.len());
    found
}

/// The metrics that an expression names, each with what it wants of labels.
fn named(expression: &str) -> Vec<(String, Vec<(String, String)>)> {
    let mut found = Vec::new();
    let mut rest = expression;
    while let Some((_, after)) = rest.split_once(PREFIX) {
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let end = after.find(|c| !is_name(c)).unwrap_or(after.len());
        let (name, after) = after.split_at(end);
        let name = format!("{PREFIX}{name}");
        rest = after;
        let mut labels = Vec::new();
        if let Some(matchers) = rest.strip_prefix('{') {
            let (matchers, _) = matchers.split_once('}').expect("the end");
            for matcher in matchers.split(',') {
                let (label, value) = matcher.split_once('=').expect("a matcher");
                let value = value.trim_matches(['~', '"']);
                labels.push((label.trim_end_matches('!').to_owned(), value.to_owned()));
            }
        }
        found.push((name, labels));
    }
    found
}

#[test]
fn what_they_name_is_there() {
    let upstream = Fake::good();
    let gateway = with_everything(&upstream);
    let samples = samples(&gateway);
    let mut unused: BTreeSet<&String> = samples.keys().collect();
    for expression in expressions() {
        for (name, labels) in named(&expression) {
            let known = samples
                .get(&name)
                .unwrap_or_else(|| panic!("{name}: {expression}"));
            unused.remove(&name);
            for (label, value) in labels {
                if ADDED.contains(&&*label) {
                    continue;
                }
                let values = known.get(&label);
                let values =
                    values.unwrap_or_else(|| panic!("{name} has no {label}: {expression}"));
                for wanted in value.split('|') {
                    let fits = |value: &String| match wanted.strip_suffix(".*") {
                        Some(start) => value.starts_with(start),
                        None => value == wanted,
                    };
                    assert!(
                        values.iter().any(fits),
                        "{name} {label}={wanted}: {values:?}"
                    );
                }
            }
        }
    }
    unused.retain(|name| {
        let is_part = ["_sum", "_count"].iter().any(|end| name.ends_with(end));
        // A gauge of the configuration's, and one that a chart of 0 or 1 shows nothing of.
        !is_part && !name.ends_with("_workers") && !name.ends_with("_quota_told")
    });
    assert_eq!(unused, BTreeSet::new(), "the dashboard shows every metric");
}

/// What promtool says.
fn promtool(folder: &Folder, arguments: &[&str]) -> String {
    let output = Command::new("promtool")
        .args(arguments)
        .current_dir(folder.path())
        .output()
        .unwrap_or_else(|error| {
            panic!("this test needs `promtool`: install `prometheus`: {error}")
        });
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let said = text(&output.stdout) + &text(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {said}");
    said
}

#[test]
fn prometheus_reads_every_expression() {
    let folder = Folder::new();
    folder.write("alerts.yaml", read("deploy/prometheus/alerts.yaml"));
    let said = promtool(&folder, &["check", "rules", "alerts.yaml"]);
    print!("{said}");
    assert!(said.contains("19 rules found"), "{said}");
    let mut rules = "groups:\n- name: dashboard\n  rules:\n".to_owned();
    for (number, expression) in expressions().iter().enumerate() {
        let expression = serde_json::Value::from(expression.as_str());
        writeln!(rules, "  - {{ record: r{number}, expr: {expression} }}").expect("a string");
    }
    folder.write("dashboard.yaml", rules);
    promtool(&folder, &["check", "rules", "dashboard.yaml"]);
}

#[test]
fn each_alert_fires_when_it_should_and_none_while_all_is_well() {
    let folder = Folder::new();
    let (alerts, cases) = (
        read("deploy/prometheus/alerts.yaml"),
        read("tests/prometheus/alerts.yaml"),
    );
    // Promtool compares the texts too, which are for people.
    let mut rules = String::new();
    let mut is_text = false;
    for line in alerts.lines() {
        is_text = line.trim() == "annotations:" || (is_text && line.starts_with("          "));
        if !is_text {
            rules.push_str(line);
            rules.push('\n');
        }
    }
    let names: Vec<&str> = alerts
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "))
        .collect();
    for name in &names {
        let fires = format!("alertname: {name}, exp_alerts: [{{");
        let rests = format!("alertname: {name}, exp_alerts: []");
        assert!(cases.contains(&fires) && cases.contains(&rests), "{name}");
    }
    folder.write("rules.yaml", rules);
    folder.write("cases.yaml", cases);
    promtool(&folder, &["test", "rules", "cases.yaml"]);
}
