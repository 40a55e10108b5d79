//! What a person sees of the status page, in a headless Chromium: each figure against a load that is known, the
//! filters, a connection that is lost.

use super::*;
use crate::support::browser::Browser;
use std::net::{Shutdown, TcpListener};
use std::path::Path;
use std::sync::{Arc, Mutex};

const DENIED: &str = r#"{"permission_set":"everyone","value":"gold"}"#;

/// A gateway whose first store has a quota for a window that does not end while the test runs.
fn with_quota(upstream: &Fake) -> Gateway {
    let setup = setup(upstream);
    let text = setup.text().replace(
        "hash = \"abc123\"\n",
        "hash = \"abc123\"\nquota = { requests = 200, per = \"600s\", keep_free = 50 }\n",
    );
    setup.start_with(&text)
}

/// Sends what is known: 20 updates, 5 that the reader may not send, 3 with a wrong permission set, 2 of nobody.
fn load(gateway: &Gateway) {
    let mut client = gateway.connect();
    let good = r#"{"permission_set":"app_only","namespace":"crm","key":"tier","value":"gold"}"#;
    for _ in 0..20 {
        assert_eq!(client.exchange(&Request::update(good)).status(), 200);
    }
    for _ in 0..5 {
        client.exchange(&Request::update(good).instead("X-Auth-Token", READER));
    }
    for _ in 0..3 {
        client.exchange(&Request::update(DENIED));
    }
    for _ in 0..2 {
        client.exchange(&Request::update(good).instead("X-Auth-Token", "nobody-knows-this-token"));
    }
}

fn cells(browser: &mut Browser, row: &str) -> Vec<String> {
    let cells = browser.read(&format!(
        "[...document.querySelectorAll('{row} td')].map((cell) => cell.innerText.trim())"
    ));
    let cells = cells.as_array().expect("a list").iter();
    cells
        .map(|cell| cell.as_str().expect("a text").to_owned())
        .collect()
}

/// How many decisions are listed and not hidden.
fn listed(browser: &mut Browser) -> u64 {
    let count =
        browser.read("document.querySelectorAll('#log [data-number]:not([hidden])').length");
    count.as_u64().expect("a number")
}

#[test]
fn each_figure_is_that_of_the_load() {
    let upstream = Fake::good();
    let gateway = with_quota(&upstream);
    let mut browser = Browser::start();
    browser.open(&format!("http://{}/", gateway.admin_address()));
    browser.until_text("#state", "Live");
    // Notes the rates that are shown and between which moments they were counted.
    browser.read(
        "window.noted = []; window.last = now.at_ms;
         new MutationObserver(() => {
           if (now.at_ms === window.last) return;
           window.noted.push([(now.at_ms - window.last) / 1000, Number(document.getElementById('rate').innerText)]);
           window.last = now.at_ms;
         }).observe(document.getElementById('facts'), { childList: true, subtree: true }); 0",
    );
    load(&gateway);
    browser.until_text("#requests-minute", "30");
    browser.until("document.querySelectorAll('#log [data-number]').length === 30");
    for (selector, text) in [
        ("#refused-minute", "10"),
        ("#refused-share", "33 %"),
        (
            "#answers",
            "BigCommerce’s answers since the start: 20 × 200.",
        ),
        ("#shown", "30 decisions, the newest first, in UTC"),
        (
            "[data-store=abc123] p",
            "20 of 200 used · 130 left for callers · 50 kept free",
        ),
    ] {
        assert_eq!(browser.text(selector), text, "{selector}");
    }
    for (row, expected) in [
        ("[data-code=scope_denied]", ["scope_denied", "5", "5"]),
        (
            "[data-code=invalid_permission_set]",
            ["invalid_permission_set", "3", "3"],
        ),
        ("[data-code=unknown_token]", ["unknown_token", "2", "2"]),
    ] {
        assert_eq!(cells(&mut browser, row), expected);
    }
    let writer = cells(&mut browser, "[data-caller=writer]");
    assert_eq!(&writer[2..4], ["23", "3"], "{writer:?}");
    assert!(writer[4].starts_with("20 of "), "{writer:?}");
    let reader = cells(&mut browser, "[data-caller=reader]");
    assert_eq!(&reader[2..4], ["5", "5"], "{reader:?}");
    // What was sent in all is what was shown a second, times the seconds; each rate is rounded to a tenth.
    browser.until("Number(document.getElementById('rate').innerText) === 0");
    let noted = browser.read("window.noted");
    let sent: f64 = (noted.as_array().expect("a list").iter())
        .map(|note| note[0].as_f64().expect("seconds") * note[1].as_f64().expect("a rate"))
        .sum();
    assert!((sent - 30.0).abs() < 2.0, "{sent}: {noted}");
    assert_eq!(browser.complaints(), serde_json::json!([]));
    assert_latency(&mut browser, gateway);
}

/// The shown quantiles are those of the audit lines, as well as the buckets tell.
fn assert_latency(browser: &mut Browser, gateway: Gateway) {
    let shown = ["#p50", "#p95"].map(|id| browser.text(id));
    let mut took: Vec<f64> = gateway
        .stop()
        .iter()
        .filter_map(|line| line["upstream_us"].as_f64())
        .collect();
    took.sort_by(f64::total_cmp);
    for (text, at) in shown.iter().zip([9, 18]) {
        let (number, unit) = text.split_once(' ').expect("a unit");
        let number: f64 = number.parse().expect("a number");
        let unit = ["µs", "ms", "s"].iter().position(|known| *known == unit);
        let micros = number * [1.0, 1e3, 1e6][unit.expect("a unit")];
        // A bucket is 1.6 times the one before, and the first begins at nothing.
        let (low, high) = (took[at - 1].min(took[at]) / 1.7, took[at].max(1000.0) * 1.7);
        let fits = (low <= micros || took[at] < 1000.0) && micros <= high;
        assert!(fits, "{text} of {took:?}");
    }
}

#[test]
fn decisions_can_be_filtered_paused_and_unfolded_by_keys_alone() {
    let upstream = Fake::good();
    let gateway = with_quota(&upstream);
    load(&gateway);
    let mut browser = Browser::start();
    browser.open(&format!("http://{}/", gateway.admin_address()));
    // Those from before are there at once.
    browser.until("document.querySelectorAll('#log [data-number]').length === 30");
    for (filter, value, count) in [
        ("decision", "denied", 10),
        ("decision", "allowed", 20),
        ("caller", "reader", 5),
        ("code", "invalid_permission_set", 3),
        ("code", "200", 20),
    ] {
        browser.choose(&format!("#filter-{filter}"), value);
        assert_eq!(listed(&mut browser), count, "{filter} {value}");
        browser.choose(&format!("#filter-{filter}"), "");
    }
    browser.choose("#filter-decision", "denied");
    browser.choose("#filter-caller", "writer");
    assert_eq!(listed(&mut browser), 3);
    browser.write("#filter-text", "no such thing");
    assert_eq!(listed(&mut browser), 0);
    assert_eq!(browser.text("#log"), "No decision fits the filters.");
    browser.open(&format!("http://{}/", gateway.admin_address()));
    browser.until("document.querySelectorAll('#log [data-number]').length === 30");
    browser.write("#filter-text", "Tier");
    assert_eq!(
        listed(&mut browser),
        20,
        "what was read of a body is searched"
    );

    browser.click("#pause");
    load(&gateway);
    browser
        .until("document.getElementById('shown').innerText.includes('paused: 30 more have come')");
    browser.click("#pause");
    browser.until("document.querySelectorAll('#log [data-number]').length === 60");

    // From the filter to the first decision, and unfold it.
    browser.read("document.getElementById('pause').focus()");
    browser.press("Tab");
    let focused = browser.read("document.activeElement.tagName");
    let focused = if focused == "OL" {
        // A list that scrolls may be reached itself.
        browser.press("Tab");
        browser.read("document.activeElement.tagName")
    } else {
        focused
    };
    assert_eq!(focused, "SUMMARY");
    browser.press("Enter");
    browser.until("document.querySelector('#log details[open] dl') !== null");
    let details = browser.text("#log details[open] dl");
    for part in ["correlation id", "permission set", "BigCommerce’s status"] {
        assert!(details.contains(part), "{details}");
    }
}

/// Passes connections on to an address until they are cut.
struct Relay {
    address: SocketAddr,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

impl Relay {
    fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let open = Arc::new(Mutex::new(Vec::new()));
        let streams = Arc::clone(&open);
        std::thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                // Between two gateways nobody listens.
                let Ok(far) = TcpStream::connect(target) else {
                    continue;
                };
                for (from, to) in [(&near, &far), (&far, &near)] {
                    let clone = |stream: &TcpStream| stream.try_clone().expect("a clone");
                    let (mut from, mut to) = (clone(from), clone(to));
                    std::thread::spawn(move || {
                        drop(std::io::copy(&mut from, &mut to));
                        drop(to.shutdown(Shutdown::Both));
                    });
                }
                streams.lock().expect("the streams").extend([near, far]);
            }
        });
        Self { address, open }
    }

    fn cut(&self) {
        for stream in self.open.lock().expect("the streams").drain(..) {
            drop(stream.shutdown(Shutdown::Both));
        }
    }
}

#[test]
fn a_page_that_lost_its_connection_goes_on() {
    let upstream = Fake::good();
    let gateway = with_quota(&upstream);
    let relay = Relay::to(gateway.admin_address());
    let mut browser = Browser::start();
    browser.open(&format!("http://{}/", relay.address));
    browser.until_text("#state", "Live");
    load(&gateway);
    browser.until("document.querySelectorAll('#log [data-number]').length === 30");
    browser.read(
        "window.states = []; new MutationObserver(() => window.states.push(document.getElementById('state').innerText))
         .observe(document.getElementById('state'), { childList: true }); 0",
    );
    relay.cut();
    load(&gateway);
    browser.until("document.querySelectorAll('#log [data-number]').length === 60");
    browser.until_text("#state", "Live");
    assert_eq!(browser.text("#requests-minute"), "60");
    let states = browser.read("window.states").to_string();
    assert!(states.contains("Connection lost: trying again"), "{states}");

    // Another process in the place of the first has other numbers.
    let address = gateway.admin_address();
    drop(gateway);
    browser.until_text("#state", "Connection lost: trying again");
    let second = setup(&upstream).with(&format!("admin.address = \"{address}\""));
    let text = second
        .text()
        .replace("admin.address = \"127.0.0.1:0\"\n", "");
    let second = second.start_with(&text);
    second.exchange(&Request::update("{}"));
    browser.until("document.querySelectorAll('#log [data-number]').length === 1");
    browser.until_text("#state", "Live");
    assert_eq!(
        browser.text("#answers"),
        "BigCommerce’s answers since the start: 1 × 200."
    );
}

#[test]
fn it_is_readable_on_a_telephone_and_asks_nobody_else() {
    let upstream = Fake::good();
    let gateway = with_quota(&upstream);
    load(&gateway);
    let mut browser = Browser::start();
    let origin = format!("http://{}/", gateway.admin_address());
    let pictures = std::env::var_os("PAGE_PICTURES");
    for (size, scheme, name) in [
        ((1280, 1100), "light", "desktop"),
        ((1280, 1100), "dark", "desktop-dark"),
        ((360, 1400), "light", "phone"),
        ((360, 1400), "dark", "phone-dark"),
    ] {
        browser.look(size, scheme);
        browser.open(&origin);
        browser.until("document.querySelectorAll('#log [data-number]').length === 30");
        let width = browser.read("document.documentElement.scrollWidth");
        assert_eq!(width, size.0, "nothing is beyond the edge");
        let wide = browser.read(
            "[...document.querySelectorAll('.scroll')].filter((table) => table.scrollWidth > table.clientWidth).length",
        );
        assert_eq!(wide, 0, "{name}: a table is cut");
        // At least as WCAG 2.2 level AA wants it: 4.5 to 1.
        let faint = browser.read(CONTRAST);
        assert_eq!(faint, serde_json::json!([]), "{name}");
        if let Some(folder) = &pictures {
            browser.shoot(&Path::new(folder).join(format!("{name}.png")));
        }
    }
    for url in browser.requests() {
        let is_own = url == origin || url == format!("{origin}events") || url.starts_with("data:");
        assert!(is_own, "{url}");
    }
    assert_eq!(browser.complaints(), serde_json::json!([]));
}

/// The texts whose colour is too near to that of their ground (WCAG 2.2, success criterion 1.4.3).
const CONTRAST: &str = r"(() => {
  const parse = (color) => color.match(/[\d.]+/g).map(Number);
  const light = ([red, green, blue]) => [red, green, blue]
    .map((part) => part / 255)
    .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
    .reduce((sum, part, index) => sum + part * [0.2126, 0.7152, 0.0722][index], 0);
  const ground = (element) => {
    for (let at = element; at !== null; at = at.parentElement) {
      const color = parse(getComputedStyle(at).backgroundColor);
      if (color.length < 4 || color[3] === 1) return color;
    }
    return [255, 255, 255];
  };
  const faint = new Set();
  for (const element of document.querySelectorAll('body *')) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim() !== '');
    if (!own || element.offsetParent === null || element.className === 'skip') continue;
    const [one, other] = [light(parse(getComputedStyle(element).color)), light(ground(element))].sort((a, b) => b - a);
    if ((one + 0.05) / (other + 0.05) < 4.5) faint.add(`${element.tagName}.${element.className} ${element.textContent.trim().slice(0, 20)}`);
  }
  return [...faint];
})()";
