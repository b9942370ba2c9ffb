"""A small service and its surroundings, in which the documents' blocks of commands are run by a real shell.

Each block has a copy of one stored run to itself, the files that it reads, and where it needs them a server on a free port, a
key, publishers on this machine. What stands for a user's own (``DIR``, ``MODEL``, ``$KEY``) is there under that very name.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from tests.support.doc_blocks import Block
from tests.support.doc_inputs import OWN_MODEL, SHIPPED_MODEL, draft, inputs_of, published
from tests.support.paths import ROOT, SHARED_DATA
from tests.support.receivers import free_port
from tests.support.settings import SEAL_KEY
from tests.support.source_server import serving
from tests.support.warm_commands import LEFT_RUNNING, NOW_OFFSET, warm

INIT = "2013-01-11T22:00Z"
# What the text of a block tells of the day that it is run on; the first that fits.
_DAYS = {
    r"20130112T1000Z": "2013-01-12T10:20Z", r"2026-01-0": "2026-01-08T12:30Z", r"2026-01": "2026-01-16T00:30Z",
    "": "2013-01-11T22:20Z",
}  # fmt: skip
# Which collection `DIR` is; the others lie in it by their names.
_COLLECTIONS = {"quality": "beijing-multisite", "ozone": "beijing-multisite", "wind": "beijing-multisite"}
_SHELL = ROOT / "tests" / "support" / "doc_shell.sh"


@dataclass
class Ran:
    """How a block ended: what is wrong, each with its place, and what it printed."""

    faults: list[str]
    printed: str
    folder: Path


@dataclass
class World:
    """A folder with one stored run, the words that call `hazecast` in a shell, and the port that serves the run."""

    folder: Path
    hazecast: list[str]
    publishers: dict[str, str]
    port: int = field(default_factory=free_port)

    def prepare(self) -> None:
        """Store the run, of January 2013 where the collections are, else simulated; serve it to blocks that only read."""
        given = f"--observations {SHARED_DATA / 'five-cities'} --weather observed" if SHARED_DATA.is_dir() else ""
        made = self.shell(self.folder, f"hazecast run --init-time {INIT} {given}\n", _DAYS[""], "the world")
        assert not made.faults, made
        environment = self._environment(self.folder, _DAYS[""], self.port)
        with (self.folder / "served.txt").open("w") as log:
            subprocess.run(
                [*self.hazecast, "serve", "--no-scheduler"], env=environment, stdout=log, stderr=log, check=True
            )

    def run(self, block: Block) -> Ran:
        """Run a block in a folder of its own."""
        folder = self.folder / re.sub(r"\W+", "-", block.name)
        shutil.copytree(self.folder / "data", folder / "data")
        self._furnish(folder, block)
        text = _placed(block.text, folder)
        script = "".join(f"{step}; " for sign, step in _STEPS.items() if re.search(sign, block.text))
        reads = not re.search(r"\b(serve|serve_world)\b", script + text)
        # The number of a line in the script is that in the document.
        script += "\n" * (block.line - 1) + text
        day = next(day for sign, day in _DAYS.items() if re.search(sign, block.text))
        ran = self.shell(folder, script, day, block.name.rpartition(":")[0], self.port if reads else None)
        ran.faults += [f"{block.name}: {name} was not written" for name in _unwritten(text, folder)]
        return ran

    def shell(self, folder: Path, script: str, day: str, document: str, port: int | None = None) -> Ran:
        """Run a script, at a time of day of a day; what it leaves running is ended."""
        failed, running = folder / "faults.txt", folder / "running.txt"
        failed.touch()
        running.touch()
        (folder / "block.sh").write_text(script, encoding="utf-8")
        (folder / "yes.txt").write_text(9 * "y\n")
        told = {
            "DOCUMENT": document, "FAULTS": str(failed), "BASH_ENV": str(_SHELL), "SECOND_PORT": str(free_port()),
            "HAZECAST_CALL": " ".join(self.hazecast), "ROOT": str(ROOT), "VENV": sys.prefix,
            "MODEL": OWN_MODEL if "register" in script else str(ROOT / SHIPPED_MODEL),
        }  # fmt: skip
        try:
            # Into a file: what is left running would hold a pipe open.
            with (
                (folder / "printed.txt").open("w", encoding="utf-8") as printed,
                (folder / "yes.txt").open() as answers,
            ):
                done = subprocess.run(
                    ["/bin/bash", "block.sh"], cwd=folder, env=self._environment(folder, day, port) | told,
                    stdin=answers, stdout=printed, stderr=subprocess.STDOUT, timeout=800, check=False,
                )  # fmt: skip
        finally:
            for process in running.read_text().split():
                with suppress(ProcessLookupError):
                    os.kill(int(process), signal.SIGKILL)
        faults = failed.read_text(encoding="utf-8").splitlines()
        if done.returncode and not faults:
            faults.append(f"{document}: the shell ended with {done.returncode}")
        return Ran(faults, (folder / "printed.txt").read_text(encoding="utf-8", errors="replace"), folder)

    def _environment(self, folder: Path, day: str, port: int | None) -> dict[str, str]:
        own = {name: value for name, value in os.environ.items() if not name.startswith("HAZECAST_")}
        offset = datetime.fromisoformat(day) - datetime.now(UTC)
        settings = {
            "DATA_DIR": folder / "data", "PORT": port or free_port(), "STALE_AFTER_HOURS": 1_000_000, "RATE_ANONYMOUS": 0,
            "RATE_ACCOUNT": 0, "HTTP_ATTEMPTS": 1, "DRAWING_PROCESSES": 1, "WEBHOOK_SECRET_KEY": SEAL_KEY,
        }  # fmt: skip
        told = {LEFT_RUNNING: str(folder / "running.txt"), NOW_OFFSET: str(offset.total_seconds()), "HOME": str(folder)}
        return own | told | self.publishers | {f"HAZECAST_{name}": str(value) for name, value in settings.items()}

    def _furnish(self, folder: Path, block: Block) -> None:
        """Write what a block reads and doesn't write itself, and make the collections `DIR`."""
        name = block.document.stem
        for file, make in inputs_of(block).items():
            make(folder / file)
        if "20130112T1000Z" in block.text:
            draft(folder / "data", datetime(2013, 1, 12, 10, tzinfo=UTC))
        if SHARED_DATA.is_dir() and not (folder / "DIR").exists():
            (folder / "DIR").mkdir()
            for one in (*SHARED_DATA.iterdir(), *(SHARED_DATA / _COLLECTIONS.get(name, "five-cities")).iterdir()):
                (folder / "DIR" / one.name).symlink_to(one)


# What must be there before a block, by what it says.
_STEPS = {
    r"\$KEY|KEY_ID|\bbureau\b|/ID/": "add_key bureau administrator",
    r"NEW,OLD": "make_secrets",
    r"restore(?s:.*)8001": "hazecast backup hazecast-2026-01-16.tar",
    r"jobs check": "lead",
    r"(?s)(?=.*localhost:8000)(?=.*(\$KEY|localhost:8001))": "serve_world",
    r"/ID/": "add_subscription",
    r"/JOB\b": "add_study_job",
}
# What stands for a user's own, and is a variable of the shell that a step or the world sets, or a value.
_PLACEHOLDERS = {
    r"\bKEY_ID\b": "$KEY_ID", r"(?<=/)ID(?=/)": "$ID", r"(?<=/)JOB\b": "$JOB", r"\bNEW,OLD\b": "$NEW,$OLD", r"(?<=withdraw )412\b": "1",
    r"\bMODEL\b": "$MODEL", r"(?<=-within )S\b": "0.2", r"(?<=-within )I\b": "10", r"(?<=-least )R\b": "0.9",
}  # fmt: skip


def _placed(text: str, folder: Path) -> str:
    """Return a block's text with names of this place: folders of the machine, ports, ids."""
    text = re.sub(r"(?<=[ =])/(etc|srv|tmp)/", rf"{folder}/\1/", text)
    text = text.replace("https://haze.example", "http://localhost:8000").replace("--port 8001", "--port $SECOND_PORT")
    for port, name in (("8000", "HAZECAST_PORT"), ("8001", "SECOND_PORT")):
        text = text.replace(f"localhost:{port}", f"127.0.0.1:${name}")
    # Single quotes would keep the names of variables as they are.
    text = re.sub(r"'(127\.0\.0\.1:[^']*)'", r'"\1"', text)
    for sign, value in _PLACEHOLDERS.items():
        text = re.sub(sign, value, text)
    return text


def _unwritten(text: str, folder: Path) -> Iterator[str]:
    """Yield the files that a block's commands were to write and that aren't there, or are empty."""
    said = "\n".join(re.findall(r"^(?:hazecast|curl) .*", re.sub(r"\\\n|\s# .*", "", text), re.MULTILINE))
    for name in re.findall(r"(?:--out|-o|--save|--plot|--report|--write|hazecast map|hazecast backup) (\S+)", said):
        path = folder / name
        if not path.exists() or not (any(path.iterdir()) if path.is_dir() else path.stat().st_size):
            yield name


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """Have a world in a folder."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    with ExitStack() as stack:
        publishers = published(stack.enter_context(serving()), folder / "tables")
        # The path of a socket has 108 characters at most.
        short = stack.enter_context(tempfile.TemporaryDirectory(prefix="documents-"))
        words = stack.enter_context(warm(f"{short}/calls", environment))
        made = World(folder, words, publishers)
        made.prepare()
        yield made
