//! The query: a closed list of keys for each operation, each once, decoded once (contract section 1).

use super::{Case, check, columns, place};
use crate::support::client::Request;

const QUERIES: &str = "
    400 unknown_query_key  GET    all?colour=red
    400 unknown_query_key  GET    all?Page=1
    400 unknown_query_key  GET    all?page%20=1
    400 unknown_query_key  GET    all?page+=1
    400 unknown_query_key  GET    all?=1
    400 unknown_query_key  GET    all?=
    400 unknown_query_key  GET    all?id:in=1,2
    400 unknown_query_key  GET    all?namespace:like=crm
    400 unknown_query_key  GET    all?namespace%253Ain=crm
    400 unknown_query_key  GET    all?metafieldId=9
    400 unknown_query_key  GET    all?page=1&limit=2&colour=red
    400 unknown_query_key  HEAD   all?colour=red
    400 unknown_query_key  GET    customer?id=9
    400 unknown_query_key  GET    customer?include=x
    400 unknown_query_key  GET    one?page=1
    400 unknown_query_key  GET    one?include_fields=value
    400 unknown_query_key  HEAD   one?page=1
    400 unknown_query_key  DELETE one?metafieldId=9
    400 unknown_query_key  DELETE all?id:in=9
    400 unknown_query_key  DELETE all?page=1
    400 unknown_query_key  PUT    all?metafieldId=9
    400 unknown_query_key  PUT    one?page=1
    400 unknown_query_key  PUT    one?metafieldid=9
    400 unknown_query_key  PUT    one?metafield_id=9
    400 unknown_query_key  PUT    one?customerId=7
    400 unknown_query_key  PUT    one?metafieldId=9&page=1
    400 unknown_query_key  POST   customer?metafieldId=9
    400 unknown_query_key  POST   all?page=1
    400 malformed_query    PUT    one?metafieldId=8
    400 malformed_query    PUT    one?metafieldId=09
    400 malformed_query    PUT    one?metafieldId=9.0
    400 malformed_query    PUT    one?metafieldId=+9
    400 malformed_query    PUT    one?metafieldId=
    400 malformed_query    PUT    one?metafieldId
    400 malformed_query    PUT    one?metafieldId=9&metafieldId=9
    400 malformed_query    PUT    one?metafieldId=9&metafield%49d=8
    400 malformed_query    GET    all?page=1&page=1
    400 malformed_query    GET    all?page=1&page=2
    400 malformed_query    GET    all?page=1&p%61ge=1
    400 malformed_query    GET    all?key:in=a&key%3Ain=b
    400 malformed_query    GET    all?page
    400 malformed_query    GET    all?page=1&
    400 malformed_query    GET    all?&page=1
    400 malformed_query    GET    all?page=1&&limit=2
    400 malformed_query    GET    all?&
    400 malformed_query    GET    all?page=%
    400 malformed_query    GET    all?page=%4
    400 malformed_query    GET    all?page=%zz
    400 malformed_query    GET    all?page=%+1
    400 malformed_query    GET    all?page=%-1
    400 malformed_query    GET    all?p%ge=1
    400 malformed_query    GET    all?key=%ff
    400 malformed_query    GET    all?key=%C0%80
    400 malformed_query    GET    all?key=%ED%A0%80
    400 malformed_query    GET    all?key=%F4%90%80%80
    400 malformed_query    GET    all?key=%00
    400 malformed_query    GET    all?key=%0A
    400 malformed_query    GET    all?key=%7F
    400 malformed_query    GET    all?key=%C2%85
    400 malformed_query    GET    all?key=%0d%0aX-Auth-Token:%20x
    400 malformed_query    HEAD   all?key=%00
    400 malformed_query    GET    one?%
    400 malformed_query    DELETE one?page
";

#[test]
fn queries_outside_the_lists_are_refused() {
    let cases: Vec<Case> = columns(QUERIES)
        .map(|[status, code, method, target]| {
            let request = Request::new(method, &place(target));
            let request = match method {
                "PUT" | "POST" => request.json("{}"),
                _ => request,
            };
            Case::new(status, code, &request)
        })
        .collect();
    check(|setup| setup, &cases);
}
