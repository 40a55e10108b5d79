"""What the benches share: requests and answers of HTTP/1.1, an upstream, configurations, and a gateway that runs."""

import contextlib
import hashlib
import json
import pathlib
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
import typing
from collections.abc import Callable, Iterator

CREDENTIAL = "credential-of-the-bench"
TOKEN = "caller-token-of-the-bench"
ONE = "/stores/abc123/v3/customers/7/metafields/9"
BATCH = "/stores/abc123/v3/customers/metafields"
READER = "token-of-a-caller-that-reads"
STRANGER = "token-of-nobody-at-all"
LARGE = '{"permission_set":"app_only","value":"' + "v" * 65_000 + '"}'
SMALL = '{"permission_set":"app_only","namespace":"crm","key":"tier","value":"gold"}'
PLAIN = 'scopes = ["store_v2_customers"]\n'
GRANTS = PLAIN + (
    'stores = ["abc123"]\noperations = ["update", "get"]\npermission_sets = ["app_only", "read"]\n'
    'namespaces = ["crm", "crm.*"]\nkeys = ["tier", "tier.*"]\ncustomers = [7, "100-200"]\n'
    'batch_items = 10\n'
)
RATE = 'rate_limit = { requests = 100000, per = "1s" }\n'
QUOTA = 'quota = { requests = 1000000, per = "30s" }\n'
START_SECONDS = 600


class Message(typing.NamedTuple):
    """A request or an answer: its first line, its fields as they came, and its body."""

    first: bytes
    fields: list[bytes]
    body: bytes

    @property
    def status(self) -> int:
        return int(self.first.split()[1])


def read_message(stream: typing.BinaryIO) -> Message | None:
    """Reads one message with an exact length; None at the end."""
    first = stream.readline()
    if not first:
        return None
    fields, length = [], 0
    while (line := stream.readline()) not in (b"\r\n", b""):
        fields.append(line)
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    return Message(first, fields, stream.read(length))


class Client:
    """Connections that are kept, and over which is asked at the same time."""

    def __init__(self, port: int, count: int, tls: ssl.SSLContext | None = None) -> None:
        connections = [socket.create_connection(("127.0.0.1", port), 60) for _ in range(count)]
        self.connections = [tls.wrap_socket(each) for each in connections] if tls else connections
        self.streams = [connection.makefile("rb") for connection in self.connections]

    def ask(self, wire: bytes) -> list[Message | None]:
        """Sends a request over each connection, then reads the answers."""
        for connection in self.connections:
            connection.sendall(wire)
        return [read_message(stream) for stream in self.streams]

    def close(self) -> None:
        for each in (*self.streams, *self.connections):
            each.close()


def request(method: str, body: str | None = None, token: str = TOKEN, path: str = ONE) -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nHost: gateway.test\r\nX-Auth-Token: {token}\r\nAccept: application/json\r\n"
    if body is None:
        return (head + "\r\n").encode()
    return (head + f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}").encode()


def answer(body: str) -> bytes:
    return (
        f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        "X-Rate-Limit-Time-Window-Ms: 30000\r\nX-Rate-Limit-Time-Reset-Ms: 20000\r\n"
        f"X-Rate-Limit-Requests-Quota: 1000000\r\nX-Rate-Limit-Requests-Left: 999000\r\n\r\n{body}"
    ).encode()


ANSWER = answer('{"data":{"id":9},"meta":{}}')


def metafield(message: Message) -> bytes:
    """What a store answers: the metafield of which the path names the id."""
    name = message.first.split()[1].rpartition(b"/")[2].decode()
    number = name if name.isdecimal() else "9"
    return answer(
        f'{{"data":{{"id":{number},"permission_set":"app_only","namespace":"crm","key":"tier","value":"gold",'
        '"description":"","resource_type":"customer","resource_id":7,"date_created":"2026-01-01T00:00:00Z",'
        '"date_modified":"2026-01-01T00:00:00Z","owner_client_id":"ckzz1pwo8wg6sbwf0ixblvwjxvfl5bm"},"meta":{}}'
    )


def upstream(reply: Callable[[Message], bytes] = lambda _: ANSWER, tls: ssl.SSLContext | None = None) -> int:
    """Starts an upstream that gives each request its reply, and tells its port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve(connection: socket.socket) -> None:
        if tls:
            connection = tls.wrap_socket(connection, server_side=True)
        with connection, connection.makefile("rb") as stream:
            while message := read_message(stream):
                connection.sendall(reply(message))

    def accept() -> None:
        while True:
            connection, _ = listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return listener.getsockname()[1]


def caller(name: str, token: str, rest: str) -> str:
    digest = hashlib.sha256(token.encode()).hexdigest()
    return f'[[caller]]\nname = "{name}"\ntoken_sha256 = ["{digest}"]\n{rest}'


def token(number: int) -> str:
    return f"token-of-the-caller-{number}"


def callers(count: int, rest: str = PLAIN) -> str:
    return "".join(caller(f"caller-{number}", token(number), rest) for number in range(count))


def batch(count: int) -> bytes:
    """An update of so many metafields by the first of the callers."""
    item = {"permission_set": "app_only", "namespace": "crm", "key": "tier", "value": "gold"}
    body = json.dumps([{"id": number, **item} for number in range(1, count + 1)], separators=(",", ":"))
    return request("PUT", body, token(0), BATCH)


def configuration(port: int, more: str, callers: str) -> str:
    return (
        f'workers = 1\n{more}listen.address = "127.0.0.1:0"\nupstream.url = "http://127.0.0.1:{port}"\n'
        '[[store]]\nhash = "abc123"\ncredential.file = "credential"\n' + callers
    )


@contextlib.contextmanager
def running(command: list, folder: pathlib.Path, text: str) -> Iterator[tuple[subprocess.Popen, int]]:
    """Starts the gateway by the command with this configuration; gives its process and its port, and ends it."""
    (folder / "credential").write_text(CREDENTIAL)
    (folder / "gateway.toml").write_text(text)
    command = [*command, "serve", "--config", folder / "gateway.toml"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    try:
        yield process, listening(process)
        process.send_signal(signal.SIGTERM)
        process.wait(60)
    finally:
        process.kill()
        process.wait()


def listening(process: subprocess.Popen) -> int:
    """The port that the gateway names on its standard error, which is read to its end from then on."""
    patience = threading.Timer(START_SECONDS, process.kill)
    patience.start()
    said = []
    for line in process.stderr:
        said.append(line)
        if found := re.search(r" listening.*address=\S*:(\d+)", line):
            break
    else:
        patience.cancel()
        sys.exit(f"the gateway did not start:\n{''.join(said)}")
    patience.cancel()
    threading.Thread(target=process.stderr.read, daemon=True).start()
    return int(found[1])
