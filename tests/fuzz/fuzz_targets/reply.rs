//! An upstream's bytes over HTTP/1.1. The first byte says in how large pieces they come, and its lowest bit whether
//! `HEAD` was asked.
#![no_main]

use libfuzzer_sys::fuzz_target;
use metafield_gateway::gateway::fuzzing::compare;

fuzz_target!(|input: &[u8]| {
    let Some((first, bytes)) = input.split_first() else {
        return;
    };
    let (size, to_head) = (usize::from(first / 2), first % 2 == 1);
    let whole = compare(bytes, bytes.len(), to_head);
    // How it is cut makes no difference.
    assert_eq!(compare(bytes, size, to_head), whole);
});
