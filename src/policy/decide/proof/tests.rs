//! Requests by id of a caller that keeps to `crm` and `crm.*`, by whose the metafields are: a case a line.

use super::*;
use crate::policy::vocabulary::Scope;
use crate::policy::{Enforcement, Names, Ownership, Pattern, Route, Rules, UnknownFields, permit};

const RULES: Rules = Rules {
    unknown_fields: UnknownFields::Refuse,
    batch_items: 10,
    value_length: 100,
};

fn limited() -> Grants {
    let exact = Pattern::Exact("crm".to_owned());
    let prefix = Pattern::Prefix("crm.".to_owned());
    Grants {
        namespaces: Names::only([exact, prefix]),
        ..Grants::of_scopes(vec![Scope::Customers])
    }
}

fn judged<'a>(
    grants: &'a Grants,
    request: &str,
    reported: &mut Reported,
) -> Result<Judged<'a>, Denial> {
    let mut parts = request.splitn(3, ' ');
    let method = parts.next().and_then(|word| word.parse::<Method>().ok());
    let place = parts.next().unwrap_or_default();
    let body = parts.next().unwrap_or_default().to_owned();
    let path = format!("/stores/abc/v3/customers/{place}");
    let operation = Route::parse(&path).and_then(|route| route.operation(&method?));
    let operation = operation.expect("an operation");
    permit(grants, operation, reported)?
        .query(None, reported)?
        .body(&RULES, body.into(), &mut Vec::new(), reported)
}

/// The owner by its namespace, and by its customer where that is not 7; `?` where it is not known.
fn owner(word: &str) -> Option<Owner> {
    let (namespace, customer) = word.split_once('@').unwrap_or((word, "7"));
    let customer = customer.parse().ok().and_then(Id::new);
    Owner::new(namespace, "k", customer).filter(|_| namespace != "?")
}

/// The outcome in a word, with the places of its faults.
fn told(denial: &Denial) -> String {
    let Denial::Fields(faults) = denial else {
        return denial.code().as_str().to_owned();
    };
    let places = faults.iter().map(|fault| match &fault.place {
        Place::Item(index, Some(field)) => format!(" {index}.{field}={}", fault.code.as_str()),
        Place::Field(field) => format!(" {field}"),
        other => format!(" {other:?}"),
    });
    format!("{}{}", denial.code().as_str(), places.collect::<String>())
}

/// The namespaces of the metafields (`?` where not known), the request, and what becomes of it.
const PROVED: &str = r#"
crm      PUT 7/metafields/9 {"value":"v"} => allowed
crm.a    PUT 7/metafields/9 {} => allowed
ads      PUT 7/metafields/9 {"value":"v"} => namespace_denied namespace
ads      PUT 7/metafields/9 {"namespace":"crm"} => namespace_denied namespace
crm      PUT 7/metafields/9 {"namespace":"crm.b"} => allowed
crm      PUT 7/metafields/9 {"namespace":"ads"} => namespace_denied namespace
crmx     PUT 7/metafields/9 {} => namespace_denied namespace
crm.     PUT 7/metafields/9 {} => namespace_denied namespace
?        PUT 7/metafields/9 {} => ownership_unknown id
crm      DELETE 7/metafields/9 => allowed
ads      DELETE 7/metafields/9 => namespace_denied namespace
crm      HEAD 7/metafields/9 => allowed
ads      HEAD 7/metafields/9 => unknown_metafield
crm@8    PUT 7/metafields/9 {} => unknown_metafield
ads@8    PUT 7/metafields/9 {} => unknown_metafield
crm@8    DELETE 7/metafields/9 => unknown_metafield
crm@8    HEAD 7/metafields/9 => unknown_metafield
crm@?    DELETE 7/metafields/9 => allowed
crm,crm@8 PUT metafields [{"id":1},{"id":2}] => allowed
crm,crm  PUT metafields [{"id":1},{"id":2,"value":"v"}] => allowed
crm,ads  PUT metafields [{"id":1},{"id":2,"namespace":"crm"}] => namespace_denied 1.namespace=namespace_denied
crm,?    PUT metafields [{"id":1},{"id":2}] => ownership_unknown 1.id=ownership_unknown
?,ads    PUT metafields [{"id":1},{"id":2}] => ownership_unknown 0.id=ownership_unknown 1.namespace=namespace_denied
crm,crm  PUT metafields [{"id":1},{"id":2,"namespace":"ads"}] => namespace_denied 1.namespace=namespace_denied
crm      PUT metafields [{"id":1},{"id":2}] => ownership_unknown 1.id=ownership_unknown
crm,crm  DELETE metafields [1,2] => allowed
ads,crm  DELETE metafields [1,2] => namespace_denied 0.namespace=namespace_denied
?,?      DELETE metafields [1,2] => ownership_unknown 0.id=ownership_unknown 1.id=ownership_unknown
"#;

#[test]
fn requests_by_id_are_judged_by_whose_the_metafields_are() {
    let grants = limited();
    let lenient = Grants {
        enforcement: Enforcement::Report,
        ..limited()
    };
    for case in PROVED.trim().lines() {
        let (request, expected) = case.split_once(" => ").expect("a case");
        let (namespaces, request) = request.split_once(' ').expect("a request");
        let owners: Vec<_> = namespaces.split(',').map(owner).collect();
        let mut reported = Reported::default();
        let prove = |grants, reported: &mut Reported| {
            judged(grants, request.trim(), reported).and_then(|judged| match judged {
                Judged::Unproven(unproven) => {
                    unproven.prove(owners.iter().map(Option::as_ref), reported)
                }
                other => panic!("it needs no proof: {case} {other:?}"),
            })
        };
        let outcome = prove(&grants, &mut reported);
        let outcome = outcome.map_or_else(|denial| told(&denial), |_| "allowed".to_owned());
        assert_eq!(outcome, expected, "{case}");
        assert_eq!(reported.code(), None, "{case}");
        // Only reported, it is allowed in any case.
        prove(&lenient, &mut reported).expect(case);
        let code = reported.code().map_or("allowed", Code::as_str);
        assert_eq!(code, expected.split(' ').next().expect("a word"), "{case}");
    }
}

#[test]
fn what_a_request_shows_by_itself_needs_no_proof() {
    let limited = limited();
    let anyone = Grants {
        namespaces: Names::Any,
        ..limited.clone()
    };
    let new = r#"{"namespace":"crm","key":"k","value":"v","permission_set":"read"}"#;
    for (grants, request) in [
        (&limited, format!("POST 7/metafields {new}")),
        (&limited, "PUT metafields []".to_owned()),
        (&anyone, "PUT 7/metafields/9 {}".to_owned()),
        (&anyone, "DELETE 7/metafields/9".to_owned()),
        (&anyone, "DELETE metafields [1]".to_owned()),
        (&anyone, "GET 7/metafields/9".to_owned()),
        (&anyone, "HEAD 7/metafields/9".to_owned()),
    ] {
        let judged = judged(grants, &request, &mut Reported::default());
        assert!(matches!(judged, Ok(Judged::Allowed(_))), "{request}");
    }
}

#[test]
fn where_the_request_must_name_what_it_is_about_nothing_is_looked_up() {
    let named = Grants {
        ownership: Ownership::Named,
        ..limited()
    };
    for (request, expected) in [
        ("GET 7/metafields/9", "namespace_denied"),
        ("HEAD 7/metafields/9", "namespace_denied"),
        ("DELETE 7/metafields/9", "namespace_denied"),
        ("DELETE metafields [1]", "namespace_denied"),
        ("PUT 7/metafields/9 {}", "namespace_denied namespace"),
        (
            "PUT metafields [{\"id\":1}]",
            "namespace_denied 0.namespace=namespace_denied",
        ),
        ("PUT 7/metafields/9 {\"namespace\":\"crm\"}", "allowed"),
        (
            "PUT metafields [{\"id\":1,\"namespace\":\"crm\"}]",
            "allowed",
        ),
    ] {
        let outcome = match judged(&named, request, &mut Reported::default()) {
            Ok(Judged::Allowed(_)) => "allowed".to_owned(),
            Ok(other) => panic!("{request} {other:?}"),
            Err(denial) => told(&denial),
        };
        assert_eq!(outcome, expected, "{request}");
    }
}

#[test]
fn an_answer_is_judged_before_it_is_passed_on() {
    let grants = limited();
    let lenient = Grants {
        enforcement: Enforcement::Report,
        ..limited()
    };
    for (body, expected) in [
        (r#"{"data":{"id":9,"namespace":"crm","key":"k"}}"#, "shown"),
        (
            r#"{"data":{"id":9,"namespace":"ads","key":"k"}}"#,
            "unknown_metafield",
        ),
        (
            r#"{"data":{"id":9,"namespace":"crm","key":"k","resource_id":7}}"#,
            "shown",
        ),
        // Another customer's is not at this path, whoever says so.
        (
            r#"{"data":{"id":9,"namespace":"crm","key":"k","resource_id":8}}"#,
            "unknown_metafield",
        ),
        (
            r#"{"data":{"id":8,"namespace":"crm","key":"k"}}"#,
            "upstream_protocol_error",
        ),
        (
            r#"{"data":[{"id":9,"namespace":"crm","key":"k"},{"id":8,"namespace":"ads","key":"k"}]}"#,
            "upstream_protocol_error",
        ),
        (
            r#"{"data":{"id":9,"namespace":"crm","namespace":"ads","key":"k"}}"#,
            "upstream_protocol_error",
        ),
        (r#"{"data":{"id":9}}"#, "upstream_protocol_error"),
        ("", "upstream_protocol_error"),
    ] {
        let mut reported = Reported::default();
        let veil = |grants, reported: &mut Reported| {
            let Ok(Judged::Veiled(allowed, veil)) = judged(grants, "GET 7/metafields/9", reported)
            else {
                panic!("the answer is not judged")
            };
            assert_eq!(allowed.target(), "/stores/abc/v3/customers/7/metafields/9");
            veil.judge(Ok(body.as_bytes()), reported)
        };
        let outcome = veil(&grants, &mut reported);
        let outcome = outcome.map_or_else(|denial| told(&denial), |()| "shown".to_owned());
        assert_eq!(outcome, expected, "{body}");
        assert_eq!(reported.code(), None, "{body}");
        veil(&lenient, &mut reported).expect("it is only reported");
        let code = reported.code().map_or("shown", Code::as_str);
        let expected = expected.replace("upstream_protocol_error", "ownership_unknown");
        assert_eq!(code, expected, "{body}");
    }
}

#[test]
fn a_look_up_asks_for_the_paths_metafield_and_nothing_else() {
    let grants = limited();
    for request in [
        "PUT 7/metafields/9 {\"value\":\"v\"}",
        "DELETE 7/metafields/9",
        "HEAD 7/metafields/9",
    ] {
        let Ok(Judged::Unproven(unproven)) = judged(&grants, request, &mut Reported::default())
        else {
            panic!("{request} needs no proof")
        };
        assert_eq!(unproven.ids(), [Id::new(9).expect("an id")]);
        let look_up = unproven.look_up().expect("the path names the customer");
        assert_eq!(look_up.operation().method, Method::GET);
        assert_eq!(look_up.target(), "/stores/abc/v3/customers/7/metafields/9");
        assert!(look_up.body().is_empty());
    }
    let Ok(Judged::Unproven(batch)) = judged(
        &grants,
        "DELETE metafields [3,1,2]",
        &mut Reported::default(),
    ) else {
        panic!("a batch needs no proof")
    };
    let ids: Vec<u64> = batch.ids().iter().map(|id| id.get()).collect();
    assert_eq!(ids, [3, 1, 2]);
    assert!(batch.look_up().is_none());
}
