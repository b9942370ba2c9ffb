"""Every notebook runs from its first cell to its last, on a small setting."""

from __future__ import annotations

import os

import nbformat
import pytest
from nbclient import NotebookClient

from tests.support.paths import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.slowest, pytest.mark.timeout(900)]

FOLDER = ROOT / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def test_there_are_notebooks_and_they_are_kept_without_outputs() -> None:
    assert {path.stem for path in NOTEBOOKS} >= {
        "retrain",
        "episode",
        "new_model",
        "add_city",
        "study_sources",
        "study_ozone",
        "study_quality",
        "did_it_work",
        "study_climatology",
    }
    for path in NOTEBOOKS:
        for cell in nbformat.read(path, as_version=4).cells:
            assert not cell.get("outputs") and cell.get("execution_count") is None, path.name


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs(path, shared_data, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("HAZECAST_COLLECTIONS", str(shared_data))
    monkeypatch.setenv("HAZECAST_NOTEBOOK_WINDOWS", "640")
    monkeypatch.setenv("HAZECAST_DATA_DIR", str(tmp_path))
    # The kernel is a process of its own: it must import this checkout, not an installed one.
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT / "src"), str(ROOT)]))
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(FOLDER)}}).execute()
    figures = [
        output for cell in notebook.cells for output in cell.get("outputs", []) if "image/png" in output.get("data", {})
    ]
    assert figures, "a notebook shows at least one figure"
