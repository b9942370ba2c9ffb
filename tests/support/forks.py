"""Processes of ``hazecast serve`` forked from one that has imported what they import: soon there, and they end like any other.

``python -m tests.support.forks`` is the process that forks; `Forks` talks to it.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path


class Forked:
    """One of them, with the part of `subprocess.Popen` that tests use."""

    def __init__(self, forks: Forks, pid: int) -> None:
        self._forks, self.pid = forks, pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return the exit code, negative the signal that ended it; None while it runs."""
        if self.returncode is None:
            self.returncode = self._forks.ask({"poll": self.pid})
        return self.returncode

    def wait(self, timeout: float = 600.0) -> int:
        """Return the exit code once it has ended."""
        end = time.monotonic() + timeout
        while (code := self.poll()) is None:
            if time.monotonic() > end:
                raise subprocess.TimeoutExpired("hazecast serve", timeout)
            time.sleep(0.02)
        return code

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Tell it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self.send_signal(signal.SIGKILL)


class Forks:
    """The process that forks; `close` ends it."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.support.forks"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, request: Mapping[str, object]) -> int | None:
        """Send a request and return its answer."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer: int | None = json.loads(self._process.stdout.readline())
        return answer

    def start(self, arguments: Sequence[str], environment: Mapping[str, str], folder: Path, log: Path) -> Forked:
        """Fork a process of a command of Hazecast.

        Parameters
        ----------
        arguments : sequence of str
            Of the command ``hazecast``.
        environment : mapping
            All variables.
        folder : Path
            Its working directory.
        log : Path
            What it writes to standard error.

        Returns
        -------
        Forked
        """
        asked = {"arguments": [*arguments], "environment": dict(environment), "folder": str(folder), "log": str(log)}
        pid = self.ask(asked)
        assert pid is not None
        return Forked(self, pid)

    def close(self) -> None:
        """End the process that forks."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


def become(asked: dict) -> None:
    """Take the place of a process that was started for a command."""
    os.chdir(asked["folder"])
    null = os.open(os.devnull, os.O_RDWR)
    log = os.open(asked["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for here, there in ((null, 0), (null, 1), (log, 2)):
        os.dup2(here, there)
    os.environ.clear()
    os.environ.update(asked["environment"])
    sys.argv = ["hazecast", *asked["arguments"]]


def main() -> None:
    """Fork and wait as asked; in what was forked, run the command."""
    for module in ("uvicorn", "hazecast.services.web.app", "hazecast.services.web.server"):
        importlib.import_module(module)
    command = importlib.import_module("hazecast.services.cli.app").main
    for line in iter(sys.stdin.readline, ""):
        asked = json.loads(line)
        answer: int | None
        if "poll" in asked:
            pid, status = os.waitpid(asked["poll"], os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if pid else None
        else:
            answer = os.fork()
            if answer == 0:
                become(asked)
                # It leaves by the end of this program, and so by that of the interpreter and of all libraries.
                command()
                return
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
