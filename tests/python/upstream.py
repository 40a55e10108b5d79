"""An upstream that can be killed and paused: it says back what it was asked, and keeps a record of the
ids it received that outlives it. An id is in the record before a byte of its answer is written.

Usage: upstream.py ADDRESS PORT RECORD

It prints `listening PORT` (the real one where 0 was asked for). At SIGUSR1 it hangs up once on each of its
connections, between receiving the next request and answering it. At SIGTERM it ends as soon as its last
connection has, so that what had arrived is in the record.
"""

import asyncio
import json
import os
import re
import signal
import socket
import sys

FIELD = re.compile(rb"\r\n(content-length|x-correlation-id): *([^\r]*)", re.IGNORECASE)
ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
)
BODY = b'{"data":{"id":9,"seen":"%b","value":"%b"}}'


class Upstream:
    def __init__(self, record):
        self.record = record
        self.open = set()
        self.ended = asyncio.get_running_loop().create_future()
        self.leaving = False

    def hang_up(self):
        for connection in self.open:
            connection.hangs_up = True

    def leave(self, server):
        self.leaving = True
        server.close()
        self.look()

    def look(self):
        if self.leaving and not self.open and not self.ended.done():
            self.ended.set_result(None)


class Connection(asyncio.Protocol):
    def __init__(self, upstream):
        self.upstream = upstream
        self.waiting = bytearray()
        self.hangs_up = False

    def connection_made(self, transport):
        self.transport = transport
        self.upstream.open.add(self)

    def connection_lost(self, error):
        self.upstream.open.discard(self)
        self.upstream.look()

    def data_received(self, data):
        self.waiting += data
        while self.answer():
            pass

    def answer(self):
        """Answers the next request if it is there as a whole."""
        end = self.waiting.find(b"\r\n\r\n")
        if end < 0:
            return False
        fields = {
            name.lower(): value for name, value in FIELD.findall(self.waiting[:end])
        }
        end += 4
        whole = end + int(fields.get(b"content-length", 0))
        if len(self.waiting) < whole:
            return False
        correlation_id = fields[b"x-correlation-id"]
        value = json.loads(self.waiting[end:whole])["value"] if whole > end else ""
        del self.waiting[:whole]
        os.write(self.upstream.record, correlation_id + b"\n")
        if self.hangs_up:
            self.transport.abort()
            return False
        body = BODY % (correlation_id, value.encode())
        self.transport.write(ANSWER % (len(body), body))
        return True


async def main(address, port, path):
    upstream = Upstream(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600))
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, int(port)))
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Connection(upstream), sock=listener, backlog=1024
    )
    loop.add_signal_handler(signal.SIGUSR1, upstream.hang_up)
    loop.add_signal_handler(signal.SIGTERM, upstream.leave, server)
    print("listening", listener.getsockname()[1], flush=True)
    await upstream.ended


asyncio.run(main(*sys.argv[1:]))
