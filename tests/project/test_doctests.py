"""The examples in docstrings run, and give what they show."""

from __future__ import annotations

import doctest
import pkgutil
from importlib import import_module

import hazecast
from hazecast.grids.errors import MissingExtraError

# How many examples there were when this was last raised: they don't get lost unnoticed.
LEAST = 81
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def module_names() -> list[str]:
    found = pkgutil.walk_packages(hazecast.__path__, "hazecast.", onerror=lambda name: None)
    return sorted(m.name for m in found if ".migrations" not in m.name and not m.name.endswith("__main__"))


def test_examples_in_docstrings_hold() -> None:
    ran, failed = 0, []
    for name in module_names():
        try:
            module = import_module(name)
        except (MissingExtraError, ModuleNotFoundError) as error:
            # A module of an extra that isn't installed; one of our own must be there.
            assert "hazecast." not in str(getattr(error, "name", None)), name
            continue
        result = doctest.testmod(module, optionflags=OPTIONS)
        ran += result.attempted
        if result.failed:
            failed.append(name)
    assert not failed, f"examples fail in {', '.join(failed)}"
    assert ran >= LEAST
