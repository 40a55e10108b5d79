//! A client's HTTP/2 frames, through the whole of a worker; see `fuzz::frames` for how they are written.
#![no_main]

use fuzz::corridor::{check, contains, run};
use fuzz::frames::Script;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    let script = Script::read(text);
    let pieces: Vec<&[u8]> = script.pieces.iter().map(Vec::as_slice).collect();
    let seen = run(&pieces);
    // One that was said once may be said again by its place in the table, and in a frame as it is.
    let says = |token: &[u8]| {
        contains(&script.said, token) || pieces.iter().any(|piece| contains(piece, token))
    };
    check(&seen, |token| if says(token) { usize::MAX } else { 0 });
});
