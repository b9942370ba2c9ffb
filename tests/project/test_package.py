"""What is installed: one top-level package with all its files, from the sources and from an sdist, at one version."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tomllib
import zipfile
from importlib.metadata import version
from pathlib import Path
from shutil import copy, copytree, ignore_patterns

import pytest
import yaml

import hazecast
from hazecast.services.core.settings import Settings
from tests.support.paths import ROOT

ROOMS = ("alerts", "forecast", "grids", "models", "services")
# Kept in the folders of the code for those who work on it.
NOT_INSTALLED = (
    "*.md",
    "package.json",
    "package-lock.json",
    "tsconfig.json",
    "vendor.mjs",
    "node_modules",
    "__pycache__",
)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def python(*arguments: object, cwd: Path, path: Path | None = None) -> str:
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env=None if path is None else {"PYTHONPATH": str(path)},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def sources(folder: Path) -> set[str]:
    """Return the files below a folder that are to be installed, by their names in the wheel."""
    found = {f"hazecast/{path.name}" for path in (folder / "src" / "hazecast").iterdir() if path.is_file()}
    for room in ROOMS:
        found |= {f"hazecast/{path.relative_to(folder)}" for path in (folder / room).rglob("*") if path.is_file()}
    return found


@pytest.fixture(scope="module")
def tree(tmp_path_factory) -> Path:
    """A copy of what is built, without what may lie about in a checkout."""
    folder = tmp_path_factory.mktemp("tree")
    for name in ("pyproject.toml", "README.md", "LICENSE", "NOTICE"):
        copy(ROOT / name, folder)
    for name in (*ROOMS, "src"):
        copytree(ROOT / name, folder / name, symlinks=True, ignore=ignore_patterns(*NOT_INSTALLED))
    return folder


@pytest.fixture(scope="module")
def wheel(tree, tmp_path_factory) -> Path:
    """A wheel built from an sdist, as an installer does that finds no wheel."""
    folder = tmp_path_factory.mktemp("built")
    build = "import sys; from setuptools import build_meta; getattr(build_meta, sys.argv[1])(sys.argv[2])"
    python("-c", build, "build_sdist", folder, cwd=tree)
    (sdist,) = folder.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder / "unpacked", filter="data")
    (unpacked,) = (folder / "unpacked").iterdir()
    python("-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", folder, unpacked, cwd=folder)
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    target = tmp_path_factory.mktemp("installed")
    python("-m", "pip", "install", "--quiet", "--no-deps", "--target", target, wheel, cwd=target)
    return target


@pytest.mark.slow
@pytest.mark.slowest
def test_the_wheel_holds_one_package_and_every_file_of_it(wheel, tree) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    info = f"hazecast-{PROJECT['version']}.dist-info"
    assert {name.split("/")[0] for name in names} == {"hazecast", info}
    assert {name for name in names if name.startswith("hazecast/")} == sources(tree)
    assert {f"{info}/licenses/LICENSE", f"{info}/licenses/NOTICE"} <= names


@pytest.mark.slow
@pytest.mark.slowest
def test_folders_beside_a_script_do_not_shadow_the_package(installed, tmp_path) -> None:
    for name in (*ROOMS, "tests"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('the folder beside the script was imported')\n")
    modules = ("models.registry", "grids.contract", "forecast.products", "alerts.engine", "services.work.cycle")
    lines = [f"import hazecast.{module}" for module in modules]
    (tmp_path / "script.py").write_text("\n".join([*lines, "print(hazecast.__version__, hazecast.__file__)"]))
    said = python(tmp_path / "script.py", cwd=tmp_path, path=installed)
    assert said.split() == [PROJECT["version"], str(installed / "hazecast" / "__init__.py")]


def test_every_version_is_that_of_the_metadata(tmp_path) -> None:
    from hazecast.services.web.app import create_app

    known = version("hazecast")
    assert known == PROJECT["version"] == hazecast.__version__
    assert create_app(Settings(data_dir=tmp_path)).version == known
    assert python("-m", "hazecast", "--version", cwd=ROOT).strip() == f"hazecast {known}"
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == known


def test_no_module_imports_a_room_by_its_bare_name() -> None:
    banned = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]["flake8-tidy-imports"]
    assert set(banned["banned-api"]) == set(ROOMS)
    code = "".join(f"import {room}.x\nfrom {room} import y\n" for room in ROOMS)
    command = [sys.executable, "-m", "ruff", "check", "--select", "TID251", "--output-format", "concise", "-"]
    checked = subprocess.run(command, input=code, capture_output=True, text=True, check=False, cwd=ROOT)
    assert checked.stdout.count("TID251") == 2 * len(ROOMS), checked.stdout
