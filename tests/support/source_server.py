"""A local HTTP server that speaks a publisher's protocol, and fails on demand.

It serves files with byte ranges, ETags and If-Range, and handlers for anything else (keys,
pages, jobs). Faults are laid down beforehand and used up one a request, so a test says exactly
what the client will meet.
"""

from __future__ import annotations

import json
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from hashlib import md5
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from hazecast.services.sources.http import Patience

QUICK = Patience(attempts=3, wait_initial=0.0, wait_max=0.0, wait_jitter=0.0, connect_seconds=5.0, read_seconds=10.0)
# For the tests of time-outs alone; more attempts, since a busy machine may add a time-out of its own.
IMPATIENT = replace(QUICK, attempts=5, read_seconds=0.3)


@dataclass(frozen=True)
class Seen:
    """A request as it came."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes = b""


@dataclass(frozen=True)
class Reply:
    """An answer to send."""

    body: bytes = b""
    status: int = 200
    content_type: str = "application/octet-stream"
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Fault:
    """What goes wrong with the next `times` requests whose path matches `path`.

    With `status` the server refuses, with `hang` it waits that many seconds before it answers,
    with `keep` it closes the connection after that share of the body, with `flip` it damages the
    byte at that share of the body, and with `body` it sends something else under status 200.
    """

    path: str = ""
    times: int = 1
    status: int | None = None
    retry_after: str | None = None
    hang: float = 0.0
    keep: float | None = None
    flip: float | None = None
    body: bytes | None = None
    content_type: str = "text/html; charset=utf-8"


def json_reply(value: object, status: int = 200) -> Reply:
    """Return a value as a JSON answer."""
    return Reply(json.dumps(value).encode(), status, "application/json; charset=utf-8")


class SourceServer:
    """The server; `url` is its base, `requests` what was received, `faults` what is still to go wrong.

    With the files of a certificate and its key it speaks TLS, as localhost.
    """

    def __init__(self, certificate: tuple[Path, Path] | None = None) -> None:
        self.requests: list[Seen] = []
        self.faults: list[Fault] = []
        self.connections: list[socket.socket] = []
        self._files: dict[str, tuple[bytes, str]] = {}
        self._handlers: list[tuple[str, Callable[[Seen], Reply]]] = []
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"source": self}))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
            self.url = f"https://localhost:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def file(self, path: str, content: bytes, content_type: str = "application/octet-stream") -> str:
        """Serve `content` at `path`, in place of what was there; return its address."""
        self._files[path] = (content, content_type)
        return self.url + path

    def remove(self, path: str) -> None:
        """Take a file away again."""
        del self._files[path]

    def route(self, prefix: str, handler: Callable[[Seen], Reply]) -> str:
        """Let `handler` answer every path that starts with `prefix`."""
        self._handlers.append((prefix, handler))
        return self.url + prefix

    def fail(self, **fault: object) -> None:
        """Lay down a `Fault`."""
        self.faults.append(Fault(**fault))  # type: ignore[arg-type]

    def asked(self, part: str = "") -> list[Seen]:
        """Return the requests whose path matches `part`."""
        return [seen for seen in self.requests if re.search(part, seen.path)]

    def stop(self) -> None:
        """Stop listening and drop the connections: from now on they are refused."""
        self._server.shutdown()
        self._server.server_close()
        for connection in self.connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def fault_for(self, path: str) -> Fault | None:
        """Use up and return the first fault that is due for `path`."""
        with self._lock:
            for fault in self.faults:
                if fault.times > 0 and re.search(fault.path, path):
                    fault.times -= 1
                    return fault
        return None

    def answer(self, seen: Seen) -> Reply:
        """Return the answer to a request, faults aside."""
        for prefix, handler in self._handlers:
            if seen.path.startswith(prefix):
                return handler(seen)
        if seen.path not in self._files:
            return Reply(b"<Error><Code>NoSuchKey</Code></Error>", 404, "application/xml")
        return _ranged(seen, *self._files[seen.path])


def _ranged(seen: Seen, content: bytes, content_type: str) -> Reply:
    headers = {"ETag": f'"{md5(content).hexdigest()}"', "Accept-Ranges": "bytes"}
    wanted = seen.headers.get("range")
    if wanted is None or seen.headers.get("if-range", headers["ETag"]) != headers["ETag"]:
        return Reply(content, 200, content_type, headers)
    first, _, last = wanted.removeprefix("bytes=").partition("-")
    start, end = int(first), min(int(last) if last else len(content) - 1, len(content) - 1)
    if start >= len(content):
        return Reply(b"", 416, content_type, headers | {"Content-Range": f"bytes */{len(content)}"})
    return Reply(
        content[start : end + 1],
        206,
        content_type,
        headers | {"Content-Range": f"bytes {start}-{end}/{len(content)}"},
    )


class _Handler(BaseHTTPRequestHandler):
    source: SourceServer
    protocol_version = "HTTP/1.1"
    # One packet an answer: otherwise each waits 40 ms for the acknowledgement of its header.
    wbufsize = -1
    disable_nagle_algorithm = True

    def setup(self) -> None:
        """Note the connection, so that it can be dropped."""
        super().setup()
        self.source.connections.append(self.connection)

    def do_GET(self) -> None:
        split = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        query = {name: values[-1] for name, values in parse_qs(split.query, keep_blank_values=True).items()}
        headers = {name.lower(): value for name, value in self.headers.items()}
        seen = Seen(self.command, split.path, query, headers, body)
        self.source.requests.append(seen)
        fault = self.source.fault_for(seen.path)
        reply = self._refused(fault) or self.source.answer(seen)
        if fault is not None and fault.hang:
            time.sleep(fault.hang)
        try:
            self._send(reply, fault)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    do_POST = do_HEAD = do_DELETE = do_GET  # noqa: N815

    def _refused(self, fault: Fault | None) -> Reply | None:
        if fault is None:
            return None
        if fault.status is not None:
            after = {} if fault.retry_after is None else {"Retry-After": fault.retry_after}
            return Reply(b"refused", fault.status, "text/plain", after)
        return None if fault.body is None else Reply(fault.body, 200, fault.content_type)

    def _send(self, reply: Reply, fault: Fault | None) -> None:
        body = reply.body
        if fault is not None and fault.flip is not None and body:
            at = int((len(body) - 1) * fault.flip)
            body = body[:at] + bytes([body[at] ^ 0xFF]) + body[at + 1 :]
        self.send_response(reply.status)
        for name, value in {"Content-Type": reply.content_type, **reply.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        if fault is not None and fault.keep is not None:
            body = body[: int(len(body) * fault.keep)]
            self.close_connection = True
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, *args: object) -> None:
        """Keep the tests' output free of access logs."""


@contextmanager
def serving() -> Iterator[SourceServer]:
    """Run a server for the length of a test."""
    server = SourceServer()
    try:
        yield server
    finally:
        server.stop()
