"""The examples of the client's README run as they stand, against a real server."""

from __future__ import annotations

import re

import pytest

from tests.support.paths import ROOT

EXAMPLES = re.findall(r"```python\n(.*?)```", (ROOT / "deploy" / "client" / "README.md").read_text("utf-8"), re.DOTALL)


@pytest.mark.slow
@pytest.mark.slowest
def test_the_examples_run(address, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    assert len(EXAMPLES) >= 5
    for example in EXAMPLES:
        assert "https://haze.example" in example
        code = compile(example.replace("https://haze.example", address), "README.md", "exec")
        exec(code, {"__name__": "example"})  # noqa: S102 the project's own text
        assert capsys.readouterr().out.strip(), example
    assert (tmp_path / "beijing.csv").read_text("utf-8").startswith("city,init_time")
    assert (tmp_path / "haze.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_examples_name_what_the_package_gives(example) -> None:
    import hazecast.services.client as client

    for names in re.findall(r"from hazecast\.services\.client import (.+)", example):
        assert set(names.split(", ")) <= set(client.__all__)
