//! Method, path and query: what is written upstream says what was read, in one spelling.
#![no_main]

use bytes::Bytes;
use fuzz::world::{self, LIMITED, READER, SNAPSHOT, WRITER};
use http::Method;
use libfuzzer_sys::fuzz_target;
use metafield_gateway::policy::vocabulary::Verb;
use metafield_gateway::policy::{Allowed, LIST_KEYS, Reported, Route, permit};
use std::collections::HashSet;

const METHODS: [Method; 6] = [
    Method::GET,
    Method::PUT,
    Method::POST,
    Method::DELETE,
    Method::HEAD,
    Method::PATCH,
];

fuzz_target!(|input: &[u8]| {
    let Some((first, rest)) = input.split_first() else {
        return;
    };
    let Ok(text) = std::str::from_utf8(rest) else {
        return;
    };
    let method = &METHODS[usize::from(*first) % METHODS.len()];
    for token in [WRITER, READER, LIMITED] {
        if let Some(allowed) = allowed(token, method, text) {
            check(token, method, text, &allowed);
        }
    }
});

fn parts(text: &str) -> (&str, Option<&str>) {
    match text.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (text, None),
    }
}

/// The request with a body that suits it, if it is allowed.
fn allowed(token: &str, method: &Method, text: &str) -> Option<Allowed> {
    let (path, query) = parts(text);
    let operation = Route::parse(path)?.operation(method)?;
    let body = match operation.verb {
        Verb::Create => r#"{"namespace":"crm","key":"k","value":"v","permission_set":"read"}"#,
        Verb::CreateBatch => "[]",
        Verb::Update => r#"{"namespace":"crm"}"#,
        Verb::UpdateBatch => r#"[{"id":1,"namespace":"crm"}]"#,
        Verb::DeleteBatch => "[1]",
        _ => "",
    };
    let grants = &world::caller(token).grants;
    let mut reported = Reported::default();
    let permitted = permit(grants, operation, &mut reported).ok()?;
    let queried = permitted.query(query, &mut reported).ok()?;
    let mut items = Vec::new();
    queried
        .body(
            &SNAPSHOT.rules,
            Bytes::from(body),
            &mut items,
            &mut reported,
        )
        .ok()
        .map(world::by_itself)
}

fn check(token: &str, method: &Method, text: &str, found: &Allowed) {
    let target = found.target();
    assert!(
        target
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'#'),
        "{target}"
    );
    let (path, query) = parts(text);
    let (written_path, written) = parts(&target);
    assert_eq!(written_path, path, "the path is what it was");
    assert_eq!(target.matches('?').count(), usize::from(written.is_some()));
    let uri: http::Uri = target.parse().expect("a target");
    assert_eq!((uri.path(), uri.query()), (written_path, written));
    let again = allowed(token, method, &target).expect("what was written is allowed");
    assert_eq!(again.target(), target, "it is written in one way alone");
    check_query(
        found,
        query.unwrap_or_default(),
        written.unwrap_or_default(),
    );
    let verb = found.operation().verb;
    assert!(verb.reads() || token != READER);
    if token == LIMITED {
        assert!(matches!(
            verb,
            Verb::Update | Verb::UpdateBatch | Verb::List
        ));
        check_namespaces(verb, written.unwrap_or_default());
    }
}

/// Another decoder reads the same from both.
fn check_query(found: &Allowed, query: &str, written: &str) {
    let decoded = |text: &str| -> Vec<(String, String)> {
        form_urlencoded::parse(text.as_bytes())
            .into_owned()
            .collect()
    };
    let (read, wrote) = (decoded(query), decoded(written));
    if matches!(found.operation().verb, Verb::List | Verb::ListAll) {
        assert_eq!(read, wrote);
        let keys: HashSet<&str> = wrote.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(keys.len(), wrote.len(), "each key once");
        assert!(keys.iter().all(|key| LIST_KEYS.contains(key)));
        return;
    }
    assert!(wrote.is_empty());
    let id = found.operation().metafield.map(|id| id.get().to_string());
    for (key, value) in read {
        assert_eq!((key.as_str(), Some(value)), ("metafieldId", id.clone()));
    }
}

fn check_namespaces(verb: Verb, written: &str) {
    if verb != Verb::List {
        return;
    }
    let mut named = 0;
    for (key, value) in form_urlencoded::parse(written.as_bytes()) {
        if matches!(key.as_ref(), "namespace" | "namespace:in") {
            named += 1;
            let covered = |name: &str| name == "crm" || name.len() > 4 && name.starts_with("crm.");
            let whole = key == "namespace" && covered(&value);
            assert!(
                whole || key != "namespace" && value.split(',').all(covered),
                "{key}={value}"
            );
        }
    }
    assert!(named > 0, "a limited list names its namespaces");
}
