//! The decisions, a case a line: the caller's grants, the request behind `/stores/abc123/v3/customers/`, its
//! body, and the outcome with the places of its faults. What grants say comes after scope and store, and what
//! they say of fields after everything else.

/// One decision.
#[derive(Debug)]
pub struct Case {
    pub grants: &'static str,
    pub request: &'static str,
    pub body: &'static str,
    pub outcome: &'static str,
}

const fn case(
    grants: &'static str,
    request: &'static str,
    body: &'static str,
    outcome: &'static str,
) -> Case {
    Case {
        grants,
        request,
        body,
        outcome,
    }
}

const ONE: &str = "PUT 7/metafields/9";
const GET: &str = "GET 7/metafields/9";
const DELETE: &str = "DELETE 7/metafields/9";
const CREATE: &str = "POST 7/metafields";
const UPDATES: &str = "PUT metafields";
const CREATES: &str = "POST metafields";
const DELETES: &str = "DELETE metafields";
const LIST: &str = "GET 7/metafields";
const LIST_ALL: &str = "GET metafields";

const ALLOWED: &str = "allowed";
const OWNERS: &str = "if its owners are within";
const ANSWER: &str = "if its answer is within";

const CRM: &str = r#"{"namespace":"crm","key":"tier","value":"v","permission_set":"read"}"#;
const ERP: &str = r#"{"namespace":"erp","key":"points","value":"v","permission_set":"write"}"#;
const NAMESPACES: &str = r#"namespaces = ["crm", "crm.*"]"#;
const NAMED: &str = r#"policy.ownership = "named"; namespaces = ["crm", "crm.*"]"#;
const KEYS: &str = r#"keys = ["tier", "tier.*"]"#;
const CUSTOMERS: &str = r#"customers = [7, 42, "100-199"]"#;
const SETS: &str = r#"permission_sets = ["app_only", "read"]"#;
const READER: &str = r#"scopes = ["store_v2_customers_read_only"]"#;
const ROW_7: &str = r#"[{"resource_id":7,"namespace":"crm","key":"k","value":"v","permission_set":"read"},{"resource_id":8,"namespace":"crm","key":"k","value":"v","permission_set":"read"}]"#;
const ROW_150: &str =
    r#"[{"resource_id":150,"namespace":"crm","key":"k","value":"v","permission_set":"read"}]"#;
const EVERYTHING: &str = r#"stores = ["abc123"]; operations = ["update", "get"]; permission_sets = ["read"]; namespaces = ["crm"]; keys = ["tier"]; customers = [7]"#;

#[rustfmt::skip]
pub const CASES: &[Case] = &[
    // Nothing narrows.
    case("", ONE, "{}", ALLOWED),
    case("", GET, "", ALLOWED),
    case("", DELETE, "", ALLOWED),
    case("", CREATE, CRM, ALLOWED),
    case("", UPDATES, r#"[{"id":1}]"#, ALLOWED),
    case("", DELETES, "[1,2]", ALLOWED),
    case("", LIST_ALL, "", ALLOWED),
    // Scopes come before grants.
    case(READER, GET, "", ALLOWED),
    case(READER, ONE, "{}", "scope_denied"),
    case(r#"scopes = ["store_v2_customers_read_only"]; stores = ["def456"]"#, ONE, "{}", "scope_denied"),
    case(r#"scopes = ["store_stored_payment_instruments"]"#, GET, "", "scope_denied"),
    // Stores.
    case(r#"stores = ["abc123"]"#, ONE, "{}", ALLOWED),
    case(r#"stores = ["abc123"]"#, "PUT def456:7/metafields/9", "{}", "store_denied"),
    case(r#"stores = ["def456"]; operations = ["get"]"#, ONE, "{}", "store_denied"),
    // Operations.
    case(r#"operations = ["update", "get"]"#, ONE, "{}", ALLOWED),
    case(r#"operations = ["update", "get"]"#, "HEAD 7/metafields/9", "", ALLOWED),
    case(r#"operations = ["update", "get"]"#, DELETE, "", "operation_denied"),
    case(r#"operations = ["update", "get"]"#, UPDATES, r#"[{"id":1}]"#, "operation_denied"),
    case(r#"operations = ["list"]"#, LIST_ALL, "", "operation_denied"),
    // Permission sets, where the body names one.
    case(SETS, ONE, r#"{"permission_set":"read"}"#, ALLOWED),
    case(SETS, ONE, "{}", ALLOWED),
    case(SETS, ONE, r#"{"permission_set":"write"}"#, "permission_set_denied permission_set"),
    case(SETS, CREATE, ERP, "permission_set_denied permission_set"),
    case(SETS, UPDATES, r#"[{"id":1,"permission_set":"read"},{"id":2,"permission_set":"write"},{"id":3,"permission_set":"write_and_sf_access"}]"#, "permission_set_denied 1.permission_set 2.permission_set"),
    // What is no value at all is a fault of the field, whatever is granted.
    case(SETS, ONE, r#"{"permission_set":"everyone"}"#, "invalid_permission_set permission_set"),
    // A required field.
    case(r#"require = ["permission_set"]"#, ONE, r#"{"permission_set":"read"}"#, ALLOWED),
    case(r#"require = ["permission_set"]"#, ONE, "{}", "permission_set_denied permission_set"),
    case(r#"require = ["permission_set"]"#, UPDATES, r#"[{"id":1},{"id":2,"permission_set":"read"}]"#, "permission_set_denied 0.permission_set"),
    case(r#"require = ["namespace", "key"]"#, ONE, r#"{"value":"v"}"#, "namespace_denied namespace key"),
    case(r#"require = ["permission_set"]"#, DELETE, "", ALLOWED),
    // Namespaces: what creates or lists names them; what is named by its id is held to whose it is.
    case(NAMESPACES, CREATE, CRM, ALLOWED),
    case(NAMESPACES, CREATE, ERP, "namespace_denied namespace"),
    case(NAMESPACES, CREATE, r#"{"namespace":"crm.eu","key":"k","value":"v","permission_set":"read"}"#, ALLOWED),
    case(NAMESPACES, CREATE, r#"{"namespace":"crmx","key":"k","value":"v","permission_set":"read"}"#, "namespace_denied namespace"),
    case(NAMESPACES, CREATE, r#"{"namespace":"CRM","key":"k","value":"v","permission_set":"read"}"#, "namespace_denied namespace"),
    case(NAMESPACES, CREATES, r#"[{"resource_id":7,"namespace":"erp","key":"k","value":"v","permission_set":"read"}]"#, "namespace_denied 0.namespace"),
    case(NAMESPACES, ONE, r#"{"value":"v"}"#, OWNERS),
    case(NAMESPACES, ONE, r#"{"namespace":"crm"}"#, OWNERS),
    case(NAMESPACES, ONE, r#"{"namespace":"erp"}"#, "namespace_denied namespace"),
    case(NAMESPACES, DELETE, "", OWNERS),
    case(NAMESPACES, DELETES, "[1,2]", OWNERS),
    case(NAMESPACES, UPDATES, r#"[{"id":1},{"id":2,"namespace":"erp"}]"#, "namespace_denied 1.namespace"),
    case(NAMESPACES, GET, "", ANSWER),
    case(NAMESPACES, "HEAD 7/metafields/9", "", OWNERS),
    case(NAMESPACES, LIST, "", "namespace_denied"),
    case(NAMESPACES, "GET 7/metafields?namespace=crm", "", ALLOWED),
    case(NAMESPACES, "GET metafields?namespace:in=crm,crm.eu&page=2", "", ALLOWED),
    case(NAMESPACES, "GET metafields?namespace:in=crm,erp", "", "namespace_denied"),
    case(NAMESPACES, "GET metafields?namespace=crm.eu,erp", "", "namespace_denied"),
    case(NAMESPACES, "GET 7/metafields?namespace=crm&namespace:in=erp", "", "namespace_denied"),
    case(NAMESPACES, "GET 7/metafields?namespace=crm&colour=red", "", "unknown_query_key"),
    // The same where nobody looks up whose a metafield is.
    case(NAMED, ONE, r#"{"namespace":"crm"}"#, ALLOWED),
    case(NAMED, ONE, r#"{"value":"v"}"#, "namespace_denied namespace"),
    case(NAMED, GET, "", "namespace_denied"),
    case(NAMED, DELETES, "[1]", "namespace_denied"),
    // Keys are granted as namespaces are.
    case(KEYS, CREATE, CRM, ALLOWED),
    case(KEYS, CREATE, ERP, "key_denied key"),
    case(KEYS, ONE, r#"{"key":"tier.gold"}"#, OWNERS),
    case(KEYS, ONE, r#"{"key":"points"}"#, "key_denied key"),
    case(KEYS, LIST, "", "key_denied"),
    case(KEYS, "GET 7/metafields?key:in=tier,tier.gold", "", ALLOWED),
    case(KEYS, GET, "", ANSWER),
    // Customers: by the path, by each row of a create, else by whose it is.
    case(CUSTOMERS, ONE, "{}", ALLOWED),
    case(CUSTOMERS, "PUT 8/metafields/9", "{}", "customer_denied"),
    case(CUSTOMERS, "GET 199/metafields/9", "", ALLOWED),
    case(CUSTOMERS, "GET 200/metafields", "", "customer_denied"),
    case(CUSTOMERS, CREATES, ROW_150, ALLOWED),
    case(CUSTOMERS, CREATES, ROW_7, "customer_denied 1.resource_id"),
    case(CUSTOMERS, UPDATES, r#"[{"id":1,"resource_id":7}]"#, OWNERS),
    case(CUSTOMERS, UPDATES, r#"[{"id":1,"resource_id":7},{"id":2,"resource_id":8}]"#, "customer_denied 1.resource_id"),
    case(CUSTOMERS, DELETES, "[1]", OWNERS),
    case(CUSTOMERS, LIST_ALL, "", "customer_denied"),
    case(r#"policy.ownership = "named"; customers = [7]"#, UPDATES, r#"[{"id":1}]"#, "customer_denied"),
    // The size of a batch.
    case("batch_items = 2", DELETES, "[1,2]", ALLOWED),
    case("batch_items = 2", DELETES, "[1,2,3]", "batch_too_large"),
    case("batch_items = 1", UPDATES, r#"[{"id":1},{"id":2}]"#, "batch_too_large"),
    // Every grant must hold; the first in order answers, and faults of fields together.
    case(EVERYTHING, ONE, r#"{"permission_set":"read","namespace":"crm","key":"tier"}"#, OWNERS),
    case(EVERYTHING, ONE, r#"{"permission_set":"write","namespace":"erp","key":"points"}"#, "permission_set_denied permission_set namespace key"),
    case(EVERYTHING, "PUT 8/metafields/9", r#"{"permission_set":"write"}"#, "customer_denied"),
    case(EVERYTHING, DELETE, "", "operation_denied"),
    case(EVERYTHING, "PUT def456:7/metafields/9", "{}", "store_denied"),
    // Strictness comes before the grants on fields.
    case(SETS, ONE, r#"{"permission_set":"write","permission_set":"read"}"#, "duplicate_key"),
    case(SETS, ONE, r#"{"permission_set":"write""#, "malformed_json"),
    case(NAMESPACES, ONE, r#"{"namespace":""}"#, "invalid_field namespace"),
];
