"""What runs without the extras, and what a command says whose extra is missing."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.paths import ROOT

# Every test starts processes that import nearly everything.
pytestmark = [pytest.mark.slow, pytest.mark.slowest]

Python = Callable[..., subprocess.CompletedProcess[str]]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
INIT_TIME = "2013-01-11T22:00:00Z"
# Names that a package is imported by, where they are others than its own.
IMPORTED_AS = {"psycopg": ["psycopg", "psycopg_binary"], "python-calamine": ["python_calamine"]}
# Imported by packages of the core, in part where they find them: they are dependencies of it as well.
ALSO_CORE = {"requests"}


def packages(extra: str) -> set[str]:
    return {canonicalize_name(Requirement(text).name) for text in EXTRAS[extra]} - {"hazecast"}


OPTIONAL = sorted(set().union(*(packages(extra) for extra in EXTRAS if extra not in ("dev", "all"))) - ALSO_CORE)
BLOCKED = [module for name in OPTIONAL for module in IMPORTED_AS.get(name, [name])]
# Read by every Python that starts with its folder on the path, so by the processes that commands start as well.
SITECUSTOMIZE = f"""
from importlib.machinery import PathFinder

found = PathFinder.find_spec

def find_spec(name, path=None, target=None):
    return None if name.partition(".")[0] in {BLOCKED!r} else found(name, path, target)

PathFinder.find_spec = staticmethod(find_spec)
"""


@pytest.fixture(scope="module")
def in_core(tmp_path_factory) -> Python:
    """Return a function that runs Python where no package of an extra is found."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "sitecustomize.py").write_text(SITECUSTOMIZE)
    paths = os.pathsep.join(map(str, (folder, ROOT / "src", ROOT)))

    def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *map(str, arguments)],
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": paths} | environment,
        )

    return run


@pytest.fixture(scope="module")
def data(in_core, tmp_path_factory) -> Path:
    """A data folder after one cycle of the core, on the simulated sample."""
    folder = tmp_path_factory.mktemp("core")
    ran = in_core("-m", "hazecast", "run", "--init-time", INIT_TIME, "--data-dir", folder)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    (folder / "table.xlsx").write_bytes(b"PK\x03\x04")
    return folder


def test_no_package_is_both_of_the_core_and_of_an_extra() -> None:
    core = {canonicalize_name(Requirement(text).name) for text in PROJECT["dependencies"]}
    assert not core & set(OPTIONAL)
    for extra in ("all", "dev"):
        (named,) = [Requirement(text) for text in EXTRAS[extra] if text.startswith("hazecast[")]
        assert named.extras == (set(EXTRAS) - {"all", "dev"} if extra == "all" else {"all"})


def test_the_core_answers_requests_and_refuses_pdf_alone(in_core, data) -> None:
    code = f"""
from pathlib import Path
from fastapi.testclient import TestClient
from hazecast.services.core.settings import Settings
from hazecast.services.web.app import create_app

client = TestClient(create_app(Settings(data_dir=Path({str(data)!r}))))
for path in ("/", "/v1/cities/beijing/forecast", "/v1/maps/haze.png", "/v1/verification", "/v1/bulletins/latest.html"):
    answer = client.get(path)
    assert answer.status_code == 200, (path, answer.text)
refused = client.get("/v1/bulletins/latest.pdf")
problem = refused.json()
assert (refused.status_code, problem["type"]) == (501, "/v1/problems/not-installed"), refused.text
print(problem["detail"])
"""
    ran = in_core("-c", code)
    assert ran.returncode == 0, ran.stderr
    assert "pip install 'hazecast[pdf]'" in ran.stdout


def test_help_is_shown_without_extras(in_core) -> None:
    shown = in_core("-m", "hazecast", "--help")
    assert shown.returncode == 0 and "backtest" in shown.stdout, shown.stderr


@pytest.mark.parametrize("module", BLOCKED)
def test_these_tests_hide_the_packages_of_the_extras(in_core, module) -> None:
    assert find_spec(module) is not None
    assert "ModuleNotFoundError" in in_core("-c", f"import {module}").stderr


ANY_PERIOD = ("--from", "2013-01-01T00:00Z", "--to", "2013-01-02T00:00Z", "--train-until", "2012-12-31T00:00Z")
COMMANDS: dict[str, tuple[str, ...]] = {
    "train": ("backtest", "--observations", "{folder}/observations", "--models", "lightgbm", *ANY_PERIOD),
    "studies": ("study", "trend", "--observations", "{folder}", "--place", "beijing"),
    "pdf": ("bulletin", "--format", "pdf", "--data-dir", "{folder}", "--out", "{folder}/out"),
    "archive": ("ingest", "--from", "2013-01-01", "--to", "2013-01-02", "--weather-files", "{folder}"),
    "postgres": ("run", "--data-dir", "{folder}"),
    "tables": ("observations", "check", "{folder}/table.xlsx"),
}


@pytest.mark.parametrize("extra", sorted(set(EXTRAS) - {"all", "dev"}))
def test_a_command_names_the_extra_that_it_lacks(in_core, data, extra) -> None:
    environment = {"HAZECAST_DATABASE_URL": "postgresql://nobody@localhost:1/none"} if extra == "postgres" else {}
    ran = in_core("-m", "hazecast", *(part.format(folder=data) for part in COMMANDS[extra]), **environment)
    assert ran.returncode == 2, ran.stdout + ran.stderr
    assert f"pip install 'hazecast[{extra}]'" in ran.stderr
    assert "Traceback" not in ran.stderr
