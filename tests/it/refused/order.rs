//! With several faults the first in the contract's order answers (section 4): every pair of faults,
//! and each fault together with all that come after it.

use super::{Case, check};
use crate::support::client::{CUSTOMER, ONE, Request};
use crate::support::gateway::{LIMITED, READER};

/// A way to be refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Target,
    Framing,
    Loop,
    Route,
    Method,
    TwoTokens,
    NoToken,
    UnknownToken,
    UnknownStore,
    Scope,
    Store,
    Operation,
    Query,
    Headers,
    Encoding,
    Media,
    Size,
    Json,
    Fields,
    Grants,
}

use Fault::{
    Encoding, Fields, Framing, Grants, Headers, Json, Loop, Media, Method, NoToken, Operation,
    Query, Route, Scope, Size, Store, Target, TwoTokens, UnknownStore, UnknownToken,
};

/// The faults in the order in which they answer.
const FAULTS: [(Fault, &str, &str); 20] = [
    (Target, "414", "target_too_long"),
    (Framing, "400", "malformed_request"),
    (Loop, "508", "loop_detected"),
    (Route, "404", "unknown_route"),
    (Method, "405", "method_not_allowed"),
    (TwoTokens, "400", "ambiguous_credentials"),
    (NoToken, "401", "missing_token"),
    (UnknownToken, "401", "unknown_token"),
    (UnknownStore, "404", "unknown_store"),
    (Scope, "403", "scope_denied"),
    (Store, "403", "store_denied"),
    (Operation, "403", "operation_denied"),
    (Query, "400", "unknown_query_key"),
    (Headers, "431", "headers_too_large"),
    (Encoding, "415", "unsupported_content_encoding"),
    (Media, "415", "unsupported_media_type"),
    (Size, "413", "body_too_large"),
    (Json, "400", "malformed_json"),
    (Fields, "422", "invalid_permission_set"),
    (Grants, "403", "namespace_denied"),
];

/// Faults that cannot stand in one request, because they are said in the same place.
const EXCLUDING: [&[Fault]; 3] = [
    &[TwoTokens, NoToken, UnknownToken, Scope],
    &[UnknownStore, Store],
    // An operation that is not granted is a create: it needs a set to be granted, and has no id.
    &[Operation, Json],
];

/// A request with these faults and no other.
fn request(faults: &[Fault]) -> Request {
    let has = |fault: Fault| faults.contains(&fault);
    let either = |fault: Fault, bad: &'static str, good: &'static str| {
        if has(fault) { bad } else { good }
    };
    let path = either(Operation, CUSTOMER, ONE);
    let path = match (has(UnknownStore), has(Store)) {
        (true, _) => path.replace("abc123", "nobody"),
        (_, true) => path.replace("abc123", "other1"),
        _ => path.to_owned(),
    };
    let target = format!(
        "{path}{}{}{}",
        either(Route, "/", ""),
        either(Query, "?colour=red", ""),
        if has(Target) {
            format!("{}={}", either(Query, "&key", "?key"), "x".repeat(500))
        } else {
            String::new()
        },
    );
    let method = either(Operation, "POST", "PUT");
    let mut request = Request::new(either(Method, "PATCH", method), &target)
        .instead("X-Auth-Token", either(Scope, READER, LIMITED))
        .json(body(&has))
        .instead(
            "Content-Type",
            either(Media, "text/plain", "application/json"),
        );
    for (fault, name, value) in [
        (TwoTokens, "Authorization", "Bearer canary-token-of-limited"),
        (Framing, "Upgrade", "websocket"),
        (Loop, "Via", "1.1 metafield-gateway"),
        (Encoding, "Content-Encoding", "gzip"),
    ] {
        if has(fault) {
            request = request.with(name, value);
        }
    }
    if has(NoToken) {
        request = request.without("X-Auth-Token");
    }
    if has(UnknownToken) {
        request = request.instead("X-Auth-Token", "canary-token-of-nobody");
    }
    if has(Headers) {
        request = request.with("X-Padding", &"x".repeat(16 * 1024));
    }
    request
}

fn body(has: &dyn Fn(Fault) -> bool) -> String {
    format!(
        "{{\"namespace\":\"{}\",\"permission_set\":\"{}\"{}}}{}",
        if has(Grants) { "ads" } else { "crm" },
        if has(Fields) { "admin" } else { "read" },
        if has(Json) { "," } else { "" },
        if has(Size) {
            " ".repeat(1024)
        } else {
            String::new()
        },
    )
}

fn excluded(faults: &[Fault]) -> bool {
    EXCLUDING.iter().any(|group| {
        let together = faults.iter().filter(|fault| group.contains(fault));
        together.count() > 1
    })
}

#[test]
fn the_first_fault_in_the_order_answers() {
    let mut cases = Vec::new();
    for (at, (first, status, code)) in FAULTS.iter().enumerate() {
        let later = FAULTS[at + 1..].iter().map(|(fault, ..)| *fault);
        cases.push(Case::new(status, code, &request(&[*first])));
        let mut all = vec![*first];
        for second in later {
            let pair = [*first, second];
            if !excluded(&pair) {
                cases.push(Case::new(status, code, &request(&pair)));
            }
            all.push(second);
            if excluded(&all) {
                all.pop();
            }
        }
        cases.push(Case::new(status, code, &request(&all)));
    }
    assert!(cases.len() > 200, "{}", cases.len());
    let settings = "limits.target = \"256B\"\nlimits.headers = \"16KiB\"\nlimits.body = \"1KiB\"";
    check(|setup| setup.with(settings), &cases);
}
