//! An issuer of the test's own: a key, tokens of any claims, and a server of key sets that can be stopped and
//! started again at its address.

use super::PATIENCE;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// A P-256 key by its id.
#[derive(Debug)]
pub struct Key {
    id: String,
    pair: EcdsaKeyPair,
}

impl Key {
    /// A fresh key.
    pub fn new(id: &str) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING);
        Self {
            id: id.to_owned(),
            pair: pair.expect("a key"),
        }
    }

    /// A token of these claims.
    pub fn token(&self, claims: &serde_json::Value) -> String {
        let header = format!(r#"{{"alg":"ES256","kid":"{}","typ":"JWT"}}"#, self.id);
        let signed = format!("{}.{}", encoded(header), encoded(claims.to_string()));
        let signature = self.pair.sign(&SystemRandom::new(), signed.as_bytes());
        format!("{signed}.{}", encoded(signature.expect("signed")))
    }
}

fn encoded(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The key set of these keys.
pub fn jwks(keys: &[&Key]) -> String {
    let keys: Vec<_> = keys
        .iter()
        .map(|key| {
            let (x, y) = key.pair.public_key().as_ref()[1..].split_at(32);
            let (x, y, id) = (encoded(x), encoded(y), &key.id);
            format!(r#"{{"kty":"EC","crv":"P-256","kid":"{id}","use":"sig","x":"{x}","y":"{y}"}}"#)
        })
        .collect();
    format!("{{\"keys\":[{}]}}", keys.join(","))
}

/// An answer with this body.
pub fn ok(body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

/// A server that answers every request alike.
#[derive(Debug)]
pub struct Server {
    pub address: SocketAddr,
    answer: Arc<Mutex<String>>,
    asked: Receiver<String>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Answers with these bytes, on a free port.
    pub fn start(answer: &str) -> Self {
        Self::start_at("127.0.0.1:0".parse().expect("an address"), answer)
    }

    /// The same where another has been.
    pub fn start_at(address: SocketAddr, answer: &str) -> Self {
        let listener = TcpListener::bind(address).expect("a port");
        let address = listener.local_addr().expect("an address");
        let answer = Arc::new(Mutex::new(answer.to_owned()));
        let stop = Arc::new(AtomicBool::new(false));
        let (sender, asked) = channel();
        let thread = std::thread::spawn({
            let (answer, stop) = (Arc::clone(&answer), Arc::clone(&stop));
            move || {
                for stream in listener.incoming().map_while(Result::ok) {
                    if stop.load(Ordering::Acquire) {
                        return;
                    }
                    let request = head(&stream);
                    let answer = answer.lock().expect("no panic").clone();
                    // A gateway that has seen enough may have left.
                    drop((&stream).write_all(answer.as_bytes()));
                    drop(sender.send(request));
                }
            }
        });
        Self {
            address,
            answer,
            asked,
            stop,
            thread: Some(thread),
        }
    }

    /// From now on it answers with these bytes.
    pub fn answer(&self, answer: &str) {
        answer.clone_into(&mut self.answer.lock().expect("no panic"));
    }

    /// Waits for a request that has been answered, and gives its head.
    pub fn asked(&self) -> String {
        self.asked.recv_timeout(PATIENCE).expect("a request")
    }

    /// How many requests were answered and not waited for.
    pub fn unseen(&self) -> usize {
        self.asked.try_iter().count()
    }

    /// From now on nobody listens at its address, which it gives.
    pub fn stop(self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        // The thread waits for a connection, and ends with this one.
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            thread.join().expect("no panic");
        }
    }
}

fn head(stream: &TcpStream) -> String {
    let mut head = String::new();
    for line in BufReader::new(stream).lines().map_while(Result::ok) {
        if line.is_empty() {
            break;
        }
        head.push_str(&line);
        head.push('\n');
    }
    head
}
