//! Reads one body so many times, for callgrind to count what `readings` does: `count READER BODY TIMES`.
//! Without arguments it names every body, its bytes, and every reader, between tabs.

use readers::{Body, Input, Policy, Reader};
use std::env;
use std::hint::black_box;

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let bodies = Body::all();
    let [reader, body, times] = arguments.as_slice() else {
        for body in &bodies {
            for reader in Reader::ALL {
                println!("{}\t{}\t{}", body.name, body.text.len(), reader.name());
            }
        }
        return;
    };
    let reader = Reader::ALL.into_iter().find(|known| known.name() == reader);
    let reader = reader.expect("a reader");
    let body = bodies.iter().find(|known| known.name == body);
    let body = body.expect("a body");
    let times: usize = times.parse().expect("a number");
    let policy = Policy::default();
    let input = || Input::new(reader, body);
    // What is done once in a life: the features of the processor, the hash tables' keys.
    reader.read(&policy, &mut input());
    let mut inputs: Vec<Input> = (0..times).map(|_| input()).collect();
    readings(reader, &policy, &mut inputs);
}

#[inline(never)]
fn readings(reader: Reader, policy: &Policy, inputs: &mut [Input]) {
    for input in inputs {
        black_box(reader).read(policy, input);
    }
}
