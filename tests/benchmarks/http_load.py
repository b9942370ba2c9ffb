"""A load generator light enough not to be the bottleneck: ``python -m tests.benchmarks.http_load PORT PATH SECONDS CONNECTIONS``."""

from __future__ import annotations

import asyncio
import json
import sys
import time

HEADERS = "Accept: */*\r\nAccept-Encoding: gzip\r\n"


class _Client(asyncio.Protocol):
    """One connection that asks again as soon as it has the whole answer."""

    def __init__(self, request: bytes, until: float, times: list[float], done: asyncio.Future[None]) -> None:
        self.request, self.until, self.times, self.done = request, until, times, done
        self.wanted, self.begun, self.head = 0, 0.0, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the first time."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._ask()

    def _ask(self) -> None:
        self.head, self.wanted, self.begun = b"", -1, time.perf_counter()
        self.transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        """Count what is left of the answer."""
        if self.wanted < 0:
            self.head += data
            end = self.head.find(b"\r\n\r\n")
            if end < 0:
                return
            top = self.head[:end].lower()
            if not top.startswith(b"http/1.1 200"):
                raise RuntimeError(top.decode("latin-1"))
            length = int(top.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
            self.wanted = length - (len(self.head) - end - 4)
        else:
            self.wanted -= len(data)
        if self.wanted == 0:
            now = time.perf_counter()
            self.times.append(now - self.begun)
            if now < self.until:
                self._ask()
            else:
                self.transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        """Say that this connection is through."""
        if not self.done.done():
            self.done.set_result(None)


async def _put_under_load(port: int, path: str, seconds: float, connections: int) -> dict[str, float]:
    loop = asyncio.get_running_loop()
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{HEADERS}\r\n".encode()
    times: list[float] = []
    start, spent = time.perf_counter(), time.process_time()
    waiting = []
    for _ in range(connections):
        done = loop.create_future()
        await loop.create_connection(lambda d=done: _Client(request, start + seconds, times, d), "127.0.0.1", port)
        waiting.append(done)
    await asyncio.gather(*waiting)
    wall = time.perf_counter() - start
    share = (time.process_time() - spent) / wall
    return {"requests": len(times), "seconds": wall, "p99": sorted(times)[int(0.99 * (len(times) - 1))], "share": share}


if __name__ == "__main__":
    port, path, seconds, connections = sys.argv[1:]
    print(json.dumps(asyncio.run(_put_under_load(int(port), path, float(seconds), int(connections)))))
