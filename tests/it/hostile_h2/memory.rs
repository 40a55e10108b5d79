//! What floods cost in memory, seen from outside: the most that the program ever had resident, against
//! what it had before.

use super::{data, get, open, ordinary, still_serves};
use crate::support::fake::Fake;
use crate::support::frames::{
    CONTINUATION, END_STREAM, HEADERS, MAX_FRAME, PING, Wire, block, frame, headers, indexed,
    indexing, literal, reset, settings,
};
use crate::support::gateway::{CREDENTIAL, Folder, Setup};
use crate::support::process::Process;
use std::net::SocketAddr;

/// How much more than before a flood may ever have taken.
const GROWTH: usize = 32 * 1024;

/// A line of `/proc/PID/status`, in KiB.
fn status(id: u32, name: &str) -> usize {
    let text = std::fs::read_to_string(format!("/proc/{id}/status")).expect("it runs");
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.unwrap_or_else(|| panic!("no {name}: {text}"))
}

type Flood = (&'static str, usize, fn(&mut Wire));

/// Each with the number of connections that do it at once. None of them reads.
const FLOODS: [Flood; 8] = [
    ("many fields of bodies that do not come", 8, |wire| {
        for stream in 0..64 {
            let fields = [indexing("x", ""), indexed(62).repeat(2200)].concat();
            let head = [
                block(&ordinary("PUT")),
                literal("content-type", "application/json"),
                fields,
            ]
            .concat();
            send(wire, headers(2 * stream + 1, 0, &head));
        }
    }),
    ("PING", 8, |wire| {
        send(wire, frame(PING, 0, 0, [0; 8]).repeat(200_000));
    }),
    ("SETTINGS", 8, |wire| {
        send(wire, settings(&[(1, 0), (4, 1)]).repeat(100_000));
    }),
    ("half a head", 64, |wire| {
        let field = literal("x", "#".repeat(MAX_FRAME - 7));
        let head = block(&ordinary("GET"));
        send(
            wire,
            [
                frame(HEADERS, END_STREAM, 1, head),
                frame(CONTINUATION, 0, 1, field).repeat(4),
            ]
            .concat(),
        );
    }),
    ("bodies that do not end", 8, |wire| {
        for stream in 0..64 {
            send(
                wire,
                [
                    open(2 * stream + 1),
                    data(2 * stream + 1, 0, vec![b' '; 16_000]),
                ]
                .concat(),
            );
        }
    }),
    ("an entry used often", 32, |wire| {
        for stream in 0..64 {
            let bomb = [indexing("x", "#".repeat(4000)), indexed(62).repeat(60)].concat();
            let head = [block(&ordinary("GET")), bomb].concat();
            send(wire, headers(2 * stream + 1, END_STREAM, &head));
        }
    }),
    ("rapid reset", 32, |wire| {
        let pairs = (0..2000).map(|count| [get(2 * count + 1), reset(2 * count + 1, 8)].concat());
        send(wire, pairs.collect::<Vec<_>>().concat());
    }),
    ("streams beyond the most", 8, |wire| {
        let streams = (0..2000).map(|count| open(2 * count + 1));
        send(wire, streams.collect::<Vec<_>>().concat());
    }),
];

/// Sends what the gateway reads of this.
fn send(wire: &mut Wire, bytes: Vec<u8>) {
    // It may close, or stop reading; a limit on the time of writing then ends this.
    wire.try_send(bytes).ok();
}

fn flood(address: SocketAddr, connections: usize, act: fn(&mut Wire)) {
    let mut wires: Vec<_> = (0..connections).map(|_| Wire::connect(address)).collect();
    std::thread::scope(|scope| {
        for wire in &mut wires {
            scope.spawn(|| act(wire));
        }
    });
    still_serves(address);
}

#[test]
fn floods_take_little_memory() {
    let (upstream, folder) = (Fake::good(), Folder::new());
    folder.write("credential", CREDENTIAL);
    let text = Setup::new(upstream.address)
        .with("limits.write_timeout = \"300ms\"\nlimits.body_timeout = \"300ms\"")
        .workers(2)
        .text();
    let path = folder.write("gateway.toml", text);
    let path = path.to_str().expect("UTF-8");
    for (title, connections, act) in FLOODS {
        let mut gateway = Process::start(&["serve", "--config", path]);
        let address = gateway.bound(" listening address=");
        for _ in 0..8 {
            still_serves(address);
        }
        let before = status(gateway.id(), "VmHWM:");
        flood(address, connections, act);
        let most = status(gateway.id(), "VmHWM:");
        println!("{title}: {before} KiB, at most {most} KiB");
        assert!(
            most <= before + GROWTH,
            "{title}: {before} KiB, then {most} KiB"
        );
    }
    println!("memory: {} cases", FLOODS.len());
}
