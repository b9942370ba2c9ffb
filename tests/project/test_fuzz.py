"""A bounded run of the fuzzing; `make fuzz` runs 10,000 inputs."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from hazecast.grids.errors import InputError
from tests.tools.fuzz import batch
from tests.tools.fuzz.mutations import mutate
from tests.tools.fuzz.readers import READERS, Reader
from tests.tools.fuzz.run import DEATH, fuzz

pytestmark = [pytest.mark.slow, pytest.mark.slowest]


def test_damaged_files_are_read_soundly_or_refused_by_name() -> None:
    result = fuzz(35 * len(READERS), seed=20_130_112)
    assert result.findings == []
    refused = {reader: number for (reader, kind), number in result.counts.items() if kind == "refused"}
    # Readers of text bear most damage in a cell; all of them refuse some.
    assert set(refused) == set(READERS) and min(refused.values()) >= 3


def test_the_same_seed_damages_alike_and_damages_at_all() -> None:
    data = bytes(range(256)) * 8
    some = [mutate(data, random.Random(number), text=False) for number in range(200)]
    assert some == [mutate(data, random.Random(number), text=False) for number in range(200)]
    assert sum(one != data for one in some) > 190
    text = b"a,b,c\n1,2,3\n"
    assert {mutate(text, random.Random(number), text=True) for number in range(50)} - {text}


def test_a_reader_that_fails_otherwise_is_found(monkeypatch) -> None:
    def read(path: Path) -> None:
        content = path.read_text()
        if content == "named":
            raise InputError(f"{path}: column", "found", "expected")
        if content == "unnamed":
            raise InputError("column", "found", "expected")
        raise KeyError(content)

    monkeypatch.setitem(READERS, "test", Reader("file.csv", lambda path: path.write_text("named"), read))
    assert batch.outcome("test", b"named") == "refused"
    assert batch.outcome("test", b"unnamed").startswith("error without the file")
    assert "KeyError: 'oops'" in batch.outcome("test", b"oops")


@pytest.mark.parametrize("deadly", ["os.abort()", "os.kill(os.getpid(), 9)"])
def test_a_process_that_dies_is_a_finding_and_the_run_goes_on(monkeypatch, tmp_path, deadly) -> None:
    # Stands in for the batch: input 1 kills it.
    stub = tmp_path / "stub.py"
    stub.write_text(
        "import json, os, sys\n"
        "for n in range(int(sys.argv[4]), int(sys.argv[5])):\n"
        "    print(json.dumps({'at': n}), flush=True)\n"
        f"    n == 1 and {deadly}\n"
        "    print(json.dumps({'done': n, 'reader': 'weights', 'outcome': 'read'}), flush=True)\n"
    )
    import tests.tools.fuzz.run as run

    real = run.subprocess.run
    monkeypatch.setattr(run, "seeds", lambda only: {name: b"whole file" for name in READERS})
    monkeypatch.setattr(run.subprocess, "run", lambda command, **options: real(
        [command[0], str(stub), *command[1:]], **options
    ))  # fmt: skip
    result = fuzz(4, 1, tmp_path / "keep")
    assert [(at, what.split("\n")[0]) for at, _, what in result.findings] == [
        (1, f"{DEATH} SIGABRT" if "abort" in deadly else f"{DEATH} SIGKILL")
    ]
    assert result.counts["weights", "read"] == 3 and len(list((tmp_path / "keep").glob("*.bin"))) == 1
