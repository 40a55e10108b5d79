"""The pod of deploy/kubernetes/sidecar, for `podman play kube` of podman 4.3.

Usage: pod.py CONFIGURATION CREDENTIAL IMAGE ADMIN-PORT, with files for the first two; prints YAML.
That podman knows no native sidecars, so the gateway is an ordinary container, without an application beside it. It
asks every volume whether it is optional, and mounts what a Secret has in base64 without decoding it: the credential
must be base64 itself. In the host's network, where this pod is, it takes a port for one to be forwarded, and a probe's
port for a number.
"""

import pathlib
import sys

import yaml

configuration, credential, image, admin = sys.argv[1:]
patch = pathlib.Path(__file__).parents[2] / "deploy/kubernetes/sidecar/patch.yaml"
spec = yaml.safe_load(patch.read_text(encoding="utf-8"))["spec"]["template"]["spec"]
(gateway,) = spec.pop("initContainers")
del gateway["restartPolicy"], gateway["ports"]
for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
    gateway[probe]["httpGet"]["port"] = int(admin)
gateway["image"] = image
spec["containers"] = [gateway]
spec["hostNetwork"] = True
for volume in spec["volumes"]:
    (volume.get("secret") or volume["configMap"])["optional"] = False


def manifest(kind, name, **content):
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, **content}


text = pathlib.Path(configuration).read_text(encoding="utf-8")
token = pathlib.Path(credential).read_text(encoding="utf-8")
yaml.safe_dump_all(
    [
        manifest("ConfigMap", "metafield-gateway", data={"gateway.toml": text}),
        manifest("Secret", "bigcommerce", data={"token": token}),
        manifest("Pod", "application", spec=spec),
    ],
    sys.stdout,
)
