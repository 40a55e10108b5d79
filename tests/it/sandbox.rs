//! `sandbox`: the lines that it prints do what they say.

use crate::support::client::{Client, Request};
use crate::support::http1::json;
use crate::support::process::Process;
use std::process::{Command, Stdio};

/// A printed line, and what the comment above it promises.
struct Example {
    promise: String,
    line: String,
}

impl Example {
    /// The status in brackets, or that of a good answer.
    fn status(&self) -> u16 {
        let bracket = self.promise.rsplit_once('(').map(|(_, rest)| rest);
        bracket
            .and_then(|rest| rest.split(')').next()?.parse().ok())
            .unwrap_or(200)
    }
}

fn examples(printed: &[String]) -> Vec<Example> {
    let pairs = printed.iter().zip(printed.iter().skip(1));
    pairs
        .filter(|(above, line)| above.starts_with("# ") && line.starts_with("curl "))
        .map(|(above, line)| Example {
            promise: above.clone(),
            line: line.clone(),
        })
        .collect()
}

#[test]
fn the_printed_lines_do_what_they_say() {
    let mut sandbox = Process::start(&["sandbox", "--listen", "127.0.0.1:0"]);
    let printed = sandbox.printed_until("Ctrl-C ends the sandbox");
    let examples = examples(&printed);
    assert_eq!(examples.len(), 5, "{printed:?}");
    let has_curl = Command::new("curl")
        .arg("--version")
        .stdout(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    for example in &examples {
        let (status, body) = if has_curl {
            paste(example)
        } else {
            replay(example)
        };
        assert_eq!(status, example.status(), "{}\n{body}", example.promise);
        if example.promise.contains("reads what the writer wrote") {
            let read = json(body.as_bytes());
            assert_eq!(read["data"]["value"], "gold");
            assert_eq!(read["data"]["permission_set"], "app_only");
        }
        if example.promise.contains("counters") {
            assert!(body.contains("metafield_gateway_requests_total{"), "{body}");
        }
    }
    store_answers(&printed);
    sandbox.signal("INT");
    let ended = sandbox.end();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let lines = ended.stdout.lines().filter(|line| line.starts_with('{'));
    let decisions: Vec<_> = lines
        .map(|line| json(line.as_bytes())["decision"].clone())
        .collect();
    assert_eq!(decisions, ["allowed", "denied", "denied", "allowed"]);
}

/// The store itself answers to the credential that is told.
fn store_answers(printed: &[String]) {
    let told = printed.join(" ");
    let part = |from: &str, to: &str| {
        let (_, after) = told.split_once(from).expect("what is told");
        after.split_once(to).expect("its end").0.to_owned()
    };
    let address = part("upstream.url = \"http://", "\"");
    let mut client = Client::connect(address.parse().expect("an address"));
    let target = format!(
        "/stores/{}/v3/customers/7/metafields/1",
        part("the hash \"", "\"")
    );
    let request = Request::new("GET", &target);
    let answer = client.exchange(&request.instead("X-Auth-Token", &part("the credential ", ",")));
    assert_eq!(answer.status(), 200, "{}", answer.text());
    assert_eq!(answer.json()["data"]["namespace"], "crm");
}

/// Runs a line in a shell, as a reader would; gives status and body.
fn paste(example: &Example) -> (u16, String) {
    let output = Command::new("sh")
        .args(["-c", &example.line])
        .stderr(Stdio::null())
        .output()
        .expect("a shell");
    assert!(output.status.success(), "{}", example.line);
    let answer = String::from_utf8(output.stdout).expect("UTF-8");
    match answer.split_once("\r\n\r\n") {
        Some((head, body)) => {
            let status = head
                .split(' ')
                .nth(1)
                .and_then(|status| status.parse().ok());
            (status.expect("a status line"), body.to_owned())
        }
        // Without -i there is no head.
        None => (200, answer),
    }
}

/// Does what a line would do, where there is no curl.
fn replay(example: &Example) -> (u16, String) {
    let words = words(&example.line);
    let after = |option: &str| {
        let place = words.iter().position(|word| word == option);
        place.and_then(|place| words.get(place + 1)).cloned()
    };
    let url = words.iter().find_map(|word| word.strip_prefix("http://"));
    let (address, path) = url.and_then(|url| url.split_once('/')).expect("a URL");
    let method = after("-X").unwrap_or_else(|| "GET".to_owned());
    let mut request = Request::new(&method, &format!("/{path}"))
        .without("X-Auth-Token")
        .instead("Host", address);
    for (option, field) in words.iter().zip(words.iter().skip(1)) {
        if let Some((name, value)) = field.split_once(": ").filter(|_| option == "-H") {
            request = request.with(name, value);
        }
    }
    request.body = after("-d").map(String::into_bytes);
    let answer = Client::connect(address.parse().expect("an address")).exchange(&request);
    (answer.status(), answer.text().to_owned())
}

/// The words of a line; quotes are single and surround whole words.
fn words(line: &str) -> Vec<String> {
    let pieces = line.split('\'').enumerate();
    pieces
        .flat_map(|(index, piece)| {
            if index % 2 == 1 {
                vec![piece.to_owned()]
            } else {
                piece.split_whitespace().map(str::to_owned).collect()
            }
        })
        .collect()
}

#[test]
fn the_lines_can_be_read_without_a_shell() {
    assert_eq!(
        words("curl -X PUT 'http://a/b' -d '{\"a\": 1}'"),
        ["curl", "-X", "PUT", "http://a/b", "-d", "{\"a\": 1}"]
    );
}
