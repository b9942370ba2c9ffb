"""The command itself: quick help, exit codes, and errors in one line."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from hazecast.grids.errors import InputError, MissingExtraError
from hazecast.services.cli import app, exits
from hazecast.services.client import NoAnswerError, RefusedError, UnavailableError
from hazecast.services.core.errors import StoreError
from hazecast.services.core.service_settings import ServerSettings

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
        (
            OSError(errno.ENOSPC, "No space left on device", "weights"),
            exits.FAILED,
            "No space left on device: 'weights'",
        ),
        (OSError(errno.EROFS, "Read-only file system", "weights"), exits.FAILED, "Read-only file system"),
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


def test_times_and_names_on_the_command_line_are_the_places_own() -> None:
    from hazecast.alerts.rules.book import RuleBook
    from hazecast.grids.places.cities import load_registry
    from hazecast.services.work.local_time import place_name
    from hazecast.services.work.report import message_line
    from tests.support.cap_messages import made_warning

    registry, book = load_registry(), RuleBook.shipped()
    assert [place_name(registry.city(name)) for name in ("himeji", "kobe", "beijing")] == [
        "Himeji 姫路", "Kobe 神戸", "Beijing 北京",
    ]  # fmt: skip
    line = message_line(made_warning(), registry, book)
    assert "Beijing 北京, 2013-01-11 20:00 to 2013-01-12 20:00 (Beijing time)" in line and "Z" not in line
    japan = message_line(made_warning(city="himeji", rule_set="jp_pm25", level="alert"), registry, book)
    assert "Himeji 姫路, 2013-01-11 21:00 to 2013-01-12 21:00 (Japan time)" in japan


def test_times_in_json_are_in_utc_and_marked_as_the_api_marks_them(capsys) -> None:
    from datetime import datetime

    from hazecast.services.cli.output import print_json

    print_json({"at": datetime.fromisoformat("2013-01-11T21:00+09:00"), "name": "姫路", "file": Path("a") / "b"})
    assert json.loads(capsys.readouterr().out) == {"at": "2013-01-11T12:00:00Z", "name": "姫路", "file": "a/b"}
    with pytest.raises(TypeError, match="set is no JSON"):
        print_json({"at": set()})


@pytest.mark.parametrize(("words", "found"), [("hazecast war", "warnings"), ("hazecast forecast beij", "beijing")])
def test_the_shell_completes_commands_and_cities(monkeypatch, capsys, words, found) -> None:
    monkeypatch.setattr(sys, "argv", ["hazecast"])
    for name, value in {
        "_HAZECAST_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split()) - 1),
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as ended:
        app.main()
    assert not ended.value.code and capsys.readouterr().out.split() == [found]


def test_times_of_the_operators_commands_are_of_the_systems_zone_and_say_so(monkeypatch) -> None:
    import time
    from datetime import UTC, datetime

    from hazecast.services.cli.output import stamp

    monkeypatch.setenv("TZ", "Asia/Shanghai")
    time.tzset()
    try:
        assert stamp(datetime(2013, 1, 11, 22, tzinfo=UTC)) == "2013-01-12T06:00+08:00"
    finally:
        monkeypatch.delenv("TZ")
        time.tzset()


def test_what_libraries_log_and_warn_of_is_not_printed(monkeypatch, tmp_path) -> None:
    code = (
        "import logging, sys, warnings\n"
        "from hazecast.services.cli import app, runs\n"
        "def noisy(**_):\n"
        "    warnings.warn('of a library', RuntimeWarning)\n"
        "    logging.getLogger('library').warning('of a library')\n"
        "    logging.getLogger('hazecast.x').warning('of ours')\n"
        "app.app = noisy\n"
        "app.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert "of ours" in done.stderr and "of a library" not in done.stderr
