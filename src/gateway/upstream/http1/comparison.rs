//! The reader of answers beside hyper's client, on the same bytes: whatever it reads as a whole answer, hyper reads
//! alike, and what hyper reads alone is what the reader is known to refuse. For tests and the fuzz target.

use super::reader::{HEAD, Reader};
use super::words::{FIELDS, Malformed, Piece};
use crate::gateway::framing::check_framing;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Request, StatusCode, Version};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt;

/// A whole answer.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::gateway) struct Answer {
    status: StatusCode,
    version: Version,
    headers: HeaderMap,
    body: Vec<u8>,
}

/// Reads the answer in `bytes`, which come in pieces of `size`, after which the connection closes.
///
/// # Panics
///
/// Where the reader and hyper differ in a way that is not known.
pub(in crate::gateway) fn compare(bytes: &[u8], size: usize, to_head: bool) -> Option<Answer> {
    let ours = read(bytes, size.max(1), to_head);
    let mut theirs = hypers(bytes, to_head);
    match ours {
        Ok(mut ours) => {
            let is_plain = check_framing(&mut ours.headers).is_ok();
            // Said several times alike it is said once from there on.
            if let Some(theirs) = &mut theirs {
                let plain = check_framing(&mut theirs.headers).is_ok();
                assert_eq!(plain, is_plain, "{}", bytes.escape_ascii());
            }
            if is_plain {
                assert_eq!(Some(&ours), theirs.as_ref(), "{}", bytes.escape_ascii());
            }
            is_plain.then_some(ours)
        }
        Err(error) => {
            assert!(
                theirs.is_none() || is_stricter(error),
                "hyper reads {}: {error}: {theirs:?}",
                bytes.escape_ascii()
            );
            None
        }
    }
}

/// Whether hyper may read what is refused for this.
fn is_stricter(error: Malformed) -> bool {
    match error {
        // hyper knows other bounds, and takes a line feed alone at a trailer's end.
        Malformed::Chunk(what) => {
            what.starts_with("long") || what.contains("long line") || what.contains("trailer")
        }
        // Where there is no body hyper does not look at its coding.
        Malformed::Interim | Malformed::HeadTooLong | Malformed::OldCoding => true,
        _ => false,
    }
}

fn read(bytes: &[u8], size: usize, to_head: bool) -> Result<Answer, Malformed> {
    let mut reader = Reader::new();
    reader.expect(to_head);
    let mut pieces = bytes.chunks(size);
    let mut input = Bytes::new();
    let mut more = move |input: &mut Bytes| {
        let Some(piece) = pieces.next() else {
            return false;
        };
        let mut all = BytesMut::from(&input[..]);
        all.extend_from_slice(piece);
        *input = all.freeze();
        true
    };
    let head = loop {
        if !more(&mut input) {
            reader.close()?;
        }
        if let Some(head) = reader.head(&mut input)? {
            break head;
        }
    };
    let mut body = Vec::new();
    loop {
        match reader.piece(&mut input)? {
            Piece::Data(data) => {
                assert!(!data.is_empty(), "a piece has bytes");
                body.extend_from_slice(&data);
            }
            Piece::End => break,
            Piece::More if more(&mut input) => {}
            Piece::More => {
                reader.close()?;
                assert!(!reader.is_free(), "a closed connection is not free");
                break;
            }
        }
    }
    Ok(Answer {
        status: head.status,
        version: head.version,
        headers: head.headers,
        body,
    })
}

fn hypers(bytes: &[u8], to_head: bool) -> Option<Answer> {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.ok()?.block_on(async {
        let (ours, mut theirs) = tokio::io::duplex(bytes.len().max(1024));
        let (mut sender, connection) = http1::Builder::new()
            .max_headers(FIELDS)
            .max_header_size(HEAD)
            .max_buf_size(HEAD)
            .handshake(TokioIo::new(ours))
            .await
            .ok()?;
        let connection = tokio::spawn(connection);
        let mut request = Request::new(Empty::<Bytes>::new());
        if to_head {
            *request.method_mut() = http::Method::HEAD;
        }
        let answer = sender.send_request(request);
        let speak = async {
            // An answer counts only once it was asked for.
            tokio::io::AsyncReadExt::read(&mut theirs, &mut [0; 512])
                .await
                .ok()?;
            theirs.write_all(bytes).await.ok()?;
            theirs.shutdown().await.ok()
        };
        let (answer, _) = tokio::join!(answer, speak);
        let (head, body) = answer.ok()?.into_parts();
        let body = body.collect().await.ok()?.to_bytes().to_vec();
        connection.abort();
        Some(Answer {
            status: head.status,
            version: head.version,
            headers: head.headers,
            body,
        })
    })
}
