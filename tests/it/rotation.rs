//! The audit log's file is moved away while the gateway runs, as a log rotation does, and opened again.

use crate::support::client::Request;
use crate::support::fake::Fake;
use crate::support::gateway::{CREDENTIAL, Folder, Gateway, Setup};
use crate::support::http1::json;
use crate::support::process::Process;
use std::fs;
use std::path::Path;

const WRITTEN: &str = "metafield_gateway_audit_lines_total";

fn start(upstream: &Fake, settings: &str) -> Gateway {
    Setup::new(upstream.address)
        .with("admin.address = \"127.0.0.1:0\"")
        .with(settings)
        .start()
}

/// The customers' paths tell one line from another.
fn ids(path: &Path) -> Vec<u64> {
    let text = fs::read_to_string(path).unwrap_or_default();
    assert!(text.is_empty() || text.ends_with('\n'), "{text:?}");
    let lines = text.lines().map(|line| json(line.as_bytes()));
    lines
        .map(|line| line["metafield_id"].as_u64().expect("an id"))
        .collect()
}

fn send(gateway: &Gateway, id: u32) -> u16 {
    let target = format!("/stores/abc123/v3/customers/7/metafields/{id}");
    gateway.exchange(&Request::new("GET", &target)).status()
}

#[test]
fn each_line_is_in_the_file_that_was_there() {
    let upstream = Fake::good();
    let gateway = start(&upstream, "");
    let (file, moved) = (
        gateway.folder.path().join("audit.jsonl"),
        gateway.folder.path().join("audit.jsonl.1"),
    );
    send(&gateway, 1);
    gateway.wait_for_metric(WRITTEN, 1.0);
    fs::rename(&file, &moved).expect("moved");
    send(&gateway, 2);
    gateway.wait_for_metric(WRITTEN, 2.0);
    gateway.reopen_audit();
    send(&gateway, 3);
    gateway.wait_for_metric(WRITTEN, 3.0);
    assert_eq!((ids(&moved), ids(&file)), (vec![1, 2], vec![3]));
    // Where it cannot be opened, the one before is written on.
    fs::remove_file(&file).expect("removed");
    fs::create_dir(&file).expect("a folder in its place");
    gateway.reopen_audit();
    assert_eq!(send(&gateway, 4), 200);
    gateway.wait_for_metric(WRITTEN, 4.0);
    fs::remove_dir(&file).expect("removed");
    gateway.reopen_audit();
    send(&gateway, 5);
    gateway.wait_for_metric(WRITTEN, 5.0);
    assert_eq!(ids(&file), [5]);
}

#[test]
fn a_full_disk_is_left_for_another() {
    let upstream = Fake::good();
    let folder = Folder::new();
    let file = folder.path().join("rotated.jsonl");
    std::os::unix::fs::symlink("/dev/full", &file).expect("a link");
    let gateway = Setup::new(upstream.address)
        .auditing(file.to_str().expect("UTF-8"))
        .with("admin.address = \"127.0.0.1:0\"")
        .start();
    assert_eq!(send(&gateway, 1), 200);
    gateway.wait_for_metric("metafield_gateway_audit_failing", 1.0);
    assert_eq!(send(&gateway, 2), 503);
    fs::remove_file(&file).expect("removed");
    gateway.reopen_audit();
    gateway.wait_for_metric("metafield_gateway_audit_failing", 0.0);
    assert_eq!(send(&gateway, 3), 200);
    gateway.wait_for_metric(WRITTEN, 3.0);
    assert_eq!(ids(&file), [1, 2, 3], "what waited is not lost");
}

#[test]
fn a_signal_opens_it_again_and_nothing_else() {
    let (upstream, folder) = (Fake::good(), Folder::new());
    folder.write("credential", CREDENTIAL);
    let text = Setup::new(upstream.address).text();
    let path = folder.write("gateway.toml", text);
    let mut gateway = Process::start(&["serve", "--config", path.to_str().expect("UTF-8")]);
    gateway.bound(" listening address=");
    gateway.signal("USR1");
    gateway.log_line("the audit log was opened again");
    gateway.signal("TERM");
    assert_eq!(gateway.end().code, Some(0));
}

#[test]
fn standard_output_stays() {
    let (upstream, folder) = (Fake::good(), Folder::new());
    folder.write("credential", CREDENTIAL);
    let text = Setup::new(upstream.address).auditing("stdout").text();
    let path = folder.write("gateway.toml", text);
    let mut gateway = Process::start(&["serve", "--config", path.to_str().expect("UTF-8")]);
    gateway.bound(" listening address=");
    gateway.signal("USR1");
    gateway.log_line("no file that could be opened again");
    gateway.signal("TERM");
    assert_eq!(gateway.end().code, Some(0));
}
