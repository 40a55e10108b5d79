//! The same table through `explain`, which must say what the gateway decides: by the library, by the program,
//! and beside a real gateway.

use super::*;
use crate::support::client::Request;
use crate::support::fake::Fake;
use crate::support::gateway::{Folder, Setup, token_sha256};
use crate::support::process::run;
use metafield_gateway::cli::explain::{Asked, Condition, Explanation, Mark, explain};

fn explained(case: &Case, policy: &Policy) -> Explanation {
    let (method, target) = target(case);
    let asked = Asked {
        method,
        target: &target,
        body: case.body.as_bytes(),
    };
    explain(policy, 0, &asked)
}

/// The outcome in the table's words.
fn outcome(explanation: &Explanation) -> String {
    match (&explanation.outcome, &explanation.condition) {
        (Err(denial), _) => told(denial),
        (Ok(()), None) => "allowed".to_owned(),
        (Ok(()), Some(Condition::Answer)) => "if its answer is within".to_owned(),
        (Ok(()), Some(_)) => "if its owners are within".to_owned(),
    }
}

#[test]
fn explain_says_what_is_decided_and_at_which_step() {
    for case in CASES {
        for more in ["", "enforcement = \"report\""] {
            let policy = policy(case, more);
            let explanation = explained(case, &policy);
            let (decision, reported) = decided(case, &policy);
            assert_eq!(outcome(&explanation), decision, "{case:?}");
            if decision == "allowed" {
                let told = explanation.reported.code().map(Code::as_str);
                assert_eq!(told, reported, "{case:?}");
            }
            let marks: Vec<Mark> = explanation.steps.iter().map(|step| step.mark).collect();
            let denied = marks.iter().position(|mark| *mark == Mark::Denied);
            assert_eq!(denied.is_some(), explanation.outcome.is_err(), "{case:?}");
            if let Some(at) = denied {
                assert!(
                    marks[at + 1..].iter().all(|mark| *mark == Mark::NotReached),
                    "{case:?}"
                );
                assert!(!marks[..at].contains(&Mark::NotReached), "{case:?}");
            } else {
                let is_reported = marks.contains(&Mark::Reported);
                assert_eq!(
                    is_reported,
                    explanation.reported.code().is_some(),
                    "{case:?} {marks:?}"
                );
            }
        }
    }
}

#[test]
fn a_real_gateway_answers_as_is_explained() {
    let upstream = Fake::good();
    for case in CASES.iter().filter(|case| !case.grants.contains("scopes")) {
        let policy = policy(case, "");
        let explanation = explained(case, &policy);
        if explanation.condition.is_some() {
            continue;
        }
        let grants = case
            .grants
            .replace("; ", "\n")
            .replace("\"def456\"", "\"other1\"");
        let (lines, grants): (Vec<&str>, Vec<&str>) =
            grants.lines().partition(|line| line.starts_with("policy."));
        let digest = token_sha256("canary-token-of-a-case");
        let gateway = Setup::new(upstream.address)
            .with(&lines.join("\n"))
            .with(&format!(
                "[[caller]]\nname = \"app\"\ntoken_sha256 = [\"{digest}\"]\nscopes = [\"store_v2_customers\"]\n{}",
                grants.join("\n")
            ))
            .start();
        let (method, target) = target(case);
        let target = target.replace("def456", "other1");
        let request =
            Request::new(method, &target).instead("X-Auth-Token", "canary-token-of-a-case");
        let request = match case.body {
            "" => request,
            body => request.json(body),
        };
        let answer = gateway.exchange(&request);
        let expected = explanation
            .outcome
            .as_ref()
            .err()
            .map(|denial| denial.code().as_str());
        if method != "HEAD" {
            assert_eq!(answer.code(), expected, "{case:?}");
        }
    }
}

/// Runs the program on a case; the credential that its configuration names does not exist.
fn by_program(case: &Case, more: &[&str]) -> (Option<i32>, String, String) {
    let folder = Folder::new();
    let config = folder.write("gateway.toml", configuration(case, ""));
    let body = folder.write("body.json", case.body);
    let (method, target) = target(case);
    let (config, body) = (
        config.to_str().expect("UTF-8"),
        body.to_str().expect("UTF-8"),
    );
    let mut arguments = vec![
        "explain", "--config", config, "--method", method, "--path", &target,
    ];
    if !case.body.is_empty() {
        arguments.extend(["--body", body]);
    }
    arguments.extend(more);
    let ended = run(&arguments);
    (ended.code, ended.stdout, ended.stderr)
}

#[test]
fn the_program_explains_and_its_exit_code_tells() {
    for case in CASES.iter().step_by(3) {
        let (code, stdout, stderr) = by_program(case, &["--caller", "app"]);
        let word = case.outcome.split(' ').next().expect("a word");
        let (expected, told) = match word {
            "allowed" | "if" => (0, "\nallowed".to_owned()),
            code => (3, format!(" {code}\n")),
        };
        assert_eq!(code, Some(expected), "{case:?} {stdout}{stderr}");
        assert!(stdout.contains(&told), "{case:?} {stdout}");
        assert_eq!(stderr, "");
    }
    let case = &CASES[0];
    let (code, stdout, stderr) = by_program(case, &["--caller", "ap"]);
    assert_eq!((code, stdout.as_str()), (Some(2), ""));
    assert!(stderr.contains("did you mean `app`?"), "{stderr}");
    let (code, _, stderr) = by_program(case, &["--caller", "app", "--method", "PUT"]);
    assert_eq!(code, Some(2), "{stderr}");
}

#[test]
fn who_could_see_the_field_is_told_in_bigcommerces_terms() {
    let case = |body| Case {
        grants: "",
        request: "PUT 7/metafields/9",
        body,
        outcome: "allowed",
    };
    for (body, parts) in [
        (
            r#"{"permission_set":"app_only"}"#,
            [
                "who may read it    app",
                "store            none: app_only",
                "storefront                             no",
            ],
        ),
        (
            r#"{"permission_set":"write_and_sf_access"}"#,
            [
                "who may change it  app",
                "may read and write it",
                "storefront                             may read it",
            ],
        ),
        (
            "{}",
            [
                "who may change it  app",
                "does not name permission_set",
                "storefront                             as before",
            ],
        ),
    ] {
        let (_, stdout, _) = by_program(&case(body), &["--caller", "app"]);
        for part in parts {
            assert!(stdout.contains(part), "{part}: {stdout}");
        }
    }
}

/// The callers of a configuration with two teams, as `explain` names them after an update by `app`.
fn with_teams(grants: &str, body: &str) -> String {
    let folder = Folder::new();
    let digest = |number: usize| format!("{number:064}");
    let caller = |number, name: &str, grants: &str| {
        format!(
            "[[caller]]\nname = \"{name}\"\ntoken_sha256 = [\"{}\"]\nscopes = [\"store_v2_customers\"]\n{grants}\n",
            digest(number)
        )
    };
    let text = [
        "[[store]]\nhash = \"abc123\"\ncredential = { file = \"absent\" }\n".to_owned(),
        caller(1, "app", grants),
        caller(2, "erp", "namespaces = [\"erp\"]"),
        caller(3, "both", "namespaces = [\"crm.eu\", \"erp\"]"),
        caller(4, "free", ""),
        caller(5, "lister", "operations = [\"list\"]"),
    ]
    .concat();
    let config = folder.write("gateway.toml", text);
    let body = folder.write("body.json", body);
    let ended = run(&[
        "explain",
        "--config",
        config.to_str().expect("UTF-8"),
        "--caller",
        "app",
        "--method",
        "PUT",
        "--path",
        "/stores/abc123/v3/customers/7/metafields/9",
        "--body",
        body.to_str().expect("UTF-8"),
    ]);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    ended.stdout
}

#[test]
fn who_could_reach_the_field_follows_from_what_is_known_of_it() {
    let crm = "namespaces = [\"crm\", \"crm.*\"]";
    for (grants, body, readers, changers) in [
        // It is in a namespace of the caller's, and which one is not known.
        (
            crm,
            "{}",
            "app, free, lister; and if it is within their grants: both",
            "app, free; and if it is within their grants: both",
        ),
        (
            crm,
            r#"{"namespace":"crm.eu"}"#,
            "app, both, free, lister",
            "app, both, free",
        ),
        (
            crm,
            r#"{"namespace":"crm"}"#,
            "app, free, lister",
            "app, free",
        ),
        // Nothing is known of it.
        (
            "",
            "{}",
            "app, free, lister; and if it is within their grants: erp, both",
            "app, free; and if it is within their grants: erp, both",
        ),
    ] {
        let told = with_teams(grants, body);
        assert!(
            told.contains(&format!("who may read it    {readers}\n")),
            "{told}"
        );
        assert!(
            told.contains(&format!("who may change it  {changers}\n")),
            "{told}"
        );
    }
}

#[test]
fn what_is_only_reported_is_no_condition() {
    let told = with_teams("namespaces = [\"crm\"]\nenforcement = \"report\"", "{}");
    assert!(
        told.contains("\nallowed; reported if the metafield is not in the namespaces crm"),
        "{told}"
    );
    // So that nothing is known of it.
    assert!(told.contains("within their grants: erp, both"), "{told}");
}

/// Grants, request and body, and what stands in the steps.
#[rustfmt::skip]
const STEPS: [(&str, &str, &str, &[&str]); 7] = [
    (r#"scopes = ["store_v2_customers_read_only"]"#, "PUT 7/metafields/9", "{}", &[
        "DENIED       scopes            update needs store_v2_customers; the caller has store_v2_customers_read_only",
    ]),
    ("", "PUT 7/metafields/9", r#"{"value":"v","value":"w"}"#, &[
        "DENIED       json              the key `value` stands twice in one JSON object",
        "not reached  fields\n",
    ]),
    (r#"permission_sets = ["read"]"#, "PUT 7/metafields/9", r#"{"permission_set":"write"}"#, &[
        "DENIED       grants on fields  permission_set: the caller is granted read",
    ]),
    (r#"namespaces = ["crm"]; customers = [7]"#, "GET 7/metafields?namespace=erp", "", &[
        "ok           customers         7; granted: 7",
        "DENIED       namespaces        namespace=erp; granted: crm",
        "the query names a namespace outside the caller's grant",
    ]),
    ("", "GET 7/metafields", "", &["ok           json              does not apply: list takes no body"]),
    ("", "put 7/metafields/9", "{}", &[
        "DENIED       method            this path takes",
        "hint: methods are written in capitals, as in `--method PUT`",
    ]),
    ("", "PUT 7/metafields/9", "", &["hint: give the body with `--body FILE`, or `--body -` for standard input"]),
];

#[test]
fn a_denied_step_tells_the_fault_and_the_others_what_was_compared() {
    for (grants, request, body, lines) in STEPS {
        let case = Case {
            grants,
            request,
            body,
            outcome: "",
        };
        let (_, stdout, _) = by_program(&case, &["--caller", "app"]);
        for line in lines {
            assert!(stdout.contains(line), "{line}: {stdout}");
        }
    }
}

#[test]
fn a_url_is_no_path() {
    let folder = Folder::new();
    let config = folder.write("gateway.toml", configuration(&CASES[0], ""));
    let config = config.to_str().expect("UTF-8");
    let explained = |path: &str| {
        let asked = ["--caller", "app", "--method", "GET", "--path", path];
        run(&[&["explain", "--config", config], &asked[..]].concat())
    };
    let url = explained("https://api.bigcommerce.com/stores/abc123/v3/customers/metafields");
    assert_eq!((url.code, url.stdout.as_str()), (Some(2), ""));
    let hint = "hint: --path '/stores/abc123/v3/customers/metafields'";
    assert!(url.stderr.contains(hint), "{}", url.stderr);
    let short = explained("/customers/metafields");
    assert_eq!(short.code, Some(3));
    let hint = "hint: a path begins with `/stores/{store_hash}/v3/customers`";
    assert!(short.stdout.contains(hint), "{}", short.stdout);
}

#[test]
fn a_signed_token_may_bring_scopes_of_its_own() {
    let folder = Folder::new();
    let text = "[[store]]\nhash = \"abc123\"\ncredential = { file = \"absent\" }\n\
        [[issuer]]\nname = \"idp\"\nissuer = \"https://idp.example\"\naudience = \"gateway\"\n\
        jwks = { file = \"absent\" }\nscope_claim = \"scp\"\n\
        [[caller]]\nname = \"app\"\nsigned_token = { issuer = \"idp\", subject = \"app\" }\n\
        scopes = [\"store_v2_customers\"]\n";
    let config = folder.write("gateway.toml", text);
    let config = config.to_str().expect("UTF-8");
    let target = "/stores/abc123/v3/customers/7/metafields/9";
    let ended = run(&[
        "explain", "--config", config, "--caller", "app", "--method", "DELETE", "--path", target,
    ]);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    let told =
        "\nallowed\n  with a signed token: only if a scope in its claim `scp` opens delete too\n";
    assert!(ended.stdout.contains(told), "{}", ended.stdout);
}
