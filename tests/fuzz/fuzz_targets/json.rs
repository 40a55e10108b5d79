//! Strict JSON: what is accepted has one reading, and what is refused is refused for a reason.
#![no_main]

use fuzz::readings::{self, members};
use libfuzzer_sys::fuzz_target;
use metafield_gateway::denial::Denial;
use metafield_gateway::policy::MAX_DEPTH;
use metafield_gateway::policy::fuzzing::walk;

fuzz_target!(|body: &[u8]| {
    let lenient = readings::read(body);
    let last_wins = serde_json::from_slice::<serde_json::Value>(body);
    match walk(body) {
        Ok(integer) => {
            let read = lenient.expect("a lenient reader reads it too");
            let tree = last_wins.expect("another reader reads it too");
            assert!(!read.repeats());
            assert!(read.depth() <= MAX_DEPTH);
            assert_eq!(read.keys().len(), members(&tree));
            assert_eq!(tree.as_u64(), integer);
            if let Some(integer) = integer {
                assert_eq!(read, readings::Read::Number(integer.to_string()));
            }
        }
        Err(Denial::DuplicateKey { .. }) => {
            // What follows the second key may be anything.
            if let (Ok(tree), Some(read)) = (last_wins, lenient) {
                assert!(read.repeats());
                assert!(read.keys().len() > members(&tree));
            }
        }
        Err(Denial::MalformedJson { .. }) => {
            let deep = lenient.is_some_and(|read| read.depth() > MAX_DEPTH);
            assert!(
                last_wins.is_err() || deep,
                "a value that others read was refused as malformed"
            );
        }
        // A number that no reader can hold.
        Err(Denial::Fields(_)) => assert!(last_wins.is_err()),
        Err(other) => panic!("{other:?}"),
    }
});
