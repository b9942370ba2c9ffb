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
