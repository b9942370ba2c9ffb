"""The scheduler uses the public parts of APScheduler only."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.support.paths import ROOT

MODULES = sorted((ROOT / "services").rglob("*.py"))
SCHEDULING = sorted((ROOT / "services" / "scheduling").glob("*.py"))


def imports_of_apscheduler(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Yield the module and the name (empty for a whole module) of everything imported from APScheduler."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "apscheduler":
            yield from ((node.module or "", alias.name) for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names if alias.name.split(".")[0] == "apscheduler")


def test_apscheduler_computes_the_due_times() -> None:
    found = {name for path in SCHEDULING for _, name in imports_of_apscheduler(ast.parse(path.read_text()))}
    assert {"CronTrigger", "IntervalTrigger"} <= found


def test_nothing_private_of_apscheduler_is_imported_and_no_class_of_it_is_changed() -> None:
    for path in MODULES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        imported = set(imports_of_apscheduler(tree))
        parts = [part for module, name in imported for part in (*module.split("."), name)]
        assert not [part for part in parts if part.startswith("_")], path
        names = {name for _, name in imported} | {"apscheduler"}
        bases = [base for node in ast.walk(tree) if isinstance(node, ast.ClassDef) for base in node.bases]
        assert not [base for base in bases if ast.unparse(base).split(".")[0].split("[")[0] in names], path


@pytest.mark.parametrize("path", SCHEDULING, ids=lambda path: path.name)
def test_private_attributes_are_used_of_the_own_object_only(path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    private = [n for n in ast.walk(tree) if isinstance(n, ast.Attribute) and n.attr.startswith("_")]
    # Of the language, and SQLAlchemy's documented table of a class.
    public = {"__name__", "__table__"}
    others = [ast.unparse(n) for n in private if ast.unparse(n.value) != "self" and n.attr not in public]
    assert not others
