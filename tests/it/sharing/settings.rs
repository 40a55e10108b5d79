//! How the gateway is let in: passwords, users with few rights, TLS.

use super::fleet::{Fleet, Gateway, limit, now};
use crate::support::PATIENCE;
use crate::support::gateway::Folder;
use crate::support::redis::{Redis, free_port};
use crate::support::tls::Authority;
use std::time::Duration;

const PASSWORD: &str = "canary-password-of-redis";

/// What the documentation says that a user must be allowed.
const RIGHTS: [&str; 17] = [
    "resetkeys",
    "~metafield-gateway:*",
    "-@all",
    "+eval",
    "+evalsha",
    "+script|load",
    "+time",
    "+hget",
    "+hmget",
    "+hset",
    "+hdel",
    "+hlen",
    "+hkeys",
    "+exists",
    "+rename",
    "+del",
    "+pexpire",
];

fn fleet(shared: &str) -> Fleet {
    Fleet::start(1, limit(40, Duration::from_secs(60)), Some(shared))
}

fn is_shared(gateway: &Gateway) -> bool {
    let metric =
        "metafield_gateway_store_quota_questions_total{store=\"abc123\",outcome=\"answered\"} ";
    gateway.metric(metric) > Some(0.0)
}

#[test]
fn a_user_with_few_rights_and_a_password_from_a_file() {
    let redis = Redis::start_with(&["--requirepass", "another-password"]);
    let folder = Folder::new();
    let mut user = vec![
        "-a",
        "another-password",
        "--no-auth-warning",
        "acl",
        "setuser",
        "gateway",
        "on",
    ];
    let password = format!(">{PASSWORD}");
    user.push(&password);
    user.extend(RIGHTS);
    assert_eq!(redis.command(&user), "OK");
    let file = folder.write("password", format!("{PASSWORD}\n"));
    let shared = |file: &std::path::Path| {
        format!(
            "url = \"{}\"\nusername = \"gateway\"\npassword_file = \"{}\"",
            redis.url(),
            file.display()
        )
    };
    let known = fleet(&shared(&file));
    assert_eq!(known.gateways[0].exchange("crm").status(), 200);
    assert!(is_shared(&known.gateways[0]));

    let wrong = folder.write("wrong", "canary-wrong-password");
    let mut unknown = fleet(&shared(&wrong));
    let gateway = &mut unknown.gateways[0];
    assert_eq!(gateway.exchange("crm").status(), 200);
    let line = gateway.process.log_line("the quota is not shared");
    assert!(
        line.contains("cannot connect to redis://127.0.0.1:"),
        "{line}"
    );
    assert!(!line.contains("canary"), "{line}");
    assert!(!is_shared(gateway));
}

#[test]
fn tls_by_an_authority_of_ones_own() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let folder = Folder::new();
    let identity = authority.issue(&["localhost"]);
    let certificate = folder.write("redis.crt", &identity.certificate);
    let key = folder.write("redis.key", &identity.private_key);
    let ca = folder.write("ca.crt", authority.pem());
    let other = folder.write("other.crt", stranger.pem());
    let port = free_port();
    let text = |path: &std::path::Path| path.to_str().expect("a path").to_owned();
    let _redis = Redis::start_with(&[
        "--tls-port",
        &port.to_string(),
        "--tls-cert-file",
        &text(&certificate),
        "--tls-key-file",
        &text(&key),
        "--tls-ca-cert-file",
        &text(&ca),
        "--tls-auth-clients",
        "no",
    ]);
    let shared = |ca: &std::path::Path| {
        format!(
            "url = \"rediss://localhost:{port}\"\nca = \"{}\"",
            ca.display()
        )
    };
    let known = fleet(&shared(&ca));
    assert_eq!(known.gateways[0].exchange("crm").status(), 200);
    assert!(is_shared(&known.gateways[0]));
    let mut unknown = fleet(&shared(&other));
    let gateway = &mut unknown.gateways[0];
    gateway.process.log_line("the quota is not shared");
    // It is by itself, and so has one part of ten.
    let got = (0..10)
        .filter(|_| gateway.exchange("crm").status() == 200)
        .count();
    assert_eq!(got, 4);
}

#[test]
fn a_reload_keeps_what_is_held_and_can_end_the_sharing() {
    let redis = Redis::start();
    let mut fleet = fleet(&format!("url = \"{}\"", redis.url()));
    let gateway = &mut fleet.gateways[0];
    for _ in 0..12 {
        assert_eq!(gateway.exchange("crm").status(), 200);
    }
    let config = std::fs::read_to_string(&gateway.config).expect("the configuration");
    let (before, rest) = config.split_once("[quota.shared]\n").expect("the table");
    let (_, after) = rest.split_once('\n').expect("its line");
    std::fs::write(&gateway.config, format!("{before}{after}")).expect("written");
    gateway.process.signal("HUP");
    gateway.process.log_line("a new configuration is in force");
    let began = now();
    while is_shared(gateway) {
        assert!(began.elapsed() < PATIENCE);
    }
    // What was spent stays spent.
    let mut got = 12;
    while gateway.exchange("crm").status() == 200 {
        got += 1;
    }
    assert_eq!(got, 40);
    std::fs::write(&gateway.config, config).expect("written");
    gateway.process.signal("HUP");
    gateway.process.log_line("a new configuration is in force");
    assert_eq!(gateway.exchange("crm").status(), 429);
    assert_eq!(gateway.told(429), 0);
}
