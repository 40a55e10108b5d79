//! A headless Chromium, told by a program of Node.js what to do.

use super::gateway::Folder;
use super::http1::json;
use super::node;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

const VERSION: &str = "puppeteer-core-24.43.1";

/// A browser with one page; it is closed when dropped.
#[derive(Debug)]
pub struct Browser {
    child: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    _profile: Folder,
}

impl Browser {
    /// Starts Debian's Chromium.
    pub fn start() -> Self {
        let profile = Folder::new();
        let mut child = Command::new("node")
            .arg(node::program("browser", VERSION, "driver.mjs"))
            .arg("/usr/bin/chromium")
            .arg(profile.path().join("profile"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", node::REMEDY));
        let orders = child.stdin.take();
        let mut answers = BufReader::new(child.stdout.take().expect("piped"));
        let mut line = String::new();
        answers.read_line(&mut line).expect("the driver's line");
        assert!(
            line.contains("ready"),
            "the browser does not start: install `chromium`"
        );
        Self {
            child,
            orders,
            answers,
            _profile: profile,
        }
    }

    /// Has something done, and gives what the driver says of it. The driver's patience is bounded.
    fn order(&mut self, order: &Value) -> Value {
        let orders = self.orders.as_mut().expect("the browser runs");
        writeln!(orders, "{order}").expect("the driver listens");
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("an answer");
        let answer = json(line.as_bytes());
        assert!(answer["error"].is_null(), "{order}: {answer}");
        answer["value"].clone()
    }

    pub fn open(&mut self, url: &str) {
        self.order(&json!({ "command": "open", "url": url }));
    }

    /// The value of an expression in the page.
    pub fn read(&mut self, expression: &str) -> Value {
        self.order(&json!({ "command": "read", "expression": expression }))
    }

    /// What the first element that fits shows.
    pub fn text(&mut self, selector: &str) -> String {
        let text = self.read(&format!(
            "document.querySelector({})?.innerText ?? 'nothing there'",
            json!(selector)
        ));
        text.as_str().expect("a text").to_owned()
    }

    /// Waits until an expression is true.
    pub fn until(&mut self, expression: &str) {
        self.order(&json!({ "command": "until", "expression": expression }));
    }

    /// Waits until the first element that fits shows this.
    pub fn until_text(&mut self, selector: &str, text: &str) {
        let (selector, text) = (json!(selector), json!(text));
        self.until(&format!(
            "document.querySelector({selector})?.innerText === {text}"
        ));
    }

    pub fn choose(&mut self, selector: &str, value: &str) {
        self.order(&json!({ "command": "choose", "selector": selector, "value": value }));
    }

    pub fn click(&mut self, selector: &str) {
        self.order(&json!({ "command": "click", "selector": selector }));
    }

    pub fn write(&mut self, selector: &str, value: &str) {
        self.order(&json!({ "command": "type", "selector": selector, "value": value }));
    }

    pub fn press(&mut self, key: &str) {
        self.order(&json!({ "command": "press", "key": key }));
    }

    /// Looks by a window of this size, in `light` or `dark`.
    pub fn look(&mut self, (width, height): (u32, u32), scheme: &str) {
        self.order(
            &json!({ "command": "look", "width": width, "height": height, "scheme": scheme }),
        );
    }

    /// Takes a picture of what is seen.
    pub fn shoot(&mut self, path: &std::path::Path) {
        self.order(&json!({ "command": "shoot", "path": path }));
    }

    /// What the browser complained of.
    pub fn complaints(&mut self) -> Value {
        self.order(&json!({ "command": "complaints" }))
    }

    /// Every address that the page asked for.
    pub fn requests(&mut self) -> Vec<String> {
        let requests = self.order(&json!({ "command": "requests" }));
        let requests = requests.as_array().expect("a list").iter();
        requests
            .map(|url| url.as_str().expect("a text").to_owned())
            .collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // At the end of its orders the driver closes the browser and ends.
        drop(self.orders.take());
        drop(self.child.wait());
    }
}
