//! The configuration in each `ConfigMap`: `check` takes it, and it is the one that its pod has a place for.

use super::pods::{Pod, pods};
use super::tools::{Manifest, rendered};
use crate::support::gateway::Folder;
use crate::support::process::run;
use metafield_gateway::config::File;
use metafield_gateway::config::file::{Address, read};
use serde_json::Value;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

/// What the last audit lines may take.
const LAST_LINES: Duration = Duration::from_secs(5);

fn text(manifest: &Manifest) -> &str {
    manifest.content["data"]["gateway.toml"]
        .as_str()
        .expect("a configuration")
}

fn config_maps() -> Vec<&'static Manifest> {
    rendered()
        .iter()
        .filter(|manifest| manifest.kind() == "ConfigMap")
        .collect()
}

/// The text of the configuration that this pod's gateway reads.
fn text_of(pod: &Pod) -> &'static str {
    let name = &pod.volume("/etc/metafield-gateway")["configMap"]["name"];
    let mut maps = config_maps().into_iter();
    let map = maps.find(|map| map.source == pod.source && map.content["metadata"]["name"] == *name);
    text(map.unwrap_or_else(|| panic!("{}: no ConfigMap {name}", pod.source)))
}

fn of(pod: &Pod) -> File {
    read(text_of(pod), Path::new("/etc/metafield-gateway")).expect("a configuration")
}

fn tcp(address: &Address) -> SocketAddr {
    match address {
        Address::Tcp(address) => *address,
        Address::Unix(path) => panic!("no port: {}", path.display()),
    }
}

#[test]
fn check_takes_them() {
    for map in config_maps() {
        let folder = Folder::new();
        let path = folder.write("gateway.toml", text(map));
        let path = path.to_str().expect("UTF-8");
        let ended = run(&["check", "--without-secrets", "--config", path]);
        assert_eq!(ended.code, Some(0), "{}: {}", map.source, ended.stderr);
    }
}

#[test]
fn what_they_name_is_mounted_as_a_whole() {
    for pod in pods() {
        let texts = text_of(&pod).split('"').skip(1).step_by(2);
        let paths: Vec<&str> = texts.filter(|text| text.starts_with('/')).collect();
        assert!(!paths.is_empty(), "{}", pod.source);
        for path in paths {
            let above = |mount: &&Value| {
                let rest = path.strip_prefix(mount["mountPath"].as_str().expect("a path"));
                rest.is_some_and(|rest| rest.starts_with('/'))
            };
            let found = pod.mounts().iter().find(above);
            let mount = found.unwrap_or_else(|| panic!("{}: {path} is nowhere", pod.source));
            assert_eq!(mount["readOnly"], true, "{path}");
        }
        for mount in pod.mounts() {
            // Such a mount shows what the volume was when the container began.
            assert!(mount.get("subPath").is_none(), "{mount}");
        }
    }
}

#[test]
fn the_pod_waits_until_the_gateway_has_drained() {
    for pod in pods() {
        let file = of(&pod);
        let grace = pod.spec["terminationGracePeriodSeconds"].as_u64();
        let grace = Duration::from_secs(grace.expect("a time"));
        // A sidecar's turn comes when the application has ended.
        let application = Duration::from_secs(if pod.is_sidecar { 20 } else { 0 });
        let longest = application + file.drain_delay + file.drain_timeout + LAST_LINES;
        assert!(grace > longest, "{}: {grace:?}", pod.source);
        assert_eq!(file.drain_delay.is_zero(), pod.is_sidecar, "{}", pod.source);
    }
}

#[test]
fn ports_are_those_of_the_configuration() {
    for pod in pods() {
        let file = of(&pod);
        let admin = tcp(&file.admin.expect("for probes").address.value);
        assert!(admin.ip().is_unspecified(), "the kubelet cannot reach it");
        let port = pod.port("gateway-admin");
        assert_eq!(port, Some(u64::from(admin.port())), "{}", pod.source);
        let address = tcp(&file.listen.address.value);
        assert_eq!(address.ip().is_loopback(), pod.is_sidecar, "{}", pod.source);
        let expected = (!pod.is_sidecar).then_some(u64::from(address.port()));
        assert_eq!(pod.port("gateway"), expected, "{}", pod.source);
        for service in pod.beside("Service") {
            let port = &service.content["spec"]["ports"][0];
            let protocol = if file.listen.tls.is_some() {
                "https"
            } else {
                "http"
            };
            assert_eq!(port["targetPort"], "gateway");
            assert_eq!(port["appProtocol"], protocol);
        }
    }
}
