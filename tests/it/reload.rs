//! Change without a restart: what is swapped, what stays, and that nobody notices but those it concerns.

mod credentials;
mod disturbance;
mod load;

use crate::support::client::{ALL, Client, ONE, Request};
use crate::support::fake::Fake;
use crate::support::gateway::{Folder, Gateway, READER, Setup, WRITER, token_sha256};
use crate::support::tls::{Authority, Dialer, LOOPBACK};
use metafield_gateway::server::Reloaded;
use std::fs;
use std::os::unix::fs::symlink;

const LOADS: &str = "metafield_gateway_configuration_loads_total{outcome=\"loaded\"}";
const REFUSED: &str = "metafield_gateway_configuration_refused";

fn gateway(upstream: &Fake, more: &str) -> (Gateway, String) {
    let setup = Setup::new(upstream.address)
        .with("admin.address = \"127.0.0.1:0\"")
        .with(more)
        .workers(2);
    let text = setup.text();
    (setup.start(), text)
}

#[test]
fn a_caller_that_is_removed_is_unknown_with_its_next_request() {
    let upstream = Fake::good();
    let (gateway, text) = gateway(&upstream, "");
    let (mut writer, mut reader) = (gateway.connect(), gateway.connect());
    let read = Request::new("GET", ONE).instead("X-Auth-Token", READER);
    assert_eq!(writer.exchange(&Request::update("{}")).status(), 200);
    assert_eq!(reader.exchange(&read).status(), 200);
    let other = text.replace(&token_sha256(WRITER), &token_sha256("another-canary-token"));
    assert_eq!(gateway.reload_with(&other), Reloaded::Loaded);
    // On the open connections, where both workers have served.
    let answer = writer.exchange(&Request::update("{}"));
    assert_eq!(
        (answer.status(), answer.code()),
        (401, Some("unknown_token"))
    );
    let renamed = Request::update("{}").instead("X-Auth-Token", "another-canary-token");
    assert_eq!(writer.exchange(&renamed).status(), 200);
    assert_eq!(reader.exchange(&read).status(), 200);
    assert_eq!(gateway.reload(), Reloaded::Unchanged);
}

#[test]
fn grants_and_limits_change_with_the_next_request() {
    let upstream = Fake::good();
    let (gateway, text) = gateway(&upstream, "");
    let mut client = gateway.connect();
    let request = Request::update(r#"{"permission_set":"write"}"#);
    let batch = Request::new("PUT", ALL).json(r#"[{"id":1},{"id":2}]"#);
    assert_eq!(client.exchange(&request).status(), 200);
    for (from, to, code) in [
        (
            "workers = 2",
            "workers = 2\nlimits.batch_items = 1",
            "batch_too_large",
        ),
        (
            "scopes = [\"store_v2_customers\"]",
            "scopes = [\"store_v2_customers\"]\npermission_sets = [\"read\"]",
            "permission_set_denied",
        ),
    ] {
        assert_eq!(
            gateway.reload_with(&text.replacen(from, to, 1)),
            Reloaded::Loaded
        );
        let request = if code == "batch_too_large" {
            &batch
        } else {
            &request
        };
        assert_eq!(gateway.exchange(request).code(), Some(code));
    }
    assert_eq!(gateway.reload_with(&text), Reloaded::Loaded);
    assert_eq!(gateway.exchange(&request).status(), 200);
    // The connection to the upstream outlived all of it.
    assert!(upstream.connections().len() <= 2);
}

#[test]
fn a_bad_file_changes_nothing_and_is_told() {
    let upstream = Fake::good();
    let (gateway, text) = gateway(&upstream, "");
    let bad = text
        .replacen("scopes", "scoops", 1)
        .replace("workers = 2", "worker = 2");
    assert_eq!(gateway.reload_with(&bad), Reloaded::Refused);
    assert_eq!(gateway.exchange(&Request::update("{}")).status(), 200);
    let ready = gateway.admin("/readyz");
    assert_eq!(ready.status(), 200);
    for part in [
        "ready\nconfiguration: generation 1, in force since ",
        "is refused, the one before stays in force:",
        ": worker: unknown key",
        "did you mean `workers`?",
        "caller[0].scopes: is missing",
        "problems",
    ] {
        assert!(ready.text().contains(part), "{part}: {}", ready.text());
    }
    assert!(gateway.metric(REFUSED) > 0.5);
    // Once it is told, it is not told again.
    assert_eq!(gateway.reload(), Reloaded::Refused);
    assert_eq!(gateway.reload_with(&text), Reloaded::Loaded);
    assert_eq!(gateway.admin("/readyz").text().lines().count(), 2);
    assert!(gateway.metric(REFUSED) < 0.5);
    fs::remove_file(gateway.folder.path().join("gateway.toml")).expect("removed");
    assert_eq!(gateway.reload(), Reloaded::Refused);
    assert!(gateway.admin("/readyz").text().contains("cannot read"));
    assert_eq!(gateway.exchange(&Request::update("{}")).status(), 200);
}

#[test]
fn what_only_a_start_can_change_waits_and_is_told() {
    let upstream = Fake::good();
    let (gateway, text) = gateway(&upstream, "");
    let other = text
        .replace(
            "workers = 2",
            "workers = 3\ndrain_timeout = \"3s\"\nlimits.idle_timeout = \"9s\"",
        )
        .replace(&token_sha256(WRITER), &token_sha256("another-canary-token"));
    assert_eq!(gateway.reload_with(&other), Reloaded::Loaded);
    let shown =
        "takes effect at the next start: workers, drain_timeout, limits of connections and heads\n";
    let ready = gateway.admin("/readyz");
    assert!(ready.text().contains(shown), "{}", ready.text());
    assert!((gateway.metric("metafield_gateway_configuration_waiting") - 3.0).abs() < 0.5);
    assert!((gateway.metric("metafield_gateway_workers") - 2.0).abs() < 0.5);
    // What can change has changed all the same.
    assert_eq!(
        gateway.exchange(&Request::update("{}")).code(),
        Some("unknown_token")
    );
    let tls = format!("{text}\n");
    let tls = tls.replace(
        "listen.address",
        "listen.tls = { certificate = \"tls.crt\", private_key = \"tls.key\" }\nlisten.address",
    );
    let identity = Authority::new().issue(&LOOPBACK);
    gateway.folder.write("tls.crt", identity.certificate);
    gateway.folder.write("tls.key", identity.private_key);
    assert_eq!(gateway.reload_with(&tls), Reloaded::Refused);
    let ready = gateway.admin("/readyz");
    assert!(
        ready
            .text()
            .contains("listen.tls: TLS can neither come nor go"),
        "{}",
        ready.text()
    );
}

#[test]
fn a_new_certificate_is_shown_to_new_connections() {
    let (upstream, old, new) = (Fake::good(), Authority::new(), Authority::new());
    let setup = Setup::new(upstream.address).listening(
        "listen.address = \"127.0.0.1:0\"\n\
         listen.tls = { certificate = \"tls.crt\", private_key = \"tls.key\" }",
    );
    let show = |folder: &Folder, authority: &Authority| {
        let identity = authority.issue(&LOOPBACK);
        folder.write("tls.crt", identity.certificate);
        folder.write("tls.key", identity.private_key);
    };
    show(&setup.folder, &old);
    let gateway = setup.start();
    let connect = |authority: &Authority| {
        let tls = Dialer::trusting(authority).connect(gateway.address())?;
        let mut client = Client::over(tls);
        client.try_send(Request::update("{}").to_bytes())?;
        Ok::<_, std::io::Error>((
            client.try_answer(false)?.map(|answer| answer.status()),
            client,
        ))
    };
    let (status, mut open) = connect(&old).expect("a handshake");
    assert_eq!(status, Some(200));
    show(&gateway.folder, &new);
    // A key that is not the certificate's is a mistake in the middle of a change, and nothing happens.
    gateway
        .folder
        .write("tls.key", old.issue(&LOOPBACK).private_key);
    assert_eq!(gateway.reload(), Reloaded::Refused);
    assert_eq!(connect(&old).expect("a handshake").0, Some(200));
    show(&gateway.folder, &new);
    assert_eq!(gateway.reload(), Reloaded::Loaded);
    assert_eq!(connect(&new).expect("a handshake").0, Some(200));
    assert!(connect(&old).is_err());
    assert_eq!(open.exchange(&Request::update("{}")).status(), 200);
}

/// As the kubelet does: the files stand in a folder of their own, `..data` leads to it, and the names that
/// are mounted lead through `..data`; a change makes another folder and renames another link over `..data`.
#[test]
fn the_swapped_links_of_a_kubernetes_mount_are_seen() {
    let upstream = Fake::good();
    let setup = Setup::new(upstream.address)
        .with("admin.address = \"127.0.0.1:0\"\nreload_interval = \"50ms\"");
    let text = setup.text();
    let mount = setup.folder.path().to_owned();
    let publish = |stamp: &str, text: &str| {
        let folder = mount.join(stamp);
        fs::create_dir(&folder).expect("a folder");
        fs::write(folder.join("gateway.toml"), text).expect("a file");
        fs::write(
            folder.join("credential"),
            format!("canary-credential-{stamp}"),
        )
        .expect("a file");
        symlink(stamp, mount.join("..data_tmp")).expect("a link");
        fs::rename(mount.join("..data_tmp"), mount.join("..data")).expect("swapped");
    };
    publish("..2026_11_25_1", &text);
    let gateway = setup.start_linked("..data");
    let sent = |request: &Request| {
        assert_eq!(gateway.exchange(request).status(), 200);
        let requests = upstream.requests();
        let last = requests.last().expect("a request");
        last.field("x-auth-token").expect("a credential").to_owned()
    };
    assert_eq!(
        sent(&Request::update("{}")),
        "canary-credential-..2026_11_25_1"
    );
    publish("..2026_11_25_2", &text);
    gateway.wait_for_metric(LOADS, 1.0);
    assert_eq!(
        sent(&Request::update("{}")),
        "canary-credential-..2026_11_25_2"
    );
    fs::remove_dir_all(mount.join("..2026_11_25_1")).expect("removed");
    publish(
        "..2026_11_25_3",
        &text.replace(&token_sha256(WRITER), &token_sha256("another-canary-token")),
    );
    gateway.wait_for_metric(LOADS, 2.0);
    assert_eq!(gateway.exchange(&Request::update("{}")).status(), 401);
    let other = Request::update("{}").instead("X-Auth-Token", "another-canary-token");
    assert_eq!(sent(&other), "canary-credential-..2026_11_25_3");
}
