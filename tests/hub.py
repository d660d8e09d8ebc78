"""A model hub for tests, which breaks and hangs when asked to."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

WEIGHTS = bytes(range(256)) * 4096
CONFIG = b'{"model_type": "test"}'
GATED = "owner/gated"


class Hub(ThreadingHTTPServer):
    """A hub with one repository; each answer ends after `cut` bytes while there are breaks left."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), HubHandler)
        self.files = {"model.safetensors": WEIGHTS, "config.json": CONFIG, "model.bin": b"x"}
        self.breaks = 0
        self.cut = 100_000
        self.sent = 0
        # Bytes after which an answer hangs until `released`; 0: none does.
        self.stall_after = 0
        self.released = threading.Event()
        self.announced = hashlib.sha256(WEIGHTS).hexdigest()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"


class HubHandler(BaseHTTPRequestHandler):
    """Answers for a hub."""

    server: Hub

    def log_message(self, *args):
        """Keep the test's output clean."""

    def do_GET(self):
        path = unquote(urlsplit(self.path).path)
        if GATED in path:
            self.send_error(403)
        elif path == "/api/models/owner/model/revision/main":
            self.answer(json.dumps({"sha": "c0ffee"}).encode())
        elif path == "/api/models/owner/model/tree/c0ffee":
            self.answer(json.dumps([self.described(name) for name in self.server.files]).encode())
        elif path.startswith("/owner/model/resolve/c0ffee/"):
            self.file(self.server.files[path.rpartition("/")[2]])
        else:
            self.send_error(404)

    def described(self, name):
        content = self.server.files[name]
        item = {"type": "file", "path": name, "size": len(content)}
        if name == "model.safetensors":
            return {**item, "oid": "x", "lfs": {"oid": self.server.announced}}
        blob = b"blob %d\0" % len(content) + content
        return {**item, "oid": hashlib.sha1(blob).hexdigest()}

    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def file(self, content):
        start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
        rest = content[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        if self.server.breaks and len(rest) > self.server.cut:
            self.server.breaks -= 1
            rest = rest[: self.server.cut]
            self.close_connection = True
        stalled = 0 < self.server.stall_after < len(rest)
        if stalled:
            rest = rest[: self.server.stall_after]
            self.close_connection = True
        self.server.sent += len(rest)
        self.wfile.write(rest)
        if stalled:
            self.server.released.wait()


@contextmanager
def running_hub() -> Iterator[Hub]:
    """Serve a hub until the block ends."""
    server = Hub()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.released.set()
        server.shutdown()
        thread.join()
        server.server_close()
