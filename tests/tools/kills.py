"""``make kills``: cycles that are killed at any moment, and started again, must end as if they had not been.

Each trial starts `hazecast run` from the same store, kills it (SIGKILL), checks that what is stored is either what
was there before or the whole run, starts it again, and compares all tables and files with those of a run that
nobody killed. Half of the kills come at a random time, half at a random one of the moments that matter: before a
statement of SQL, around a commit, around a rename, a removal or a sync of a file. Processes are forked from one that
has everything imported, so that the kills fall into the cycle and not into its start.
"""

from __future__ import annotations

import argparse
import gc
import gzip
import hashlib
import json
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import torch
import xarray as xr
from sqlalchemy import create_engine, event, select

from hazecast.services.cli.app import main as hazecast_command
from hazecast.services.store.recovery import INTERRUPTED, INTERRUPTED_LATE
from hazecast.services.store.store import Store
from hazecast.services.store.table_dump import tables_of
from hazecast.services.work.cycle import run_cycle
from tests.support.databases import KINDS, Databases, postgres_server
from tests.support.settings import make_settings

FIRST, KILLED = "2013-01-11T10:00Z", "2013-01-11T22:00Z"
# Two sets of messages: some go out, some wait for a person.
RULES = {"HAZECAST_RULE_SETS": "who_guideline", "HAZECAST_APPROVAL": "who_guideline"}
SCORES = ("forecast_score", "scored_day")
_NOW = re.compile(r"20(2[6-9]|[3-9]\d)-\d\d-\d\d[T ]\d\d:\d\d[\d:.]*(\+00:00|Z)?")
_NUMBERED = re.compile(r"(-cycle|\.cycle|/test_)\d+")
_LONGEST = 300.0


@dataclass
class Result:
    """What was done and found."""

    kills: Counter[str] = field(default_factory=Counter)
    restarts: int = 0
    unhurt: int = 0
    findings: list[str] = field(default_factory=list)

    def find(self, what: str) -> None:
        """Keep a finding, and show it at once."""
        self.findings.append(what)
        print(f"\n{what}", flush=True)


@dataclass
class Stage:
    """A folder, its database, and how to bring both back to a known state."""

    databases: Databases
    folder: Path
    observations: Path
    url: str = ""
    _kept: dict[str, tuple[Path, str]] = field(default_factory=dict)

    @property
    def data(self) -> Path:
        """The data folder, always of the same name: the store keeps paths."""
        return self.folder / "data"

    def start(self) -> None:
        """Begin with nothing."""
        self.url = self.databases.url(self.data)

    def keep(self, name: str) -> None:
        """Keep the state under a name."""
        place = self.folder / name
        shutil.copytree(self.data, place)
        server = self.databases.server
        self._kept[name] = (place, server.copy(self.url) if server else "")

    def bring_back(self, name: str) -> None:
        """Bring a kept state back."""
        place, url = self._kept[name]
        shutil.rmtree(self.data)
        shutil.copytree(place, self.data)
        if self.databases.server is not None:
            self.databases.server.drop(self.url)
            self.url = self.databases.server.copy(url)

    def fork(self, init_time: str, die_at: int | None = None) -> int:
        """Start `hazecast run` in a process of its own; return its id."""
        pid = os.fork()
        if pid:
            return pid
        # From here on this is the command, until it ends or is killed.
        code = 70
        try:
            log = os.open(self.folder / "log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(log, 1)
            os.dup2(log, 2)
            for name in [name for name in os.environ if name.startswith("HAZECAST_")]:
                del os.environ[name]
            os.environ |= RULES | {
                "HAZECAST_DATA_DIR": str(self.data), "HAZECAST_DATABASE_URL": self.url,
                "HAZECAST_OBSERVATIONS_DIR": str(self.observations), "HAZECAST_WEATHER": "observed",
            }  # fmt: skip
            moments = Moments(die_at, self.folder / "moments")
            moments.watch()
            sys.argv = ["hazecast", "run", "--init-time", init_time]
            try:
                hazecast_command()
                code = 0
            except SystemExit as leaving:
                code = int(leaving.code or 0)
            moments.note()
        finally:
            # A fork can't leave through its parent's contexts, which end servers and folders. How processes end: stops.py.
            os._exit(code)

    def run(self, init_time: str) -> float:
        """Run a cycle to its end; return how long it took."""
        began = time.monotonic()
        status = wait_for(self.fork(init_time), _LONGEST)
        code = None if status is None else os.waitstatus_to_exitcode(status)
        # 3: done, with an observation too old; the reason is in the data.
        if code not in (0, 3):
            raise RuntimeError(f"hazecast run ended with {code}:\n{(self.folder / 'log').read_text()[-3000:]}")
        return time.monotonic() - began


class Moments:
    """Counts the moments that matter in this process, and kills it at one of them."""

    def __init__(self, die_at: int | None, noted: Path) -> None:
        self._die_at, self._noted, self._count = die_at, noted, 0

    def watch(self) -> None:
        """Look out for them from now on."""
        from sqlalchemy import Engine

        event.listen(Engine, "before_cursor_execute", lambda *_: self.comes())
        event.listen(Engine, "commit", lambda *_: self.comes())
        for owner, name in ((os, "fsync"), (os, "replace"), (os, "rename"), (os, "unlink")):
            setattr(owner, name, self._around(getattr(owner, name)))

    def comes(self) -> None:
        """One of them is here."""
        self._count += 1
        if self._count == self._die_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def note(self) -> None:
        """Leave the count for the parent."""
        self._noted.write_text(str(self._count))

    def _around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*arguments: Any, **options: Any) -> Any:
            self.comes()
            result = function(*arguments, **options)
            self.comes()
            return result

        return watched


def wait_for(pid: int, seconds: float) -> int | None:
    """Wait for a process; return its status, or None if it still runs after `seconds`."""
    end = time.monotonic() + seconds
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return status
        if time.monotonic() >= end:
            return None
        time.sleep(min(0.02, max(end - time.monotonic(), 0.0)))


def excerpt(collection: Path, folder: Path) -> Path:
    """Write the winter of 2012/13 of a real collection: what a cycle reads, without the years it doesn't."""
    folder.mkdir()
    for path in sorted(collection.glob("*.csv.gz")):
        with gzip.open(path, "rt") as whole, gzip.open(folder / path.name, "wt") as part:
            for number, line in enumerate(whole):
                year, month = line.split(",")[1:3]
                if number == 0 or (year, month) in {("2012", "12"), ("2013", "1"), ("2013", "2")}:
                    part.write(line)
    return folder


def masked(value: Any) -> Any:
    """Return a value without what differs between two runs of the same: the clock, numbers of cycles and databases."""
    if isinstance(value, datetime):
        return "now" if value.year >= 2026 else value.isoformat()
    if isinstance(value, dict | list):
        value = json.dumps(value, sort_keys=True)
    return _NUMBERED.sub(r"\1N", _NOW.sub("now", value)) if isinstance(value, str) else value


def tables(url: str) -> dict[str, list[str]]:
    """Return every table of a store as text, in order; numbers given by the database left out.

    Interrupted cycles are left out, and the second of two cycles that did the same: these are what a kill, or one
    that came when all was done, may leave. What refers to a numbered row holds that row.
    """
    engine = create_engine(url)
    found: dict[str, list[str]] = {}
    by_number: dict[tuple[str, Any], str] = {}
    with engine.connect() as connection:
        for table in tables_of(connection):
            numbered = [c.name for c in table.primary_key if c.type.python_type is int and not c.foreign_keys]
            key = numbered[0] if len(table.primary_key) == 1 and numbered else None
            refers = {c.name: next(iter(c.foreign_keys)) for c in table.columns if c.foreign_keys}
            rows = []
            for row in connection.execute(select(table).order_by(*table.primary_key)).mappings():
                cells = {name: masked(value) for name, value in row.items() if name != key}
                for name, foreign in refers.items():
                    to = foreign.column.table.name
                    cells[name] = "a cycle" if to == "cycle_run" else by_number.get((to, row[name]), cells[name])
                text = json.dumps(cells, ensure_ascii=False, sort_keys=True, default=str)
                if key is not None:
                    by_number[table.name, row[key]] = text
                if table.name == "cycle_run" and row["error"] in (INTERRUPTED, INTERRUPTED_LATE):
                    continue
                rows.append(text)
            # Numbered rows are in the order of their numbers; others by what they hold, since they hold numbers too.
            found[table.name] = rows if key is not None else sorted(rows)
        found["cycle_run"] = list(dict.fromkeys(found.get("cycle_run", [])))
    engine.dispose()
    return found


def files(folder: Path) -> dict[str, str]:
    """Return the sum of every file, but the database's own."""
    return {
        masked(str(path.relative_to(folder))): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if (path.is_file() and not path.name.startswith("hazecast.db")) or path.suffix == ".lock"
    }


def difference(found: dict[str, Any], expected: dict[str, Any]) -> str:
    """Say where two states differ; empty where they don't."""
    parts = []
    for name in sorted(set(found) | set(expected)):
        here, there = found.get(name), expected.get(name)
        if here == there:
            continue
        if isinstance(here, list) and isinstance(there, list):
            more, fewer = Counter(here) - Counter(there), Counter(there) - Counter(here)
            parts.append(f"{name}: {len(here)} rows for {len(there)}; more {[*more][:2]}, fewer {[*fewer][:2]}")
        else:
            parts.append(f"{name}: {here} for {there}")
    return "; ".join(parts)


def half_written(stage: Stage, states: dict[str, dict[str, list[str]]]) -> str:
    """Say what of a run is stored by half after a kill; empty if nothing is."""
    found = tables(stage.url)
    of_run = {name: rows for name, rows in found.items() if name not in (*SCORES, "cycle_run")}
    wholes = {when: {name: state[name] for name in of_run} for when, state in states.items()}
    if of_run not in wholes.values():
        return "neither the state before nor after: " + difference(of_run, wholes["after"])
    scores = [{name: state.get(name) for name in SCORES} for state in states.values()]
    if {name: found.get(name) for name in SCORES} not in scores:
        return "scores by half"
    store = Store(stage.url, files=stage.data)
    try:
        run = store.latest_run(False)
        assert run is not None
        with xr.open_dataset(run.netcdf_path, decode_timedelta=True) as forecast:
            forecast.load()
        if not Path(run.map_path).read_bytes().startswith(b"\x89PNG"):
            return f"{run.map_path}: no whole picture"
    except (OSError, ValueError) as error:
        return f"the files of the stored run: {error}"
    finally:
        store.close()
    return ""


def trial(stage: Stage, start: str, states: dict[str, Any], seconds: float, moments: int, result: Result) -> None:
    """Kill one run, or two one after the other, start again, and compare."""
    stage.bring_back(start)
    while True:
        where, die_at, delay = "at a moment", random.randint(1, moments), _LONGEST
        if random.random() < 0.5:
            where, die_at, delay = "at a time", 0, random.uniform(0.0, seconds)
        pid = stage.fork(KILLED, die_at)
        status = wait_for(pid, delay)
        if status is None:
            os.kill(pid, signal.SIGKILL)
            _, status = os.waitpid(pid, 0)
        if not os.WIFSIGNALED(status):
            result.unhurt += 1
            break
        result.kills[where] += 1
        if bad := half_written(stage, {"before": states[start], "after": states["after"]}):
            result.find(f"{start}, {where} {die_at or f'{delay:.3f} s'}: {bad}")
        if random.random() < 0.5:
            break
    stage.run(KILLED)
    result.restarts += 1
    expected = {**states[f"{start} run"], **states[f"{start} files"]}
    if bad := difference({**tables(stage.url), **files(stage.data)}, expected):
        result.find(f"{start}, {where} {die_at or f'{delay:.3f} s'}, started again: {bad}")


def kills(databases: Databases, folder: Path, collection: Path, count: int) -> Result:
    """Kill `count` cycles on one kind of database."""
    folder.mkdir()
    stage = Stage(databases, folder, excerpt(collection, folder / "observations"))
    stage.start()
    states: dict[str, Any] = {}
    stage.data.mkdir()
    stage.run(FIRST)
    stage.keep("first")
    states["first"] = tables(stage.url)
    seconds = stage.run(KILLED)
    stage.keep("again")
    states["again"] = states["after"] = states["first run"] = tables(stage.url)
    states["first files"] = files(stage.data)
    seconds = max(seconds, stage.run(KILLED))
    states["again run"], states["again files"] = tables(stage.url), files(stage.data)
    moments = int((folder / "moments").read_text())
    # Of each of the two runs its NetCDF file and map, and four products: plain values, both files by digest, areas.
    stored = [name for name in states["first files"] if not name.endswith(".lock")]
    assert states["after"]["warning"] and states["after"]["warning_draft"] and len(stored) == 12, stored
    result = Result()
    while result.kills.total() < count:
        trial(stage, random.choice(["first", "again"]), states, seconds, moments, result)
        print(f"\r{databases.kind}: {result.kills.total()} kills, {len(result.findings)} findings", end="", flush=True)
    print(f"\r{databases.kind}: {result.kills.total()} kills ({dict(result.kills)}) in a cycle of {seconds:.1f} s and "
          f"{moments} moments, {result.restarts} restarts, {result.unhurt} ended before their kill, "
          f"{len(result.findings)} findings")  # fmt: skip
    return result


def warm(collection: Path, folder: Path) -> None:
    """Run a cycle here, so that those that are forked have all imported and loaded."""

    folder.mkdir()
    settings = make_settings(data_dir=folder, observations_dir=excerpt(collection, folder / "observations"))
    run_cycle(settings, init_time=datetime.fromisoformat(FIRST))


@contextmanager
def all_databases(kinds: list[str]) -> Iterator[list[Databases]]:
    """Open the kinds of databases."""
    with ExitStack() as stack:
        yield [Databases(stack.enter_context(postgres_server()) if kind == "postgresql" else None) for kind in kinds]


def main() -> int:
    """Run, print, and return 1 if anything was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.tools.kills", description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=200, help="kills on each kind of database")
    parser.add_argument("--database", choices=KINDS, action="append", help="may be repeated; by default both")
    parser.add_argument("--collection", type=Path, required=True, help="the collection five-cities")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    random.seed(given.seed)
    # So that the server is stopped and the folders are gone when this is stopped from outside.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    findings: list[str] = []
    with (
        tempfile.TemporaryDirectory(prefix="hazecast-kills-") as folder,
        all_databases(given.database or [*KINDS]) as all_,
    ):
        # A forked process waits for ever for the threads that OpenMP had in this one.
        torch.set_num_threads(1)
        warm(given.collection, Path(folder) / "warm")
        # What all have is neither looked through nor copied by each.
        gc.freeze()
        for databases in all_:
            findings += kills(databases, Path(folder) / databases.kind, given.collection, given.count).findings
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
