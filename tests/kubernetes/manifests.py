"""Checks rendered manifests strictly against the schemas of Kubernetes, and shows what is in them.

Usage: manifests.py VERSION[,VERSION...] FILE...
Prints a JSON object a line for each manifest: its file, the manifest itself, and by version what is wrong with it, or
null. A PodMonitor is no kind of Kubernetes: podmonitor.schema.json, beside this file, stands in for every version.
"""

import functools
import json
import pathlib
import sys

import jsonschema
import kubernetes_validate
import kubernetes_validate.utils
import yaml

# It reads its definitions anew for each manifest.
kubernetes_validate.utils.schema_contents = functools.cache(
    kubernetes_validate.utils.schema_contents
)

PODMONITOR = json.loads(
    pathlib.Path(__file__).with_name("podmonitor.schema.json").read_text(encoding="utf-8")
)


class Loader(yaml.SafeLoader):
    """Refuses a key that stands twice, of which YAML's readers keep one or the other."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = {key for key in keys if keys.count(key) > 1}
        if twice:
            raise yaml.constructor.ConstructorError(
                None, None, f"twice: {sorted(twice)}", node.start_mark
            )
        return super().construct_mapping(node, deep)


def fault(manifest, version):
    """What is wrong with a manifest, or None."""
    try:
        if manifest["kind"] == "PodMonitor":
            jsonschema.validate(manifest, PODMONITOR)
        else:
            kubernetes_validate.validate(manifest, version, strict=True)
    except jsonschema.ValidationError as error:
        place = ".".join(str(part) for part in error.absolute_path)
        return f"{place}: {error.message}"
    except kubernetes_validate.SchemaNotFoundError as error:
        return error.message
    return None


def main(versions, files):
    for file in files:
        with open(file, encoding="utf-8") as text:
            for manifest in yaml.load_all(text, Loader):
                if manifest is not None:
                    faults = {version: fault(manifest, version) for version in versions}
                    print(json.dumps({"file": file, "manifest": manifest, "faults": faults}))


main(sys.argv[1].split(","), sys.argv[2:])
