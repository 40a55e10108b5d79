//! What Kubernetes says of the manifests, and that it would say more of wrong ones.

use super::tools::{Manifest, VERSIONS, checked, rendered};
use serde_json::Value;
use std::collections::BTreeSet;

#[test]
fn every_manifest_is_valid_in_every_version() {
    let manifests = rendered();
    println!("{:<34} {:<52} {}", "from", "manifest", VERSIONS.join("   "));
    let mut wrong = Vec::new();
    for manifest in manifests {
        let results = VERSIONS.map(|version| match &manifest.faults[version] {
            Value::Null => "ok    ",
            fault => {
                wrong.push(format!("{manifest:?}: {version}: {fault}"));
                "WRONG "
            }
        });
        let name = format!("{}/{}", manifest.kind(), manifest.name());
        println!("{:<34} {name:<52} {}", manifest.source, results.join(" "));
    }
    assert_eq!(wrong, [""; 0]);
    let kinds: BTreeSet<&str> = manifests.iter().map(Manifest::kind).collect();
    let expected = [
        "ConfigMap",
        "Deployment",
        "NetworkPolicy",
        "PodDisruptionBudget",
        "PodMonitor",
        "Service",
    ];
    assert_eq!(kinds, BTreeSet::from(expected));
}

/// The fault of the only manifest in this text, in this version.
fn fault(version: &str, text: &str) -> String {
    let texts = [("text".to_owned(), text.to_owned())];
    let manifests = checked(&texts, &[version]);
    let [manifest] = manifests.as_slice() else {
        panic!("one manifest was expected: {manifests:?}");
    };
    manifest.faults[version].as_str().unwrap_or("").to_owned()
}

#[test]
fn a_wrong_manifest_would_be_seen() {
    let service =
        "{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {ports: [{port: 443}]}}";
    assert_eq!(fault("1.37", service), "");
    let unknown = service.replace("spec: {", "spec: {targetPort: 1, ");
    assert!(fault("1.37", &unknown).contains("'targetPort' was unexpected"));
    let wrong = service.replace("443", "https");
    assert!(fault("1.37", &wrong).starts_with("spec.ports.0.port: "));
    let sidecar = "{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {\
                   containers: [{name: a}], initContainers: [{name: b, restartPolicy: Always}]}}";
    assert_eq!(fault("1.29", sidecar), "");
    assert!(fault("1.27", sidecar).contains("'restartPolicy' was unexpected"));
    let monitor = "{apiVersion: monitoring.coreos.com/v1, kind: PodMonitor, metadata: {name: a}, spec: {\
                   selector: {matchLabels: {a: b}}, podMetricsEndpoints: [{port: a, intervall: 1s}]}}";
    assert!(fault("1.37", monitor).contains("'intervall' was unexpected"));
}
