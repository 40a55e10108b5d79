//! A gateway on a free port, with its audit log in a file of its own: in this process, or, where another program is
//! to be tested than the one that was built, as a process of that.

use super::PATIENCE;
use super::client::{Client, Request};
use super::http1::{Kind, Message, json, read};
use super::process::{Process, elsewhere};
use metafield_gateway::config::{LoadError, load::load};
use metafield_gateway::identity::Digest;
use metafield_gateway::observe::Clock;
use metafield_gateway::server::{Bound, Ended, Reloaded, Server, Source, Stage};
use std::fmt::Write as _;
use std::fs::{self, Permissions};
use std::io::BufReader;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The real credential of the store `abc123`: a canary that must never be seen outside its header.
pub const CREDENTIAL: &str = "canary-credential-5f1e0c4d";
/// A caller with `store_v2_customers` and no grants.
pub const WRITER: &str = "canary-token-of-writer";
/// A caller with `store_v2_customers_read_only`.
pub const READER: &str = "canary-token-of-reader";
/// A caller whose scope opens nothing.
pub const PAYMENTS: &str = "canary-token-of-payments";
/// A caller that is limited to some operations, permission sets and namespaces of one store.
pub const LIMITED: &str = "canary-token-of-limited";
/// A caller of the second store alone.
pub const ELSEWHERE: &str = "canary-token-of-elsewhere";

/// A folder that is removed when dropped.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!(
            "metafield-gateway-it-{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).expect("a temporary folder");
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file and gives its path.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, content).expect("a file");
        path
    }

    /// Lets another user write into it.
    pub fn open_to_all(&self) {
        fs::set_permissions(&self.0, Permissions::from_mode(0o777)).expect("our own folder");
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// The line of a caller's token.
pub fn token_sha256(token: &str) -> String {
    Digest::of(token.as_bytes())
        .as_ref()
        .iter()
        .fold(String::new(), |mut hex, byte| {
            write!(hex, "{byte:02x}").expect("a string");
            hex
        })
}

/// A gateway to be.
#[derive(Debug)]
pub struct Setup {
    pub folder: Folder,
    upstream: String,
    listen: String,
    audit: String,
    settings: String,
    workers: usize,
}

/// A gateway that runs.
#[derive(Debug)]
pub struct Gateway {
    running: Option<Running>,
    pub folder: Folder,
}

#[derive(Debug)]
enum Running {
    Here(Box<Server>),
    Apart(Apart),
}

/// A gateway as a process.
#[derive(Debug)]
struct Apart {
    process: Process,
    address: SocketAddr,
    admin: Option<SocketAddr>,
}

impl Apart {
    /// Starts what the configuration at this path asks for; both listeners are on TCP.
    fn start(config: &Path) -> Self {
        let text = fs::read_to_string(config).expect("the configuration");
        let config = config.to_str().expect("UTF-8");
        let mut process = Process::start(&["serve", "--config", config]);
        let address = process.bound(" listening address=");
        let admin = text
            .contains("admin.address")
            .then(|| process.bound("admin listening address="));
        Self {
            process,
            address,
            admin,
        }
    }
}

impl Setup {
    /// A gateway in front of this upstream.
    pub fn new(upstream: SocketAddr) -> Self {
        Self::url(&format!("http://{upstream}"))
    }

    /// A gateway in front of the upstream with this URL.
    pub fn url(upstream: &str) -> Self {
        Self {
            folder: Folder::new(),
            upstream: format!("upstream.url = \"{upstream}\""),
            listen: "listen.address = \"127.0.0.1:0\"".to_owned(),
            audit: "./audit.jsonl".to_owned(),
            settings: String::new(),
            workers: 1,
        }
    }

    /// The same with more lines of dotted keys, such as `limits.body = "1KiB"`.
    pub fn with(mut self, settings: &str) -> Self {
        self.settings.push_str(settings);
        self.settings.push('\n');
        self
    }

    /// The same with other lines about the listener.
    pub fn listening(mut self, listen: &str) -> Self {
        listen.clone_into(&mut self.listen);
        self
    }

    /// The same with its audit log elsewhere.
    pub fn auditing(mut self, output: &str) -> Self {
        output.clone_into(&mut self.audit);
        self
    }

    /// The same with this many workers.
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = workers;
        self
    }

    /// The configuration's text.
    pub fn text(&self) -> String {
        let Self {
            upstream,
            listen,
            audit,
            settings,
            workers,
            ..
        } = self;
        let callers = [
            ("writer", WRITER, "scopes = [\"store_v2_customers\"]"),
            (
                "reader",
                READER,
                "scopes = [\"store_v2_customers_read_only\"]",
            ),
            (
                "payments",
                PAYMENTS,
                "scopes = [\"store_stored_payment_instruments\"]",
            ),
            (
                "limited",
                LIMITED,
                "scopes = [\"store_v2_customers\"]\nstores = [\"abc123\"]\noperations = [\"update\", \"update_batch\", \"list\"]\npermission_sets = [\"app_only\", \"read\"]\nnamespaces = [\"crm\", \"crm.*\"]",
            ),
            (
                "elsewhere",
                ELSEWHERE,
                "scopes = [\"store_v2_customers\"]\nstores = [\"other1\"]",
            ),
        ];
        let mut text = format!(
            "workers = {workers}\n{listen}\n{upstream}\naudit.output = \"{audit}\"\n{settings}\n\
             [[store]]\nhash = \"abc123\"\ncredential = {{ file = \"credential\" }}\n\
             [[store]]\nhash = \"other1\"\ncredential = {{ file = \"credential\" }}\n"
        );
        for (name, token, rest) in callers {
            let digest = token_sha256(token);
            writeln!(
                text,
                "[[caller]]\nname = \"{name}\"\ntoken_sha256 = [\"{digest}\"]\n{rest}"
            )
            .expect("a string");
        }
        text
    }

    /// Starts the gateway.
    pub fn start(self) -> Gateway {
        self.start_by(&Clock::system())
    }

    /// Starts the gateway by another clock.
    pub fn start_by(self, clock: &Clock) -> Gateway {
        let text = self.text();
        self.start_as(&text, clock)
    }

    /// Starts a gateway with another configuration.
    pub fn start_with(self, text: &str) -> Gateway {
        self.start_as(text, &Clock::system())
    }

    /// Starts a gateway with another configuration, by another clock.
    pub fn start_as(self, text: &str, clock: &Clock) -> Gateway {
        self.folder.write("credential", CREDENTIAL);
        self.folder.write("gateway.toml", text);
        let path = self.folder.path().join("gateway.toml");
        self.start_at(path, clock)
    }

    /// Starts a gateway whose files stand behind this link in its folder.
    pub fn start_linked(self, link: &str) -> Gateway {
        for name in ["gateway.toml", "credential"] {
            let file = self.folder.path().join(name);
            std::os::unix::fs::symlink(Path::new(link).join(name), file).expect("a link");
        }
        let path = self.folder.path().join("gateway.toml");
        self.start_at(path, &Clock::system())
    }

    fn start_at(self, path: PathBuf, clock: &Clock) -> Gateway {
        if elsewhere().is_some() {
            self.folder.open_to_all();
            return Gateway {
                running: Some(Running::Apart(Apart::start(&path))),
                folder: self.folder,
            };
        }
        let (seen, loaded) = load(&path, None);
        let loaded = loaded.unwrap_or_else(|error| match error {
            LoadError::Problems(problems) => panic!("{}", problems.report("test")),
            LoadError::Unreadable(error) => panic!("{error}"),
        });
        let server = Server::start_by(loaded, Some(Source { path, seen }), clock);
        let server = server.expect("the gateway starts");
        Gateway {
            running: Some(Running::Here(Box::new(server))),
            folder: self.folder,
        }
    }
}

impl Gateway {
    /// A gateway with nothing special in front of this upstream.
    pub fn before(upstream: SocketAddr) -> Self {
        Setup::new(upstream).start()
    }

    /// Puts another text in the place of the configuration's, and has it loaded.
    pub fn reload_with(&self, text: &str) -> Reloaded {
        self.folder.write("gateway.toml", text);
        self.reload()
    }

    /// Has the configuration looked at.
    pub fn reload(&self) -> Reloaded {
        self.server().reload_and_wait().expect("somebody reloads")
    }

    fn running(&self) -> &Running {
        self.running.as_ref().expect("the gateway runs")
    }

    fn server(&self) -> &Server {
        match self.running() {
            Running::Here(server) => server,
            Running::Apart(_) => panic!("only a gateway in this process can do this"),
        }
    }

    /// Where it listens by TCP.
    pub fn address(&self) -> SocketAddr {
        match self.running() {
            Running::Here(server) => match server.address {
                Bound::Tcp(address) => address,
                Bound::Unix(_) => panic!("the gateway listens on a Unix socket"),
            },
            Running::Apart(apart) => apart.address,
        }
    }

    /// A new connection.
    pub fn connect(&self) -> Client {
        Client::connect(self.address())
    }

    /// Sends one request on a connection of its own.
    pub fn exchange(&self, request: &Request) -> Message {
        self.connect().exchange(request)
    }

    /// Where the operator connects by TCP.
    pub fn admin_address(&self) -> SocketAddr {
        let admin = match self.running() {
            Running::Here(server) => match &server.admin {
                Some(Bound::Tcp(address)) => Some(*address),
                _ => None,
            },
            Running::Apart(apart) => apart.admin,
        };
        admin.expect("an admin listener by TCP")
    }

    /// Has the audit log's file opened again.
    pub fn reopen_audit(&self) {
        self.server().reopen_audit();
    }

    /// Where the status page is.
    pub fn page(&self) -> Option<Bound> {
        self.server().page.clone()
    }

    /// An answer of the admin listener.
    pub fn admin(&self, path: &str) -> Message {
        let address = self.admin_address();
        let mut stream = TcpStream::connect(address).expect("the admin listener");
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        std::io::Write::write_all(&mut stream, request.as_bytes()).expect("written");
        let answer = read(&mut BufReader::new(stream), Kind::Answer { to_head: false });
        answer
            .expect("an answer")
            .expect("an answer before the end")
    }

    /// The value of a counter or gauge, 0 where it does not stand.
    pub fn metric(&self, name: &str) -> f64 {
        let text = self.admin("/metrics");
        let line = text
            .text()
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map_or(0.0, |value| value.parse().expect("a number"))
    }

    /// Waits until a counter or gauge stands at a value.
    #[expect(clippy::disallowed_methods, reason = "the wait is bounded")]
    pub fn wait_for_metric(&self, name: &str, expected: f64) {
        let begun = std::time::Instant::now();
        while (self.metric(name) - expected).abs() > 0.5 {
            assert!(
                begun.elapsed() < PATIENCE,
                "{name} is {}, not {expected}",
                self.metric(name)
            );
        }
    }

    /// Goes on to a later stage.
    pub fn advance(&self, stage: Stage) {
        self.server().advance(stage);
    }

    /// Drains the gateway and gives its audit lines.
    pub fn stop(mut self) -> Vec<serde_json::Value> {
        match self.running.take().expect("the gateway runs") {
            Running::Here(server) => {
                server.advance(Stage::Draining);
                server.wait();
            }
            Running::Apart(apart) => {
                apart.process.signal("TERM");
                let ended = apart.process.end();
                assert_eq!(ended.code, Some(0), "{}", ended.stderr);
            }
        }
        self.audit_lines()
    }

    /// Drains the gateway; gives how that went, and its audit lines.
    pub fn end(mut self) -> (Ended, Vec<serde_json::Value>) {
        self.server().advance(Stage::Draining);
        let Some(Running::Here(server)) = self.running.take() else {
            panic!("it was in this process");
        };
        let ended = server.wait();
        (ended, self.audit_lines())
    }

    fn audit_lines(&self) -> Vec<serde_json::Value> {
        let text = fs::read_to_string(self.folder.path().join("audit.jsonl")).unwrap_or_default();
        text.lines().map(|line| json(line.as_bytes())).collect()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        match self.running.take() {
            Some(Running::Here(server)) => {
                server.advance(Stage::Stopped);
                server.wait();
            }
            Some(Running::Apart(apart)) => apart.process.leave(),
            None => {}
        }
    }
}
