"""Options that would have no effect, and file names that promise another format, are refused; nothing is written."""

from __future__ import annotations

import sys

import pytest

from hazecast.services.cli import app, exits


def ended(monkeypatch, capsys, *arguments: object) -> tuple[int, str]:
    monkeypatch.setattr(sys, "argv", ["hazecast", *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        app.main()
    output = capsys.readouterr()
    assert not output.out
    return int(end.value.code or 0), output.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "--weather", "foo"], "--weather: found foo; expected --observations"),
        (["run", "--weather", "none"], "--weather: found none"),
        (["map", "haze.jpg"], "found haze.jpg; expected a name that ends with .png"),
        (["map", "day.png.mp4", "--kind", "animation"], "found day.png.mp4"),
        (["map", "a.png", "--city", "beijing"], "--city: found beijing; expected --kind fan"),
        (["map", "a.png", "--kind", "aqi", "--pollutant", "o3"], "--pollutant: found o3"),
        (["map", "a.png", "--kind", "fan", "--hour", "3"], "--hour: found 3"),
        (["warnings", "--at", "2013-01-12", "drafts"], "--at: found 2013-01-12; expected it after the name"),
        (["--server", "http://127.0.0.1:9", "verify", "--again"], "--again: found True"),
        (["--server", "http://127.0.0.1:9", "runs", "list"], "--server: found http://127.0.0.1:9"),
        (["--server", "http://127.0.0.1:9", "map", "a.png", "--data-dir", "b"], "--data-dir: found b"),
        (["replay", "--observations", "a", "--from", "x", "--to", "y", "--out", "history.csv"], "history.csv"),
        (["replay", "--observations", "a", "--from", "x", "--to", "y", "--out", "a.json", "--plot", "a.gif"], "a.gif"),
    ],
)
def test_what_would_have_no_effect_is_refused(monkeypatch, capsys, tmp_path, arguments, words) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HAZECAST_SERVER", raising=False)
    code, message = ended(monkeypatch, capsys, *arguments)
    assert code == exits.INPUT and words in message and "Traceback" not in message
    assert not list(tmp_path.iterdir())


def test_a_server_of_the_environment_is_for_the_commands_that_read_from_one(monkeypatch, capsys, tmp_path) -> None:
    monkeypatch.setenv("HAZECAST_SERVER", "http://127.0.0.1:9")
    code, message = ended(monkeypatch, capsys, "runs", "list", "--data-dir", tmp_path)
    assert code == 0 and not message
    code, message = ended(monkeypatch, capsys, "forecast", "beijing", "--data-dir", tmp_path)
    assert code == exits.INPUT and message.startswith("hazecast: --data-dir: ")
