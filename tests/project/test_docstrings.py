"""Public functions say what they take, give back and raise."""

from __future__ import annotations

import pytest

from tests.support.docstrings import lacking
from tests.support.paths import ROOT


@pytest.mark.parametrize("room", ["grids", "models", "forecast", "alerts", "services"])
def test_public_functions_have_the_sections_of_a_numpy_docstring(room) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in sorted((ROOT / room).rglob("*.py"))
        if "migrations" not in path.parts
        for line in lacking(path)
    ]
    assert not found, "\n".join(found)
