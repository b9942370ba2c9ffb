"""The command `hazecast` for a shell, started warm: a process that has loaded the package forks for each call of it.

A call then takes some hundredths of a second in place of the seconds that loading takes, in a process of its own all the same:
with the caller's environment, folder, standard streams and exit code. This file is two programs: ``serve`` is the
process that forks, ``call`` what the shell runs; `warm` starts the first and tells the words of the second.

The clock stands where ``NOW_OFFSET`` (seconds) of the caller's environment puts it.
"""

from __future__ import annotations

import itertools
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress

NOW_OFFSET = "DOCUMENTS_NOW_OFFSET"
# A file of process ids, of the servers that a call has left running.
LEFT_RUNNING = "DOCUMENTS_LEFT_RUNNING"
_READY_SECONDS = 60.0


@contextmanager
def warm(address: str, environment: dict[str, str]) -> Iterator[list[str]]:
    """Have a process ready at an address (a file's path); give the words that call a command through it."""
    with subprocess.Popen(
        [sys.executable, "-P", __file__, "serve", address], env=environment, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, start_new_session=True,
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None and process.stdout.readline() == b"ready\n"
            # Without the site's packages Python starts in a fiftieth of a second.
            yield [sys.executable, "-S", "-I", __file__, "call", address]
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def call(address: str, words: list[str]) -> int:
    """Have the words run as a command; of what serves until it is stopped, only its start is waited for."""
    told = json.dumps({"words": words, "folder": os.getcwd(), "environment": dict(os.environ)}).encode()
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(address)
        socket.send_fds(line, [struct.pack("!I", len(told))], [0, 1, 2])
        line.sendall(told)
        process = struct.unpack("!I", _received(line, 4))[0]
        if words[:1] == ["serve"] and LEFT_RUNNING in os.environ:
            with open(os.environ[LEFT_RUNNING], "a", encoding="ascii") as file:
                file.write(f"{process}\n")
            given = dict(itertools.pairwise(words)).get("--port")
            return _answers(int(given or os.environ["HAZECAST_PORT"]), line)
        return _received(line, 1)[0]


def _received(line: socket.socket, count: int) -> bytes:
    got = b""
    while len(got) < count:
        part = line.recv(count - len(got))
        if not part:
            raise SystemExit(70)  # killed
        got += part
    return got


def _answers(port: int, line: socket.socket) -> int:
    """Wait until something listens at a port: 0; the code of the process if it ends before."""
    line.settimeout(0.1)
    for _ in range(int(_READY_SECONDS * 10)):
        try:
            return line.recv(1)[0]
        except TimeoutError:
            pass
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
        except OSError:
            continue
        return 0
    return 71


def serve(address: str) -> None:
    """Load the package, then fork for each call, until the standard input ends."""
    _load()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen(16)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # no zombies
    print("ready", flush=True)
    while True:
        # Nobody is at the other end of the standard input any more: nobody calls.
        if 0 in select.select([listener, 0], [], [])[0]:
            os.killpg(0, signal.SIGKILL)
        line, _ = listener.accept()
        with line:
            head, streams, _, _ = socket.recv_fds(line, 4, 3)
            told = json.loads(_received(line, struct.unpack("!I", head)[0]))
            process = os.fork()
            if process == 0:
                listener.close()
                _run(line, streams, **told)
            for stream in streams:
                os.close(stream)


def _load() -> None:
    """Import what commands import inside their functions, with a clock that can be set."""
    import importlib
    import pkgutil
    from datetime import UTC, datetime, timedelta

    from hazecast.services.core import clock

    # Before the others are imported: they take the function by its name.
    clock.utc_now = lambda: datetime.now(UTC) + timedelta(seconds=float(os.environ.get(NOW_OFFSET, "0")))
    import hazecast.alerts
    import hazecast.forecast
    import hazecast.grids
    import hazecast.models
    import hazecast.services

    resolve = socket.getaddrinfo

    def public(host: str, *given: object, **named: object) -> object:
        # Names of documents have no address: they get a public one, so that they can be checked.
        return resolve("1.1.1.1" if str(host).endswith(".example") else host, *given, **named)  # type: ignore[arg-type]

    socket.getaddrinfo = public  # type: ignore[assignment]
    skipped = ("hazecast.services.client.__main__",)
    for package in (hazecast.grids, hazecast.models, hazecast.forecast, hazecast.alerts, hazecast.services):
        for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            if module.name not in skipped and ".migrations." not in module.name:
                importlib.import_module(module.name)


def _run(line: socket.socket, streams: list[int], words: list[str], folder: str, environment: dict[str, str]) -> None:
    """Be the command: in the child, which ends here."""
    code = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        os.environ.clear()
        os.environ.update(environment)
        time.tzset()
        os.chdir(folder)
        sys.argv = ["hazecast", *words]
        line.sendall(struct.pack("!I", os.getpid()))
        from hazecast.services.cli.app import main

        try:
            main()
            code = 0
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:
        traceback.print_exc()
    finally:
        with suppress(OSError):  # nobody waits for a server's end
            line.sendall(bytes([code & 255]))
        os._exit(code & 255)


if __name__ == "__main__":
    if sys.argv[1] == "call":
        sys.exit(call(sys.argv[2], sys.argv[3:]))
    serve(sys.argv[2])
