"""The documents name files, functions and addresses that are there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.support.documents import DOCUMENTS
from tests.support.paths import ROOT

# `services/store/store.py` `Store.save_run`, also over the end of a line; or the path alone.
NAMED = re.compile(r"`((?:alerts|forecast|grids|models|services|tests)/[\w/]+\.py)`(?:\s+`([A-Za-z_][\w.]*)`)?")
LINK = re.compile(r"\]\(([^)\s]+)\)")


def defined(path: Path) -> set[str]:
    """Return what a module defines or imports, and the methods of its classes as ``Class.method``."""
    names: set[str] = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef):
            names |= {f"{node.name}.{part.name}" for part in node.body if isinstance(part, ast.FunctionDef)}
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
    return names


def anchors(path: Path) -> set[str]:
    """Return the anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_that_a_document_names_exist(document) -> None:
    lost = []
    for module, name in NAMED.findall(document.read_text(encoding="utf-8")):
        if not (ROOT / module).exists():
            lost.append(module)
        elif name and name not in defined(ROOT / module):
            lost.append(f"{module} {name}")
    assert not lost


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_relative_links_of_a_document_lead_somewhere(document) -> None:
    lost = []
    for link in LINK.findall(document.read_text(encoding="utf-8")):
        address, _, anchor = link.partition("#")
        if re.match(r"[a-z]+:", address):
            continue
        target = document.parent / address if address else document
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            lost.append(link)
    assert not lost


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_each_table_of_a_document_is_one(document) -> None:
    # A row after an empty line has no header above it, and is shown as text.
    text = re.sub(r"^ *```.*?^ *```", "", document.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    for block in re.findall(r"(?:^ *\|.*\n?)+", text, re.MULTILINE):
        head, rule = [*block.splitlines(), ""][:2]
        assert re.fullmatch(r" *\|(?:\s*:?-+:?\s*\|)+", rule), head
        widths = {len(re.sub(r"\\\|", "", line).strip().strip("|").split("|")) for line in block.splitlines()[:2]}
        assert len(widths) == 1, head


def test_what_is_said_of_skill_is_what_its_tables_have() -> None:
    text = (ROOT / "docs/skill.md").read_text(encoding="utf-8")
    prose, tables = text.split("## The tables\n")
    rows = [
        (title, *(cell.strip() for cell in line.strip("| ").split("|")))
        for title, part in re.findall(r"### (.+)\n\n((?:\|.*\n)+)", tables)
        for line in part.splitlines()[2:]
    ]
    assert len(rows) > 90

    def said(pattern: str) -> list[str]:
        return list(re.search(pattern.replace(" ", r"\s+"), prose).groups())

    for weather, pattern in (
        ("none", r"without weather \((\S+) to (\S+)\)"),
        ("observed", r'"perfect prog", (\S+) to (\S+)\)'),
    ):
        unseen = [
            float(re.search(r"\((.+)\)", row[7])[1]) for row in rows if "never seen" in row[0] and row[2] == weather
        ]
        assert said(pattern) == [f"{min(unseen):.2f}", f"{max(unseen):.2f}"]
    covered = [100 * float(row[10]) for row in rows]
    assert said(r"cover (\S+) to (\S+) %") == [f"{min(covered):.0f}", f"{max(covered) + 1e-6:.0f}"]
    worst = max(float(row[11].split(" and ")[1]) for row in rows)
    assert said(r"worst lead time is up to (\S+) of") == [f"{worst:.3f}"]
