"""Nothing in the repository decides where packages come from: no registry is named but in .ci/run."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from tests.support.paths import ROOT

# In parts, so that this file does not name them either.
HOSTS = [
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("download", "pytorch", "org"),
        ("pypi", "nvidia", "com"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("yarnpkg", "com"),
        ("anaconda", "org"),
        ("anaconda", "com"),
        ("prefix", "dev"),
    )
]


@pytest.fixture(scope="module")
def files() -> list[str]:
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("no checkout of git")
    listed = subprocess.run([git, "ls-files", "-z"], capture_output=True, text=True, check=True, cwd=ROOT)
    return [name for name in listed.stdout.split("\0") if name and name != ".ci/run"]


def test_no_file_names_a_registry_of_packages(files) -> None:
    assert len(files) > 400
    found = []
    for name in files:
        path = ROOT / name
        if path.is_file() and not path.is_symlink():
            content = path.read_bytes().lower()
            found += [f"{name}: {host}" for host in HOSTS if host.encode() in content]
    assert found == []
