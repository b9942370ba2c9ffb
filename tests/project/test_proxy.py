"""The reverse proxy's configuration, by nginx itself: it is valid, and does in front of a service what it is for."""

from __future__ import annotations

import os
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from tests.support.certificates import certificate
from tests.support.paths import ROOT
from tests.support.receivers import free_port

CONFIG = (ROOT / "deploy" / "nginx.conf").read_text(encoding="utf-8")
NAME = "haze.bureau.example"
NGINX = os.environ.get("NGINX_PROGRAM") or shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
needs_nginx = pytest.mark.skipif(
    NGINX is None, reason="no nginx on this machine (PATH, or NGINX_PROGRAM names its program)"
)


class Service(BaseHTTPRequestHandler):
    """Answers with the request's head; ``/v1/events`` with a part, then nothing for a while."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        content = f"{self.path}\n{self.headers}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content) + (100 if self.path == "/v1/events" else 0)))
        self.end_headers()
        self.wfile.write(content)
        if self.path == "/v1/events":
            time.sleep(1.0)
            self.wfile.write(bytes(100))

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("nginx")


@pytest.fixture(scope="module")
def proxy(folder) -> Iterator[tuple[int, int]]:
    """nginx with the shipped configuration in front of a service; its ports for http and https."""
    service = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    threading.Thread(target=service.serve_forever, daemon=True).start()
    plain, tls = free_port(), free_port()
    written(folder, plain, tls, service.server_port)
    process = subprocess.Popen(command(folder, "-g", "daemon off;"), stderr=subprocess.PIPE)
    try:
        until = time.monotonic() + 20.0
        while time.monotonic() < until and not listens(tls):
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.05)
        yield plain, tls
    finally:
        process.terminate()
        process.wait(20)
        process.stderr.close()
        service.shutdown()
        service.server_close()


def written(folder: Path, plain: int, tls: int, service: int) -> None:
    """Write the configuration with paths and ports of a test, all else as it is shipped."""
    chain, key = certificate(folder, NAME)
    (folder / "mime.types").write_text("types { text/html html; }")
    text = CONFIG
    for shipped, own in {
        "/etc/nginx/certificates/haze.pem": str(chain), "/etc/nginx/certificates/haze.key": str(key),
        "/etc/nginx/mime.types": str(folder / "mime.types"), "/run/nginx.pid": str(folder / "pid"),
        "/var/log/nginx/hazecast.log": str(folder / "access.log"), "server 127.0.0.1:8000": f"server 127.0.0.1:{service}",
    }.items():  # fmt: skip
        assert shipped in text
        text = text.replace(shipped, own)
    text = re.sub(r"listen \[::\]:\d+[^;]*;", "", text)
    text = text.replace("listen 80", f"listen 127.0.0.1:{plain}").replace("listen 443", f"listen 127.0.0.1:{tls}")
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    text = text.replace("http {", "http {" + "".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds), 1)
    # Started by root, its workers would be another user, who may not enter the folder of a test.
    own = "user root;\n" if os.getuid() == 0 else ""
    (folder / "nginx.conf").write_text(own + text)


def command(folder: Path, *more: str) -> list[str]:
    return [str(NGINX), "-p", str(folder), "-e", "stderr", "-c", str(folder / "nginx.conf"), *more]


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def client(folder: Path, port: int) -> httpx.Client:
    context = ssl.create_default_context(cafile=folder / f"{NAME}.pem")
    return httpx.Client(base_url=f"https://127.0.0.1:{port}", verify=context, headers={"Host": NAME}, timeout=20.0)


def get(folder: Path, port: int, path: str, **headers: str) -> httpx.Response:
    with client(folder, port) as one:
        return one.get(path, headers=headers, extensions={"sni_hostname": NAME})


@needs_nginx
def test_nginx_accepts_the_configuration(folder) -> None:
    written(folder, 8080, 8443, 8000)
    checked = subprocess.run(command(folder, "-t"), capture_output=True, text=True, check=False)
    assert checked.returncode == 0 and "syntax is ok" in checked.stderr, checked.stderr


@needs_nginx
def test_what_a_client_says_of_itself_is_replaced(folder, proxy) -> None:
    lies = {"X-Forwarded-For": "10.0.0.1", "X-Forwarded-Host": "evil.example", "Forwarded": "for=10.0.0.1",
            "X-Forwarded-Proto": "gopher"}  # fmt: skip
    seen = get(folder, proxy[1], "/v1/cities?x=%2F..%2f", **lies)
    assert seen.status_code == 200 and seen.text.startswith("/v1/cities?x=%2F..%2f\n")
    assert "X-Forwarded-For: 127.0.0.1\r\n" in seen.text.replace("\n", "\r\n") and "evil" not in seen.text
    assert "X-Forwarded-Proto: https" in seen.text and "10.0.0.1" not in seen.text and "gopher" not in seen.text
    assert "Server" not in seen.headers or "/" not in seen.headers["server"]


@needs_nginx
def test_only_its_own_name_is_served_and_redirects_lead_there(folder, proxy) -> None:
    plain, tls = proxy
    moved = httpx.get(f"http://127.0.0.1:{plain}/console?x=1", headers={"Host": NAME})
    assert (moved.status_code, moved.headers["location"]) == (308, f"https://{NAME}/console?x=1")
    with pytest.raises(httpx.TransportError):
        httpx.get(f"http://127.0.0.1:{plain}/", headers={"Host": "evil.example"})
    with pytest.raises(httpx.ConnectError), client(folder, tls) as one:
        one.get("/", extensions={"sni_hostname": "evil.example"})


@needs_nginx
def test_metrics_stay_inside_and_large_bodies_outside(folder, proxy) -> None:
    assert get(folder, proxy[1], "/metrics").status_code == 404
    with client(folder, proxy[1]) as one:
        for size, status in ((1_000, 204), (70_000, 413)):
            sent = one.post("/v1/account/keys", content=bytes(size), extensions={"sni_hostname": NAME})
            assert sent.status_code == status
        sent = one.post("/v1/observations", content=bytes(70_000), extensions={"sni_hostname": NAME})
        assert sent.status_code == 204


@needs_nginx
def test_events_are_passed_on_as_they_come(folder, proxy) -> None:
    start = time.monotonic()
    with client(folder, proxy[1]) as one:
        asked = one.build_request("GET", "/v1/events", extensions={"sni_hostname": NAME})
        answer = one.send(asked, stream=True)
        assert next(answer.iter_raw()).startswith(b"/v1/events") and time.monotonic() - start < 0.9
        answer.close()


@needs_nginx
def test_a_flood_of_one_address_is_refused(folder, proxy) -> None:
    request = f"GET /v1/cities HTTP/1.1\r\nHost: {NAME}\r\n"
    context = ssl.create_default_context(cafile=folder / f"{NAME}.pem")
    with (
        socket.create_connection(("127.0.0.1", proxy[1]), timeout=20) as plain,
        context.wrap_socket(plain, server_hostname=NAME) as flood,
    ):
        flood.sendall(f"{request}\r\n".encode() * 399 + f"{request}Connection: close\r\n\r\n".encode())
        answers = b"".join(iter(lambda: flood.recv(1 << 16), b""))
    found = [int(status) for status in re.findall(rb"HTTP/1\.1 (\d+)", answers)]
    assert set(found) == {200, 429} and found[:150] == [200] * 150


@needs_nginx
def test_the_log_holds_no_query(folder, proxy) -> None:
    get(folder, proxy[1], "/v1/subscriptions/sub_1/confirm?code=hidden")
    time.sleep(0.1)
    log = (folder / "access.log").read_text()
    assert "/v1/subscriptions/sub_1/confirm" in log and "hidden" not in log


def test_the_document_and_the_configuration_name_the_same_settings() -> None:
    document = (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")
    named = re.findall(r"HAZECAST_[A-Z_]+", CONFIG)
    assert {"HAZECAST_TRUSTED_PROXIES", "HAZECAST_PUBLIC_URL", "HAZECAST_ALLOWED_HOSTS"} <= set(named)
    assert all(name in document for name in named) and "deploy/nginx.conf" in document
