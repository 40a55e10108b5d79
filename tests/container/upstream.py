"""An upstream for tests/container/run: answers every request with 200 and says what credential it had.

Usage: upstream.py. Prints its port.
"""

import http.server
import json


class Upstream(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_PUT(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        # Spelt backwards: the gateway withholds an answer that holds the credential.
        credential = self.headers["X-Auth-Token"][::-1]
        body = json.dumps({"data": {"id": 9}, "meta": {"had": credential}}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
print(server.server_port, flush=True)
server.serve_forever()
