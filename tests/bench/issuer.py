"""An issuer of signed tokens (JWT) for the benches."""

import base64
import hashlib
import json
import re
import subprocess
import time

from harness import PLAIN

# In a configuration: the issuer, and a caller that it knows. `jwks.json` holds the keys.
SIGNED = (
    '[[issuer]]\nname = "idp"\nissuer = "https://idp.test"\naudience = "gateway"\njwks.file = "jwks.json"\n'
    f'[[caller]]\nname = "signed"\nsigned_token = {{ issuer = "idp", subject = "app" }}\n{PLAIN}'
)


def text64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def part(claims: dict) -> str:
    return text64(json.dumps(claims, separators=(",", ":")).encode())


def number(text: str, name: str) -> int:
    """The number of this name in a key as openssl prints it: pairs of hex digits with colons, over many lines."""
    digits = re.search(rf"^{name}:([\s0-9a-f:]+)", text, re.M)[1]
    return int(re.sub(r"[\s:]", "", digits), 16)


class Issuer:
    """Signs tokens (RS256) with a key of 2,048 bits of its own."""

    def __init__(self) -> None:
        key = subprocess.run(["openssl", "genrsa", "2048"], check=True, capture_output=True).stdout
        text = subprocess.run(["openssl", "rsa", "-text", "-noout"], input=key, check=True, capture_output=True).stdout.decode()
        self.modulus, self.private = number(text, "modulus"), number(text, "privateExponent")

    def keys(self) -> str:
        key = {"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "r1", "n": text64(self.modulus.to_bytes(256)), "e": "AQAB"}
        return json.dumps({"keys": [key]})

    def token(self, serial: int) -> str:
        """A token as an issuer makes it, different from those with another serial."""
        now = int(time.time())
        claims = {
            "iss": "https://idp.test", "sub": "app", "aud": "gateway", "exp": now + 3600, "iat": now,
            "jti": f"0f8fad5b-d9cb-469f-a165-{serial:012}", "client_id": "app", "scope": "store_v2_customers",
        }
        signed = part({"alg": "RS256", "typ": "at+jwt", "kid": "r1"}) + "." + part(claims)
        return f"{signed}.{text64(self.signature(signed.encode()))}"

    def signature(self, data: bytes) -> bytes:
        """RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017 section 8.2.1)."""
        digest = bytes.fromhex("3031300d060960864801650304020105000420") + hashlib.sha256(data).digest()
        padded = b"\x00\x01" + b"\xff" * (256 - 3 - len(digest)) + b"\x00" + digest
        return pow(int.from_bytes(padded), self.private, self.modulus).to_bytes(256)
