//! What callers read of their limits.

use super::ground::{Store, TWENTY, W, clock, figures, gateway, number, spend, told, update};
use crate::support::client::{CUSTOMER, Request};
use crate::support::gateway::{Setup, WRITER};

const FIELDS: [&str; 4] = [
    "X-Rate-Limit-Time-Window-Ms",
    "X-Rate-Limit-Time-Reset-Ms",
    "X-Rate-Limit-Requests-Quota",
    "X-Rate-Limit-Requests-Left",
];

#[test]
fn every_answer_to_a_limited_caller_has_all_four() {
    let (clock, _hand) = clock();
    let store = Store::new(20, &clock);
    let partial = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Rate-Limit-Time-Reset-Ms: 5\r\n\r\n";
    let broken = "no HTTP at all\r\n\r\n";
    store.answers_next(&[
        partial,
        "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
        broken,
    ]);
    let gateway = gateway(store.address(), TWENTY, &[], &clock);
    for (request, status) in [
        (update(WRITER), 200),
        (update(WRITER), 404),
        (update(WRITER), 502),
        (Request::update("{"), 400),
        (Request::update("{\"id\":8}"), 422),
        (Request::update("{}").without("Content-Type"), 415),
        (Request::new("HEAD", CUSTOMER), 200),
    ] {
        let answer = gateway.exchange(&request);
        assert_eq!(answer.status(), status);
        let shown = figures(&answer);
        assert!(
            shown[3] <= shown[2] && shown[2] <= 20 && shown[1] <= shown[0],
            "{shown:?}"
        );
    }
    // Refusals too, and what they show fits together.
    let mut client = gateway.connect();
    spend(&mut client, &update(WRITER));
    let refused = client.exchange(&update(WRITER));
    let shown = figures(&refused);
    assert_eq!((refused.status(), shown[3]), (429, 0));
    assert!(shown[1] <= shown[0], "{shown:?}");
    // Who is not known learns nothing.
    let unknown = gateway.exchange(&update("canary-token-of-nobody"));
    for name in FIELDS {
        assert_eq!(unknown.field(name), None);
    }
}

#[test]
fn without_limits_they_are_bigcommerces_or_none() {
    let (clock, _hand) = clock();
    let store = Store::new(20, &clock);
    let gateway = gateway(store.address(), "", &[], &clock);
    let told = gateway.exchange(&update(WRITER));
    assert_eq!(figures(&told), [W, W, 20, 19]);
    assert_eq!(told.field("X-Gateway-Store-Requests-Left"), None);
    store.counter.lock().expect("the counter").tells = false;
    let silent = gateway.exchange(&update(WRITER));
    for name in FIELDS {
        assert_eq!(silent.field(name), None);
    }
}

#[test]
fn the_stores_own_figures_are_shown_where_that_is_configured() {
    let (clock, _hand) = clock();
    let store = Store::new(20, &clock);
    let setup = Setup::new(store.address()).with("quota.store_headers = true");
    let callers = [("reader", "guaranteed = 6")];
    let text = super::ground::text(&setup, TWENTY, &callers);
    let gateway = setup.start_as(&text, &clock);
    let answer = gateway.exchange(&update(WRITER));
    assert_eq!(figures(&answer)[2..], [14, 13]);
    let own = [
        "X-Gateway-Store-Time-Window-Ms",
        "X-Gateway-Store-Requests-Quota",
        "X-Gateway-Store-Requests-Left",
    ];
    assert_eq!(own.map(|name| number(&answer, name)), [W, 20, 19]);
    assert!(number(&answer, "X-Gateway-Store-Time-Reset-Ms") <= W + 2);
}

#[test]
fn figures_that_make_no_sense_are_ignored_and_counted() {
    let (clock, _hand) = clock();
    let store = Store::new(20, &clock);
    let with = |fields: &str| format!("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n{fields}\r\n");
    let good = told(W, W, 20, 19);
    let bad = [
        (
            good.replace("Requests-Left: 19", "Requests-Left: -1"),
            "malformed",
        ),
        (
            good.replace("Requests-Left: 19", "Requests-Left: 1e9"),
            "malformed",
        ),
        (
            good.replace("Quota: 20", "Quota: 99999999999999999999"),
            "malformed",
        ),
        (good.replace("Quota: 20", "Quota: unlimited"), "malformed"),
        (
            good.replace("Window-Ms: 30000", "Window-Ms: 0"),
            "inconsistent",
        ),
        (
            good.replace("Reset-Ms: 30000", "Reset-Ms: 30001"),
            "inconsistent",
        ),
        (
            good.replace("Requests-Left: 19", "Requests-Left: 21"),
            "inconsistent",
        ),
        (
            good.replace("X-Rate-Limit-Requests-Quota: 20\r\n", ""),
            "partial",
        ),
        (
            format!("{good}X-Rate-Limit-Requests-Left: 19\r\n"),
            "malformed",
        ),
        (
            format!("{good}X-Rate-Limit-Requests-Left: 3\r\n"),
            "malformed",
        ),
    ];
    let answers: Vec<String> = bad.iter().map(|(fields, _)| with(fields)).collect();
    let answers: Vec<&str> = answers.iter().map(String::as_str).collect();
    store.answers_next(&answers);
    let gateway = gateway(store.address(), TWENTY, &[], &clock);
    let mut client = gateway.connect();
    for spent in 1..=bad.len() {
        let answer = client.exchange(&update(WRITER));
        assert_eq!(answer.status(), 200);
        // Counted by the configuration, and never more than that.
        let spent = u64::try_from(spent).expect("a number");
        assert_eq!(figures(&answer)[2..], [20, 20 - spent], "{spent}");
    }
    for (reason, count) in [("malformed", 6.0), ("inconsistent", 3.0), ("partial", 1.0)] {
        let name = format!(
            "metafield_gateway_store_quota_ignored_total{{store=\"abc123\",reason=\"{reason}\"}}"
        );
        assert!((gateway.metric(&name) - count).abs() < 0.1, "{reason}");
    }
}
