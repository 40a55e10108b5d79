//! One token in one header field, or none of the answer's business (contract section 2).

use super::{Case, check, columns};
use crate::support::client::{CUSTOMER, ONE, Request};
use crate::support::gateway::WRITER;

/// Field lines are parted by ` | `; `WRITER` stands for the writer's token.
const FIELDS: &str = "
    401 missing_token         Accept: */*
    401 missing_token         X-Auth-Client: WRITER
    401 missing_token         X-Auth: WRITER
    401 missing_token         X_Auth_Token: WRITER
    401 missing_token         Cookie: X-Auth-Token=WRITER
    401 missing_token         Proxy-Authorization: Bearer WRITER
    401 missing_token         Authorization: Basic dXNlcjpwYXNzd29yZDEyMw==
    401 missing_token         Authorization: Digest username=WRITER
    401 missing_token         Authorization: Token WRITER
    401 missing_token         Authorization: WRITER
    401 missing_token         Authorization: Bearer
    401 missing_token         Authorization: BearerWRITER
    401 missing_token         Authorization: Bearer=WRITER
    401 missing_token         Authorization: Bearer, WRITER
    401 missing_token         Authorization:
    401 invalid_token         X-Auth-Token:
    401 invalid_token         X-Auth-Token: canary-15-chars
    401 invalid_token         Authorization: Bearer canary-15-chars
    401 invalid_token         X-Auth-Token: canary-token of-writer
    401 invalid_token         X-Auth-Token: Bearer WRITER
    401 invalid_token         Authorization: Bearer WRITER WRITER
    401 invalid_token         Authorization: Bearer Bearer WRITER
    401 invalid_token         X-Auth-Token: canary-token-of-writér
    401 invalid_token         X-Auth-Token: canary-token-of-writer\u{1f600}
    401 unknown_token         X-Auth-Token: canary-token-of-nobody
    401 unknown_token         Authorization: Bearer canary-token-of-nobody
    401 unknown_token         X-Auth-Token: canary-token-of-write
    401 unknown_token         X-Auth-Token: canary-token-of-writer1
    401 unknown_token         X-Auth-Token: CANARY-TOKEN-OF-WRITER
    401 unknown_token         X-Auth-Token: canary-credential-5f1e0c4d
    401 unknown_token         X-Auth-Token: WRITER,WRITER
    401 unknown_token         X-Auth-Token: \"WRITER\"
    401 unknown_token         Authorization: Bearer WRITER,
    400 ambiguous_credentials X-Auth-Token: WRITER | X-Auth-Token: WRITER
    400 ambiguous_credentials X-Auth-Token: WRITER | x-auth-token: canary-token-of-nobody
    400 ambiguous_credentials X-Auth-Token: WRITER | X-Auth-Token:
    400 ambiguous_credentials X-Auth-Token: WRITER | Authorization: Bearer WRITER
    400 ambiguous_credentials X-Auth-Token: WRITER | Authorization: Basic dXNlcjpwYXNz
    400 ambiguous_credentials X-Auth-Token: WRITER | Authorization:
    400 ambiguous_credentials X-Auth-Token: canary-token-of-nobody | Authorization: Bearer WRITER
    400 ambiguous_credentials Authorization: Bearer WRITER | Authorization: Bearer WRITER
    400 ambiguous_credentials Authorization: Bearer WRITER | Authorization: Basic dXNlcjpwYXNz
    400 ambiguous_credentials Authorization: Basic dXNlcjpwYXNz | Authorization: Digest a=b
";

#[test]
fn anything_but_one_known_token_is_refused() {
    let mut cases: Vec<Case> = columns(FIELDS)
        .map(|[status, code, fields]| {
            let begin = Request::update("{}").without("X-Auth-Token");
            let request = fields.split(" | ").fold(begin, |request, field| {
                let (name, value) = field.split_once(':').expect("a field");
                request.with(name, value.trim_start().replace("WRITER", WRITER).trim())
            });
            Case::new(status, code, &request)
        })
        .collect();
    let token = |length: usize| format!("canary-{}", "x".repeat(length - 7));
    for (length, code) in [
        (15, "invalid_token"),
        (16, "unknown_token"),
        (8192, "unknown_token"),
        (8193, "invalid_token"),
    ] {
        let request = Request::new("GET", ONE).instead("X-Auth-Token", &token(length));
        cases.push(Case::new("401", code, &request));
    }
    let head = Request::new("HEAD", CUSTOMER).without("X-Auth-Token");
    cases.push(Case::new("401", "missing_token", &head));
    let answers = check(|setup| setup, &cases);
    for (case, answer) in cases
        .iter()
        .zip(&answers)
        .filter(|(case, _)| case.status == 401)
    {
        let challenge = answer.field("www-authenticate").expect("a challenge");
        assert!(challenge.starts_with("Bearer realm="), "{}", case.title);
        let named = challenge.contains("error=\"invalid_token\"");
        assert_eq!(named, case.code != "missing_token", "{}", case.title);
    }
}

#[test]
fn an_unauthenticated_caller_learns_nothing_about_stores() {
    let paths = [
        "/stores/abc123/v3/customers/7/metafields/9",
        "/stores/nobody/v3/customers/7/metafields/9",
    ];
    for (token, code) in [
        (None, "missing_token"),
        (Some("canary-token-of-nobody"), "unknown_token"),
    ] {
        let cases = paths.map(|path| {
            let request = Request::new("GET", path).without("X-Auth-Token");
            let request = match token {
                Some(token) => request.with("X-Auth-Token", token),
                None => request,
            };
            Case::new("401", code, &request)
        });
        let answers = check(|setup| setup, &cases);
        let lasting = |answer: &crate::support::http1::Message| {
            let fields = answer.fields.clone().into_iter();
            let fields: Vec<_> = fields
                .filter(|(name, _)| !matches!(name.as_str(), "date" | "x-correlation-id"))
                .collect();
            (answer.start.clone(), fields, answer.body.clone())
        };
        assert_eq!(lasting(&answers[0]), lasting(&answers[1]));
    }
}
