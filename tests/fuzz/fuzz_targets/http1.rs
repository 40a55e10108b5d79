//! A client's bytes over HTTP/1.1, through the whole of a worker. The first byte says in how large pieces
//! they come.
#![no_main]

use fuzz::corridor::{check, contains, count, run};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((size, bytes)) = input.split_first() else {
        return;
    };
    let pieces: Vec<&[u8]> = match usize::from(*size) {
        0 => vec![bytes],
        size => bytes.chunks(size).collect(),
    };
    let seen = run(&pieces);
    // Each request has to bring its own token, unless this is HTTP/2 with its table of fields.
    let lower = bytes.to_ascii_lowercase();
    let is_http2 = contains(&lower, b"pri * http/2");
    check(&seen, |token| {
        if is_http2 {
            usize::MAX
        } else {
            count(bytes, token)
        }
    });
    // Of the one body that this client's bytes hold in one piece, nothing else was made.
    if !contains(&lower, b"chunked") && !is_http2 {
        for upstream in &seen.upstream {
            let mut rest = upstream.as_slice();
            while let Some((request, after)) = fuzz::judge::read(rest) {
                assert!(request.body.is_empty() || contains(bytes, &request.body));
                rest = after;
            }
        }
    }
});
