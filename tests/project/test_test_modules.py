"""The order of the tests themselves: what two test modules share lies in `tests.support`."""

from __future__ import annotations

import re

import pytest

from tests.support.paths import ROOT

# Also in texts: code that a test runs in another process.
TEST_MODULE = re.compile(r"\btests(?:\.\w+)*\.test_\w+|\bfrom tests[.\w]* import .*\btest_\w+")


def test_no_module_imports_a_test_module() -> None:
    found = {
        str(path.relative_to(ROOT)): TEST_MODULE.findall(path.read_text(encoding="utf-8"))
        for path in (ROOT / "tests").rglob("*.py")
    }
    assert {path: names for path, names in found.items() if names} == {}


@pytest.mark.parametrize("line", ["from tests.a.{} import c", "import tests.a.{}", "from tests.a import {}"])
def test_each_way_to_import_a_test_module_is_found(line) -> None:
    assert TEST_MODULE.search(line.format("test_b"))
