"""What is installed is what was looked at: every dependency has an exact pin, and no two versions."""

from __future__ import annotations

import re
import tomllib

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.support.paths import ROOT


def pins() -> dict[str, Version]:
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line and not line.startswith("#")]
    found = {}
    for line in lines:
        name, version = re.fullmatch(r"([A-Za-z0-9._-]+)==([^\s;@]+)", line).groups()  # no addresses, no ranges
        assert canonicalize_name(name) not in found, line
        found[canonicalize_name(name)] = Version(version)
    return found


def test_every_dependency_has_an_exact_pin_within_its_range() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = [Requirement(text) for text in project["dependencies"]]
    asked += [Requirement(text) for group in project["optional-dependencies"].values() for text in group]
    asked = [requirement for requirement in asked if requirement.name != project["name"]]  # extras of its own
    pinned = pins()
    assert len(asked) > 40
    for requirement in asked:
        assert requirement.url is None
        version = pinned.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement.name} has no pin"
        assert requirement.specifier.contains(version, prereleases=True), f"{requirement}: pinned {version}"
