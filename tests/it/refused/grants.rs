//! Callers who are known but may not: scope, store, operation, permission set, namespace.

use super::{Case, check, columns, place};
use crate::support::client::Request;
use crate::support::gateway::{ELSEWHERE, LIMITED, PAYMENTS, READER, WRITER};

/// Status, code, caller, method, path, body.
const CALLERS: &str = r#"
    403 scope_denied          reader    PUT    one      {}
    403 scope_denied          reader    PUT    all      [{"id":9}]
    403 scope_denied          reader    POST   customer {}
    403 scope_denied          reader    POST   all      []
    403 scope_denied          reader    DELETE one
    403 scope_denied          reader    DELETE all      [9]
    403 scope_denied          reader    DELETE all
    403 scope_denied          payments  GET    one
    403 scope_denied          payments  HEAD   one
    403 scope_denied          payments  GET    customer
    403 scope_denied          payments  GET    all
    403 scope_denied          payments  PUT    one      {}
    403 scope_denied          payments  PUT    all      []
    403 scope_denied          payments  POST   customer {}
    403 scope_denied          payments  POST   all      []
    403 scope_denied          payments  DELETE one
    403 scope_denied          payments  DELETE all      [9]
    404 unknown_store         writer    GET    /stores/nobody/v3/customers/metafields
    404 unknown_store         writer    PUT    /stores/abc1234/v3/customers/7/metafields/9 {}
    404 unknown_store         payments  GET    /stores/nobody/v3/customers/metafields
    404 unknown_store         limited   GET    /stores/nobody/v3/customers/7/metafields/9
    403 store_denied          elsewhere GET    one
    403 store_denied          elsewhere PUT    one      {}
    403 store_denied          elsewhere GET    all
    403 store_denied          elsewhere DELETE all      [9]
    403 store_denied          limited   PUT    /stores/other1/v3/customers/7/metafields/9 {"namespace":"crm"}
    403 store_denied          limited   GET    /stores/other1/v3/customers/7/metafields/9
    403 operation_denied      limited   GET    one
    403 operation_denied      limited   HEAD   one
    403 operation_denied      limited   GET    all
    403 operation_denied      limited   GET    all?namespace=crm
    403 operation_denied      limited   DELETE one
    403 operation_denied      limited   DELETE all      [9]
    403 operation_denied      limited   POST   customer {"namespace":"crm","key":"k","value":"v","permission_set":"read"}
    403 operation_denied      limited   POST   all      []
    403 permission_set_denied limited   PUT    one      {"namespace":"crm","permission_set":"write"}
    403 permission_set_denied limited   PUT    one      {"namespace":"crm","permission_set":"read_and_sf_access"}
    403 permission_set_denied limited   PUT    one      {"namespace":"crm","permission_set":"write_and_sf_access"}
    403 permission_set_denied limited   PUT    one      {"namespace":"crm","permission_set":"\u0077rite"}
    403 permission_set_denied limited   PUT    one      {"namespace":"crm","permission\u005fset":"write"}
    403 permission_set_denied limited   PUT    one      {"namespace":"ads","permission_set":"write"}
    403 permission_set_denied limited   PUT    all      [{"id":1,"namespace":"crm","permission_set":"read"},{"id":2,"namespace":"crm","permission_set":"write"}]
    403 namespace_denied      limited   PUT    one      {}
    403 namespace_denied      limited   PUT    one      {"value":"canary-value"}
    403 namespace_denied      limited   PUT    one      {"namespace":"ads"}
    403 namespace_denied      limited   PUT    one      {"namespace":"CRM"}
    403 namespace_denied      limited   PUT    one      {"namespace":"crm."}
    403 namespace_denied      limited   PUT    one      {"namespace":"crmx"}
    403 namespace_denied      limited   PUT    one      {"namespace":" crm"}
    403 namespace_denied      limited   PUT    one      {"namespace":"\u0063rmx"}
    403 namespace_denied      limited   PUT    all      [{"id":1,"namespace":"crm"},{"id":2}]
    403 namespace_denied      limited   PUT    all      [{"id":1,"namespace":"ads"},{"id":2,"namespace":"crm.a"}]
    403 namespace_denied      limited   GET    customer
    403 namespace_denied      limited   HEAD   customer
    403 namespace_denied      limited   GET    customer?page=1
    403 namespace_denied      limited   GET    customer?key=crm
    403 namespace_denied      limited   GET    customer?namespace=ads
    403 namespace_denied      limited   GET    customer?namespace=
    403 namespace_denied      limited   GET    customer?namespace=crm,ads
    403 namespace_denied      limited   GET    customer?namespace:in=crm,ads
    403 namespace_denied      limited   GET    customer?namespace:in=crm,
    403 namespace_denied      limited   GET    customer?namespace%3Ain=crm%2Cads
    403 namespace_denied      limited   GET    customer?namespace=crm&namespace:in=ads
    403 namespace_denied      limited   GET    customer?namespace=ads&namespace:in=crm
"#;

/// What a request must show by itself; what may be looked up is tested in `ownership`.
const NAMED: &str = "policy.ownership = \"named\"";

fn token(caller: &str) -> &'static str {
    match caller {
        "writer" => WRITER,
        "reader" => READER,
        "payments" => PAYMENTS,
        "limited" => LIMITED,
        "elsewhere" => ELSEWHERE,
        other => panic!("no caller {other}"),
    }
}

#[test]
fn a_caller_may_only_what_its_scopes_and_grants_open() {
    let rows: Vec<[&str; 6]> = columns(CALLERS).collect();
    let cases: Vec<Case> = rows
        .iter()
        .map(|[status, code, caller, method, target, body]| {
            let request = Request::new(method, &place(target));
            let request = request.instead("X-Auth-Token", token(caller));
            let request = if body.is_empty() {
                request
            } else {
                request.json(*body)
            };
            Case::new(status, code, &request)
        })
        .collect();
    check(|setup| setup.with(NAMED), &cases);
}

#[test]
fn a_batch_names_every_item_outside_the_grants() {
    let body = r#"[
        {"id":1,"namespace":"ads"},
        {"id":2,"namespace":"crm","permission_set":"app_only"},
        {"id":3,"namespace":"crm.x","permission_set":"write"},
        {"id":4}
    ]"#;
    let request = Request::new("PUT", &place("all"))
        .instead("X-Auth-Token", LIMITED)
        .json(body);
    let answers = check(
        |setup| setup.with(NAMED),
        &[Case::new("403", "namespace_denied", &request)],
    );
    let problem = answers[0].json();
    let errors = problem["errors"].as_object().expect("errors");
    let named: Vec<&str> = errors.keys().map(String::as_str).collect();
    assert_eq!(named, ["0", "2", "3"]);
}
