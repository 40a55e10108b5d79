//! The same table through `explain`, which must say what the gateway decides: by the library, by the program,
//! and beside a real gateway.

use super::*;
use crate::support::client::Request;
use crate::support::fake::Fake;
use crate::support::gateway::{Folder, Setup, token_sha256};
use crate::support::process::run;
use metafield_gateway::cli::explain::{Asked, Explanation, Mark, explain};

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
        (Ok(()), Some(condition)) if condition.contains("answer") => {
            "if its answer is within".to_owned()
        }
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
