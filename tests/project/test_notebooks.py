"""Notebooks ship with the outputs of their code, and give the same again when they are run."""

from __future__ import annotations

import re

import nbformat
import pytest

from tests.support.paths import ROOT
from tests.tools.notebook_pages import page_of
from tests.tools.notebooks import code_cells, digest, executed, notebooks, pictures, shows, texts

NOTEBOOKS = notebooks()
# That of the API tells how to ask for the studies.
PAGES = sorted(path for path in (ROOT / "docs" / "studies").glob("*.md") if path.stem not in ("README", "api"))
LARGEST = 150_000
# Home and temporary folders, a drive, an installed package, an address in memory, a host.
OF_A_MACHINE = re.compile(
    r"/home/|/root/|/tmp/|/work/|/Users/|[A-Z]:\\|site-packages|\b0x[0-9a-f]{6,}|https?://(?!doi\.org)|localhost|127\.0\.0\.1"
)
NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_holds_the_outputs_of_its_code(path) -> None:
    notebook = nbformat.read(path, as_version=4)
    cells = code_cells(notebook)
    # Run by `make notebooks` after the last change of the code.
    assert notebook.metadata["hazecast"]["outputs_of"] == digest(notebook)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    for cell in cells:
        assert bool(cell.outputs) == shows(cell.source), cell.source
        for output in cell.outputs:
            assert output.output_type != "error" and output.get("name") != "stderr", cell.source
    assert pictures(notebook), "a notebook shows at least one figure"
    said = "\n".join(texts(notebook)) + "".join(
        output.get("data", {}).get("text/html", "") for cell in cells for output in cell.outputs
    )
    assert not OF_A_MACHINE.search(said), OF_A_MACHINE.search(said)
    assert path.stat().st_size <= LARGEST


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_each_page_of_a_study_has_its_notebooks(page) -> None:
    named = re.findall(r"\]\(\.\./\.\./notebooks/(\w+)\.ipynb\)", page.read_text(encoding="utf-8"))
    assert named and all((ROOT / "notebooks" / f"{name}.ipynb").exists() for name in named)
    for name in named:
        notebook = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)
        words = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
        assert f"(../docs/studies/{page.name}" in words, f"{name} does not lead to {page.name}"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_links_of_a_notebook_lead_somewhere_and_its_page_shows_its_figures(path) -> None:
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            for link in re.findall(r"\]\(([^)\s#]+)[^)]*\)", cell.source):
                assert link.startswith("http") or (path.parent / link).exists(), link
    page, drawn = page_of(path)
    assert len(drawn) == len(pictures(notebook)) and all(f"]({name})" in page for name in drawn)
    assert "<style" not in page and not re.search(r"\x1b\[", page)


def test_a_cell_that_shows_nothing_is_told_from_one_that_does() -> None:
    assert not shows("import os\nx = 1") and not shows("def f():\n    return 1") and not shows("%matplotlib inline")
    assert shows("x = 1\nx") and shows("for x in y:\n    print(x)")


@pytest.mark.slow
@pytest.mark.slowest
@pytest.mark.timeout(900)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_gives_the_same_again(path, shared_data, tmp_path) -> None:
    shipped = nbformat.read(path, as_version=4)
    again = executed(path, shared_data, tmp_path)
    for cell, before, after in zip(code_cells(shipped), texts(shipped), texts(again), strict=True):
        assert NUMBER.sub("#", before) == NUMBER.sub("#", after), cell.source
        # Other processors sum in another order.
        numbers = [[float(one) for one in NUMBER.findall(said)] for said in (before, after)]
        assert numbers[1] == pytest.approx(numbers[0], rel=0.02, abs=0.011), cell.source
    assert len(pictures(again)) == len(pictures(shipped))
