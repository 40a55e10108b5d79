//! A client's HTTP/2 frames, through the whole of a worker; see `fuzz::frames` for how they are written.
#![no_main]

use fuzz::corridor::{check, contains, run};
use fuzz::frames::Script;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    let script = Script::read(text);
    let pieces: Vec<&[u8]> = script.pieces.iter().map(Vec::as_slice).collect();
    let seen = run(&pieces);
    // A token may also come in a frame that is written as it is.
    check(&seen, |sought| {
        contains(&script.said, sought) || pieces.iter().any(|piece| contains(piece, sought))
    });
});
