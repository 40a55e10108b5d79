//! One client's connection through a whole worker, over pipes and in simulated time, with an upstream
//! that records every byte and answers each request that it can read.

use crate::judge;
use crate::world::{CREDENTIAL, SNAPSHOT};
use metafield_gateway::gateway::fuzzing::Pipes;
use metafield_gateway::observe::{Audit, OnFailure};
use metafield_gateway::server::fuzzing::Corridor;
use std::cell::RefCell;
use std::io::Write;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, split};
use tokio::runtime::{Builder, LocalOptions};
use tokio::task::{spawn_local, yield_now};

const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";

/// Longer than every limit of the gateway: when so much simulated time has passed, nothing is left to do.
const SETTLED: Duration = Duration::from_secs(60);

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
        while let Some((_, rest)) = judge::read(&pending) {
            pending = rest.to_vec();
            if end.write_all(ANSWER).await.is_err() {
                return;
            }
        }
    }
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

/// Judges everything that a client's bytes led to; `holds` tells whether its input has this text in it.
pub fn check(seen: &Seen, holds: impl Fn(&[u8]) -> bool) {
    use crate::world::{LIMITED, READER, WRITER};
    assert!(
        !contains(&seen.client, CREDENTIAL.as_bytes()),
        "the credential is told"
    );
    let mut requests = 0;
    for bytes in &seen.upstream {
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let (request, after) = judge::read(rest).expect("whole requests alone");
            let id = judge::check(&request);
            let reads = matches!(request.method.as_str(), "GET" | "HEAD");
            let writes = holds(WRITER.as_bytes()) || holds(LIMITED.as_bytes());
            assert!(
                writes || reads && holds(READER.as_bytes()),
                "nobody's request"
            );
            let lines = seen
                .lines
                .iter()
                .filter(|line| line["correlation_id"] == id);
            let sent = lines.filter(|line| line["decision"] == "allowed" && line["sent"] != "no");
            assert!(sent.count() >= 1, "no record of {id}");
            requests += 1;
            rest = after;
        }
    }
    let sent = seen
        .lines
        .iter()
        .filter(|line| line["sent"] != "no")
        .count();
    assert_eq!(sent, requests, "a record for each request that was sent");
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

/// Whether these bytes stand within those.
pub fn contains(bytes: &[u8], sought: &[u8]) -> bool {
    bytes.windows(sought.len()).any(|window| window == sought)
}
