//! The pods: how the gateway stands in them, what is taken from it, and who selects it.

use super::tools::{Manifest, rendered};
use serde_json::{Value, json};

/// A pod template with a gateway in it.
#[derive(Debug)]
pub struct Pod {
    pub source: String,
    pub labels: Value,
    pub spec: Value,
    pub container: Value,
    pub is_sidecar: bool,
}

impl Pod {
    fn of(manifest: &Manifest) -> Self {
        let template = &manifest.content["spec"]["template"];
        let spec = template["spec"].clone();
        let gateway = |list: &str| {
            let containers = spec[list].as_array()?;
            containers
                .iter()
                .find(|container| container["name"] == "metafield-gateway")
                .cloned()
        };
        let (sidecar, alone) = (gateway("initContainers"), gateway("containers"));
        let is_sidecar = sidecar.is_some();
        Self {
            source: manifest.source.clone(),
            labels: template["metadata"]["labels"].clone(),
            container: sidecar.or(alone).expect("a gateway"),
            spec,
            is_sidecar,
        }
    }

    pub fn mounts(&self) -> &[Value] {
        self.container["volumeMounts"].as_array().expect("mounts")
    }

    /// The volume that is mounted here.
    pub fn volume(&self, path: &str) -> &Value {
        let mount = self
            .mounts()
            .iter()
            .find(|mount| mount["mountPath"] == path);
        let name = &mount.expect("a mount")["name"];
        let volumes = self.spec["volumes"].as_array().expect("volumes");
        let volume = volumes.iter().find(|volume| volume["name"] == *name);
        volume.expect("the volume of a mount")
    }

    pub fn port(&self, name: &str) -> Option<u64> {
        let ports = self.container["ports"].as_array()?;
        let port = ports.iter().find(|port| port["name"] == name)?;
        port["containerPort"].as_u64()
    }

    /// The manifests of a kind that come with it.
    pub fn beside(&self, kind: &str) -> Vec<&'static Manifest> {
        rendered()
            .iter()
            .filter(|manifest| manifest.source == self.source && manifest.kind() == kind)
            .collect()
    }

    /// Whether these labels are among its own.
    fn has(&self, labels: &Value) -> bool {
        let labels = labels.as_object().expect("labels");
        !labels.is_empty()
            && labels
                .iter()
                .all(|(name, value)| self.labels[name] == *value)
    }
}

/// Every pod template that is rendered.
pub fn pods() -> Vec<Pod> {
    rendered()
        .iter()
        .filter(|manifest| manifest.kind() == "Deployment")
        .map(Pod::of)
        .collect()
}

#[test]
fn both_ways_are_there_by_kustomize_and_by_helm() {
    for source in [
        ("deploy/kubernetes/example", true),
        ("deploy/kubernetes/deployment", false),
        ("helm, in an application's chart", true),
        ("helm, deployment", false),
    ] {
        let found = pods()
            .iter()
            .any(|pod| (pod.source.as_str(), pod.is_sidecar) == source);
        assert!(found, "{source:?}");
    }
}

#[test]
fn a_sidecar_goes_on_beside_the_application_and_outlives_it() {
    for pod in pods() {
        let expected = if pod.is_sidecar {
            json!("Always")
        } else {
            Value::Null
        };
        assert_eq!(pod.container["restartPolicy"], expected, "{}", pod.source);
    }
}

#[test]
fn nothing_is_left_to_the_container_that_it_does_not_need() {
    for pod in pods() {
        let context = &pod.container["securityContext"];
        let of_pod = &pod.spec["securityContext"];
        let either = |name: &str| {
            let own = &context[name];
            if own.is_null() {
                of_pod[name].clone()
            } else {
                own.clone()
            }
        };
        assert_eq!(either("runAsNonRoot"), true, "{}", pod.source);
        assert_eq!(either("runAsUser"), 65532);
        let group = if pod.is_sidecar { 0 } else { 65532 };
        assert_eq!(either("runAsGroup"), group);
        assert_eq!(either("seccompProfile"), json!({"type": "RuntimeDefault"}));
        assert_eq!(context["allowPrivilegeEscalation"], false);
        assert_eq!(context["readOnlyRootFilesystem"], true);
        assert_eq!(context["capabilities"], json!({"drop": ["ALL"]}));
        // A sidecar asks nothing of the application's pod.
        let group = if pod.is_sidecar {
            Value::Null
        } else {
            65532.into()
        };
        assert_eq!(of_pod["fsGroup"], group, "{}", pod.source);
        assert_eq!(pod.spec["automountServiceAccountToken"], false);
        assert!(!pod.container["resources"]["limits"]["memory"].is_null());
        assert!(!pod.container["resources"]["requests"]["cpu"].is_null());
    }
}

#[test]
fn a_secret_is_read_by_the_gateway_alone() {
    for pod in pods() {
        let volumes = pod.spec["volumes"].as_array().expect("volumes");
        let secrets = volumes.iter().filter(|volume| !volume["secret"].is_null());
        for secret in secrets.clone() {
            assert_eq!(secret["secret"]["defaultMode"], 0o440, "{}", pod.source);
            let others = pod.spec["containers"]
                .as_array()
                .expect("containers")
                .iter();
            for container in others.filter(|_| pod.is_sidecar) {
                let mounts = container["volumeMounts"].as_array();
                let has_it = |mount: &Value| mount["name"] == secret["name"];
                assert!(!mounts.into_iter().flatten().any(has_it), "{}", pod.source);
            }
        }
        assert!(secrets.count() > 0);
    }
}

#[test]
fn probes_ask_the_admin_listener() {
    for pod in pods() {
        for (probe, path) in [
            ("startupProbe", "/readyz"),
            ("livenessProbe", "/livez"),
            ("readinessProbe", "/readyz"),
        ] {
            let asked = &pod.container[probe]["httpGet"];
            assert_eq!(*asked, json!({"path": path, "port": "gateway-admin"}));
        }
    }
}

#[test]
fn the_image_is_of_this_version() {
    let tag = format!(":{}", env!("CARGO_PKG_VERSION"));
    for pod in pods() {
        let image = pod.container["image"].as_str().expect("an image");
        assert!(
            image.ends_with(&tag) || image.contains("@sha256:"),
            "{image}"
        );
    }
}

#[test]
fn selectors_find_the_pods() {
    let mut monitors = 0;
    for pod in pods() {
        for service in pod.beside("Service") {
            assert!(pod.has(&service.content["spec"]["selector"]), "{service:?}");
        }
        for budget in pod.beside("PodDisruptionBudget") {
            let selector = &budget.content["spec"]["selector"]["matchLabels"];
            assert!(pod.has(selector), "{budget:?}");
        }
        for monitor in pod.beside("PodMonitor") {
            let selector = &monitor.content["spec"]["selector"];
            let is_found = match selector["matchLabels"] {
                Value::Null => pod.labels.get("metafield-gateway").is_some(),
                _ => pod.has(&selector["matchLabels"]),
            };
            assert!(is_found, "{monitor:?}");
            // The alerts know the gateway by its job, which is named after this.
            assert!(monitor.name().contains("metafield-gateway"));
            let asked = &monitor.content["spec"]["podMetricsEndpoints"][0]["port"];
            assert!(pod.port(asked.as_str().expect("a port")).is_some());
            monitors += 1;
        }
        let constraints = pod.spec["topologySpreadConstraints"].as_array();
        for constraint in constraints.into_iter().flatten() {
            assert!(pod.has(&constraint["labelSelector"]["matchLabels"]));
        }
    }
    assert!(monitors >= 3, "{monitors}");
}

/// The policies that choose these pods, by what they say of one way.
fn rules<'a>(policies: &'a [&Manifest], way: &str) -> Vec<&'a Value> {
    policies
        .iter()
        .flat_map(|policy| policy.content["spec"][way].as_array().into_iter().flatten())
        .collect()
}

#[test]
fn policies_let_in_who_is_named_and_out_what_is_needed() {
    for pod in pods() {
        let policies = pod.beside("NetworkPolicy");
        let (own, of_callers): (Vec<_>, Vec<_>) = policies
            .into_iter()
            .partition(|policy| pod.has(&policy.content["spec"]["podSelector"]["matchLabels"]));
        if own.is_empty() {
            continue;
        }
        for (way, peers) in [("ingress", "from"), ("egress", "to")] {
            for rule in rules(&own, way).iter().chain(&rules(&of_callers, way)) {
                let named = rule[peers]
                    .as_array()
                    .is_some_and(|peers| !peers.is_empty());
                assert!(named, "{}: everyone, in {rule}", pod.source);
                let limited = rule["ports"]
                    .as_array()
                    .is_some_and(|ports| !ports.is_empty());
                assert!(limited, "{}: everything, in {rule}", pod.source);
            }
        }
        let out = json!(rules(&own, "egress")).to_string();
        assert!(
            out.contains("\"port\":53") && out.contains("\"port\":443"),
            "{out}"
        );
        // Of the callers' own there is no address at all: names, and the gateway.
        let callers = json!(rules(&of_callers, "egress")).to_string();
        assert!(!callers.contains("ipBlock"), "{callers}");
    }
}

/// What makes the difference between two gateways that should be the same.
fn comparable(pod: &Pod) -> Value {
    let mut container = pod.container.clone();
    let fields = container.as_object_mut().expect("an object");
    fields.remove("env");
    fields.remove("imagePullPolicy");
    for name in ["runAsNonRoot", "runAsUser", "runAsGroup", "seccompProfile"] {
        fields["securityContext"]
            .as_object_mut()
            .expect("an object")
            .remove(name);
    }
    container
}

#[test]
fn kustomize_and_helm_say_the_same() {
    let pods = pods();
    let of = |source: &str| {
        let pod = pods.iter().find(|pod| pod.source == source);
        comparable(pod.expect("a pod"))
    };
    assert_eq!(
        of("deploy/kubernetes/example"),
        of("helm, in an application's chart")
    );
    assert_eq!(of("deploy/kubernetes/deployment"), of("helm, deployment"));
}
