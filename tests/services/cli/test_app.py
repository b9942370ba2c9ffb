"""The command itself: quick help, exit codes, and errors in one line."""

from __future__ import annotations

import subprocess
import sys

import pytest
from pydantic import ValidationError

from hazecast.grids.errors import InputError, MissingExtraError
from hazecast.services.cli import app, exits
from hazecast.services.client import NoAnswerError, RefusedError, UnavailableError
from hazecast.services.core.errors import StoreError
from hazecast.services.core.setting_groups import ServerSettings

HEAVY = ("numpy", "pandas", "xarray", "torch", "matplotlib", "sqlalchemy", "fastapi", "httpx", "pydantic")


def test_the_commands_load_no_heavy_package_before_they_run() -> None:
    code = f"import sys, hazecast.services.cli.app; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.split() == []


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (InputError("--days", 900, "at most 365"), exits.INPUT, "at most 365"),
        (MissingExtraError("typst", "pdf"), exits.INPUT, r"pip install 'hazecast[pdf]'"),
        (RefusedError("https://haze.example", "no such city", 404), exits.INPUT, "no such city"),
        (NoAnswerError("https://haze.example", "no answer"), exits.FAILED, "no answer"),
        (UnavailableError("https://haze.example", "stale", 503), exits.FAILED, "stale"),
        (StoreError("disk full"), exits.FAILED, "disk full"),
    ],
)
def test_an_error_that_a_user_can_act_on_has_a_code_and_a_message(error, code, words) -> None:
    explained = exits.explain(error)
    assert explained is not None and explained[0] == code and words in explained[1]


def test_a_fault_of_the_program_has_no_explanation() -> None:
    assert exits.explain(RuntimeError("unexpected")) is None


def test_a_wrong_setting_is_named_by_its_variable(monkeypatch) -> None:
    monkeypatch.setenv("HAZECAST_PORT", "abc")
    with pytest.raises(ValidationError) as error:
        ServerSettings()
    assert exits.explain(error.value) == (
        exits.INPUT,
        "HAZECAST_PORT: found 'abc'; Input should be a valid integer, unable to parse string as an integer",
    )


def test_main_prints_the_message_alone_and_exits_with_the_code(monkeypatch, capsys, tmp_path) -> None:
    monkeypatch.setattr(sys, "argv", ["hazecast", "forecast", "nowhere", "--data-dir", str(tmp_path)])
    with pytest.raises(SystemExit) as ended:
        app.main()
    output = capsys.readouterr()
    assert ended.value.code == exits.INPUT and output.out == ""
    assert output.err.startswith("hazecast: ") and "nowhere" in output.err and "Traceback" not in output.err
