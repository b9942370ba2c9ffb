"""The time of day is read in one module, so that any moment can be set in its place."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.paths import ROOT

CLOCK = ROOT / "services" / "core" / "clock.py"
_READS = {
    "datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time", "time.time_ns", "time.gmtime",
    "time.localtime", "Timestamp.now", "Timestamp.utcnow", "Timestamp.today",
}  # fmt: skip


def reads_of_the_clock(source: str) -> Iterator[int]:
    """Yield the lines that read the time of day."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute):
            owner = ast.unparse(node.value).rpartition(".")[2]
            if f"{owner}.{node.attr}" in _READS:
                yield node.lineno
        elif isinstance(node, ast.ImportFrom) and node.module == "time":
            yield from [node.lineno for name in node.names if f"time.{name.name}" in _READS]


def _python_files(room: str) -> list[Path]:
    return sorted((ROOT / room).rglob("*.py"))


@pytest.mark.parametrize("room", ["grids", "models", "forecast", "alerts", "services"])
def test_only_one_module_reads_the_time_of_day(room) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in _python_files(room)
        if path != CLOCK
        for line in reads_of_the_clock(path.read_text(encoding="utf-8"))
    ]
    assert not found, "\n".join(found)


def test_every_way_to_read_the_time_is_found() -> None:
    source = (
        "import datetime as dt, time\nfrom time import time as t\n"
        "dt.datetime.now(UTC)\ndatetime.utcnow()\nf = datetime.now\ntime.time()\ndate.today()\npd.Timestamp.now()\n"
        "time.monotonic()\ntime.sleep(1)\nclock.now\n"
    )
    assert sorted(reads_of_the_clock(source)) == [2, 3, 4, 5, 6, 7, 8]
    assert list(reads_of_the_clock(CLOCK.read_text(encoding="utf-8")))
