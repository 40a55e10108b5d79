//! One client's connection through a whole worker, over pipes and in simulated time, with an upstream
//! that records every byte and answers each request that it can read.

use crate::judge;
use crate::world::{CREDENTIAL, LIMITED, READER, SNAPSHOT, WRITER};
use metafield_gateway::gateway::fuzzing::Pipes;
use metafield_gateway::observe::{Audit, OnFailure};
use metafield_gateway::server::fuzzing::Corridor;
use std::cell::RefCell;
use std::collections::HashMap;
use std::io::Write;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, split};
use tokio::runtime::{Builder, LocalOptions};
use tokio::task::{spawn_local, yield_now};

/// Longer than every limit of the gateway: when so much simulated time has passed, nothing is left to do.
const SETTLED: Duration = Duration::from_secs(300);

/// What became of a client's bytes.
pub struct Seen {
    /// What reached the upstream, a connection each.
    pub upstream: Vec<Vec<u8>>,
    /// What came back to the client.
    pub client: Vec<u8>,
    /// The audit lines.
    pub lines: Vec<serde_json::Value>,
}

type Record = Rc<RefCell<Vec<Vec<u8>>>>;

/// Sends these pieces over one connection, and waits until nothing more happens.
pub fn run(pieces: &[&[u8]]) -> Seen {
    let log = Log::default();
    let (audit, writer) =
        Audit::start_on(Box::new(log.clone()), OnFailure::Refuse, 65_536).expect("a thread");
    let record = Record::default();
    let runtime = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build_local(LocalOptions::default())
        .expect("a runtime");
    let client = runtime.block_on(converse(audit, Rc::clone(&record), pieces));
    // Every task ends with the runtime, and so every record is finished.
    drop(runtime);
    assert!(writer.finish(Duration::from_secs(10)), "the audit log ends");
    let text = log.0.lock().expect("the log").clone();
    let lines = text
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty());
    let lines = lines
        .map(|line| serde_json::from_slice(line).expect("a line of JSON"))
        .collect();
    Seen {
        upstream: record.take(),
        client,
        lines,
    }
}

async fn converse(audit: Audit, record: Record, pieces: &[&[u8]]) -> Vec<u8> {
    let (pipes, mut ends) = Pipes::new();
    let corridor = Corridor::new(Arc::clone(&SNAPSHOT), audit, pipes);
    spawn_local(async move {
        while let Some(end) = ends.recv().await {
            record.borrow_mut().push(Vec::new());
            let number = record.borrow().len() - 1;
            spawn_local(upstream(end, number, Rc::clone(&record)));
        }
    });
    let (client, served) = corridor.connect();
    let served = spawn_local(served);
    let (mut reader, mut writer) = split(client);
    let answers = spawn_local(async move {
        let mut answers = Vec::new();
        drop(reader.read_to_end(&mut answers).await);
        answers
    });
    for piece in pieces {
        if writer.write_all(piece).await.is_err() {
            break;
        }
        yield_now().await;
    }
    tokio::time::sleep(SETTLED).await;
    drop(writer.shutdown().await);
    tokio::time::sleep(SETTLED).await;
    served.abort();
    drop(served.await);
    answers.await.expect("the reader ends with the connection")
}

async fn upstream(mut end: DuplexStream, number: usize, record: Record) {
    let mut pending = Vec::new();
    let mut space = vec![0; 16 * 1024];
    while let Ok(count @ 1..) = end.read(&mut space).await {
        record.borrow_mut()[number].extend_from_slice(&space[..count]);
        pending.extend_from_slice(&space[..count]);
        while let Some((request, rest)) = judge::read(&pending) {
            let answer = answer(&request);
            pending = rest.to_vec();
            let Some(answer) = answer else { return };
            if end.write_all(&answer).await.is_err() {
                return;
            }
        }
    }
}

/// What the upstream says to a request: it misbehaves by the customer that the request is about.
fn answer(request: &judge::Request) -> Option<Vec<u8>> {
    let customer = request.target.split('/').nth(5).unwrap_or_default();
    let ok = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
    let (begin, end) = CREDENTIAL.split_at(CREDENTIAL.len() / 2);
    let chunk = |text: &str| format!("{:x}\r\n{text}\r\n", text.len());
    let length = |text: &str| format!("{ok}Content-Length: {}\r\n\r\n{text}", text.len());
    Some(
        match customer {
            // It leaves without a word, so that the request may be sent again.
            "1" => return None,
            "2" => length(CREDENTIAL),
            "3" => format!("{ok}X-Echo: {CREDENTIAL}\r\nContent-Length: 0\r\n\r\n"),
            "4" => {
                let chunks = [chunk(begin), chunk(end)].concat();
                format!("{ok}Transfer-Encoding: chunked\r\n\r\n{chunks}0\r\n\r\n")
            }
            // Longer than what is collected.
            "5" => length(&format!(
                "{}{CREDENTIAL}{}",
                "x".repeat(1_100_000),
                "y".repeat(100)
            )),
            "6" => format!("HTTP/1.1 401 {CREDENTIAL}\r\nContent-Length: 2\r\n\r\n{{}}"),
            "8" => format!("{ok}Content-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
            "10" => format!(
                "HTTP/1.1 103 {CREDENTIAL}\r\nX: {CREDENTIAL}\r\n\r\n{}",
                length("{}")
            ),
            _ => length("{}"),
        }
        .into_bytes(),
    )
}

/// The audit log's output.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("the log").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Judges everything that a client's bytes led to; `most` tells how many requests at most its input can
/// make with this token.
pub fn check(seen: &Seen, most: impl Fn(&[u8]) -> usize) {
    assert!(
        !contains(&seen.client, CREDENTIAL.as_bytes()),
        "the credential is told"
    );
    let mut reached: HashMap<String, usize> = HashMap::new();
    for bytes in &seen.upstream {
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let (request, after) = judge::read(rest).expect("whole requests alone");
            let id = request.field("x-correlation-id").expect("an id");
            let callers = callers(seen, id);
            let [first, others @ ..] = &callers[..] else {
                panic!("no record of {id}");
            };
            // Whoever chooses one id for several requests may mix its callers up.
            if others.iter().all(|other| other == first) {
                judge::check(&request, token(first));
            }
            *reached.entry(id.to_owned()).or_default() += 1;
            rest = after;
        }
    }
    for line in seen.lines.iter().filter(|line| line["sent"] != "no") {
        let id = line["correlation_id"].as_str().expect("an id");
        let (lines, requests) = (
            callers(seen, id).len(),
            reached.get(id).copied().unwrap_or(0),
        );
        // A request may be sent once more.
        assert!(
            (lines..=2 * lines).contains(&requests),
            "{requests} requests in {lines} lines"
        );
    }
    for name in ["writer", "reader", "limited"] {
        let made = seen
            .lines
            .iter()
            .filter(|line| line["caller"] == name)
            .count();
        assert!(
            made <= most(token(name).as_bytes()),
            "in the name of {name}, who did not ask"
        );
    }
    for mut line in seen.lines.iter().cloned() {
        // A metafield may be called as its caller likes.
        for name in ["namespace", "key", "namespaces", "keys"] {
            line[name].take();
        }
        let text = line.to_string();
        for secret in [CREDENTIAL, WRITER, READER, LIMITED] {
            assert!(!text.contains(secret), "a secret in the record");
        }
    }
}

/// The callers in the records of what was sent under this id.
fn callers<'a>(seen: &'a Seen, id: &str) -> Vec<&'a str> {
    let lines = seen
        .lines
        .iter()
        .filter(|line| line["correlation_id"] == id);
    lines
        .filter(|line| line["decision"] == "allowed" && line["sent"] != "no")
        .map(|line| line["caller"].as_str().expect("a caller"))
        .collect()
}

fn token(caller: &str) -> &'static str {
    match caller {
        "writer" => WRITER,
        "reader" => READER,
        "limited" => LIMITED,
        other => panic!("nobody's request: {other}"),
    }
}

/// Whether these bytes stand within those.
pub fn contains(bytes: &[u8], sought: &[u8]) -> bool {
    bytes.windows(sought.len()).any(|window| window == sought)
}

/// How often they do.
pub fn count(bytes: &[u8], sought: &[u8]) -> usize {
    bytes
        .windows(sought.len())
        .filter(|window| *window == sought)
        .count()
}
