//! Filters, order, pages and cursors.

use super::*;

/// Metafields 1 to 5 of customer 7 with the keys a to e, a day apart, and 6 of customer 8.
fn bench() -> Bench {
    let mut bench = Bench::new();
    for key in ["a", "b", "c", "d", "e"] {
        bench.create(7, key);
        bench.second += 86_400;
    }
    let other = Seed {
        customer: 8,
        namespace: "shop, two",
        key: "a",
        value: "v",
        permission_set: "read",
    };
    bench.store.seed(other, bench.now()).unwrap();
    bench
}

fn ids(answer: &Value) -> Vec<u64> {
    let data = answer["data"].as_array().unwrap().iter();
    data.map(|one| one["id"].as_u64().unwrap()).collect()
}

#[test]
fn queries_choose_and_order() {
    let mut bench = bench();
    let table: [(&str, &[u64]); 27] = [
        ("", &[1, 2, 3, 4, 5, 6]),
        ("unknown=1", &[1, 2, 3, 4, 5, 6]),
        ("direction=asc", &[1, 2, 3, 4, 5, 6]),
        ("direction=desc", &[6, 5, 4, 3, 2, 1]),
        ("key=a", &[1, 6]),
        ("key=", &[]),
        ("key:in=a,c", &[1, 3, 6]),
        ("key%3Ain=a%2Cc", &[1, 3, 6]),
        ("key:in=a,c&key=c", &[3]),
        ("namespace=crm&key:in=a,e", &[1, 5]),
        ("namespace=shop%2C+two", &[6]),
        ("namespace:in=crm,x", &[1, 2, 3, 4, 5]),
        ("page=1&page=2&limit=4", &[5, 6]),
        ("limit=4&page=3", &[]),
        ("limit=2&page=18446744073709551615", &[]),
        ("limit=2&direction=desc", &[6, 5]),
        ("date_created:min=2022-06-19", &[4, 5, 6]),
        ("date_created:min=2022-06-18T18:39:00", &[3, 4, 5, 6]),
        ("date_created:min=2022-06-18T18:39:01", &[4, 5, 6]),
        ("date_created:max=2022-06-17T18:39:00Z", &[1, 2]),
        ("date_modified:max=2022-06-17T20:39:00%2B02:00", &[1, 2]),
        (
            "date_modified:min=2022-06-17&date_modified:max=2022-06-19",
            &[2, 3],
        ),
        ("after=aWQ6Mg==&limit=2", &[3, 4]),
        ("after=aWQ6Mg%3D%3D&limit=2&direction=desc&page=9", &[1]),
        ("before=aWQ6NA==&limit=2", &[2, 3]),
        ("before=aWQ6NA==&limit=9&direction=desc", &[6, 5]),
        ("after=aWQ6OTk=", &[]),
    ];
    for (query, expected) in table {
        let (status, answer) = bench.ask("GET", &format!("/customers/metafields?{query}"), "");
        assert_eq!(status, 200, "{query}");
        assert_eq!(ids(&answer), expected, "{query}");
    }
    let (_, answer) = bench.ask("GET", "/customers/7/metafields?key=a", "");
    assert_eq!(ids(&answer), [1]);
    let (_, answer) = bench.ask("GET", "/customers/9/metafields", "");
    assert_eq!(ids(&answer), [0; 0]);
}

#[test]
fn bad_query_values_are_named() {
    let mut bench = bench();
    let table = [
        ("page=0", "page"),
        ("page=-1", "page"),
        ("page=x", "page"),
        ("limit=0", "limit"),
        ("limit=", "limit"),
        ("direction=up", "direction"),
        ("include_fields=key,secret", "include_fields"),
        ("date_created:min=yesterday", "date_created:min"),
        ("date_modified:max=2022-13-01", "date_modified:max"),
        ("before=7", "before"),
        ("after=", "after"),
        ("after=aWQ6Mg==&before=aWQ6NA==", "before"),
    ];
    for (query, key) in table {
        let (status, answer) = bench.ask("GET", &format!("/customers/7/metafields?{query}"), "");
        assert_eq!(
            (status, &answer["title"]),
            (422, &json!(INVALID)),
            "{query}"
        );
        let named: Vec<_> = answer["errors"].as_object().unwrap().keys().collect();
        assert_eq!(named, [key], "{query}");
    }
}

#[test]
fn include_fields_shows_these_and_the_id() {
    let mut bench = bench();
    let target = "/customers/8/metafields?include_fields=key,resource_id";
    let (_, answer) = bench.ask("GET", target, "");
    assert_eq!(
        answer["data"],
        json!([{"id": 6, "key": "a", "resource_id": 8}])
    );
    let (_, answer) = bench.ask("GET", "/customers/8/metafields", "");
    assert_eq!(answer["data"][0].as_object().unwrap().len(), 11);
}

#[test]
fn a_page_says_where_it_stands() {
    let mut bench = bench();
    let target = "/customers/metafields?page=2&key:in=a,b,c,d,e&limit=2";
    let (_, answer) = bench.ask("GET", target, "");
    let kept = "?key%3Ain=a%2Cb%2Cc%2Cd%2Ce&";
    let expected = json!({
        "pagination": {
            "total": 6, "count": 2, "per_page": 2, "current_page": 2, "total_pages": 3,
            "links": {
                "previous": format!("{kept}page=1&limit=2"),
                "current": format!("{kept}page=2&limit=2"),
                "next": format!("{kept}page=3&limit=2"),
            },
        },
        "cursor_pagination": {
            "count": 2, "per_page": 2, "start_cursor": "aWQ6Mw==", "end_cursor": "aWQ6NA==",
            "links": {
                "previous": format!("{kept}limit=2&before=aWQ6Mw%3D%3D"),
                "next": format!("{kept}limit=2&after=aWQ6NA%3D%3D"),
            },
        },
    });
    assert_eq!(answer["meta"], expected);
}

#[test]
fn pages_at_the_edges() {
    let mut bench = bench();
    // query, count, per_page, current_page, total_pages, the links there are
    let table: [(&str, [u64; 4], &[&str]); 6] = [
        ("", [6, 50, 1, 1], &["current"]),
        ("limit=1000", [6, 250, 1, 1], &["current"]),
        ("limit=4", [4, 4, 1, 2], &["current", "next"]),
        ("limit=3&page=2", [3, 3, 2, 2], &["current", "previous"]),
        ("limit=4&page=4", [0, 4, 4, 2], &["current", "previous"]),
        ("key=none", [0, 50, 1, 0], &["current"]),
    ];
    for (query, numbers, links) in table {
        let (_, answer) = bench.ask("GET", &format!("/customers/metafields?{query}"), "");
        let page = &answer["meta"]["pagination"];
        let shown = ["count", "per_page", "current_page", "total_pages"];
        assert_eq!(
            shown.map(|name| page[name].as_u64().unwrap()),
            numbers,
            "{query}"
        );
        let named: Vec<_> = page["links"].as_object().unwrap().keys().collect();
        assert_eq!(named, links, "{query}");
    }
}

#[test]
fn cursors_lead_through_everything_and_back() {
    let mut bench = bench();
    let mut query = "?limit=2&after=aWQ6MA==".to_owned();
    let mut pages = Vec::new();
    for link in ["next", "next", "previous", "previous", "previous"] {
        let (_, answer) = bench.ask("GET", &format!("/customers/metafields{query}"), "");
        pages.push(ids(&answer));
        let links = &answer["meta"]["cursor_pagination"]["links"];
        query = links[link].as_str().unwrap_or("no such link").to_owned();
    }
    assert_eq!(pages, [[1, 2], [3, 4], [5, 6], [3, 4], [1, 2]]);
    assert_eq!(query, "no such link", "nothing comes before the first page");
    let (_, answer) = bench.ask("GET", "/customers/metafields?after=aWQ6Ng==", "");
    let meta = json!({"cursor_pagination": {
        "count": 0, "per_page": 50, "start_cursor": null, "end_cursor": null, "links": {},
    }});
    assert_eq!(answer["meta"], meta);
}
