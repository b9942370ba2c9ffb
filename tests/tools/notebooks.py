"""Run the notebooks and write their outputs into them: ``make notebooks``, or ``python -m tests.tools.notebooks study_box``.

What differs from run to run or machine to machine is not kept: times, HTML of Datasets (random ids), versions of the kernel. Figures
are kept with few colours, so that a notebook stays small. Each holds the digest of the code that its outputs are of.
"""

from __future__ import annotations

import argparse
import ast
import base64
import hashlib
import io
import os
import re
import tempfile
from pathlib import Path
from typing import Any

import nbformat

from tests.support.paths import ROOT, SHARED_DATA

FOLDER = ROOT / "notebooks"
COLOURS = 48
# Cells of training draw few windows: they show how, not how well.
WINDOWS = "640"
_LONGEST_S = 300


def notebooks() -> list[Path]:
    """Return all notebooks of the repository."""
    return sorted(FOLDER.glob("*.ipynb"))


def executed(path: Path, collections: Path, work: Path) -> Any:
    """Run a notebook from its first cell to its last in a kernel of its own.

    Parameters
    ----------
    path : Path
        The notebook; it is not changed.
    collections : Path
        Folder of the collections of real data.
    work : Path
        Empty folder for what cells write.

    Returns
    -------
    nbformat.NotebookNode
        With its outputs as they are kept.
    """
    from nbclient import NotebookClient

    # The kernel is a process of its own: it must import this checkout, not an installed one.
    given = {
        "HAZECAST_COLLECTIONS": str(collections),
        "HAZECAST_NOTEBOOK_WINDOWS": WINDOWS,
        "HAZECAST_DATA_DIR": str(work),
        "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]),
        "OMP_NUM_THREADS": "1",
        "PYTHONHASHSEED": "0",
    }
    notebook = nbformat.read(path, as_version=4)
    # Into how many messages what is printed comes depends on the time.
    client = NotebookClient(
        notebook,
        timeout=_LONGEST_S,
        record_timing=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(FOLDER)}},
    )
    client.execute(env=os.environ | given)
    return kept(notebook)


def kept(notebook: Any) -> Any:
    """Return an executed notebook with what is kept of it."""
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
            "hazecast": {"outputs_of": digest(notebook)},
        }
    )
    for cell in code_cells(notebook):
        cell.metadata = nbformat.from_dict({})
        for output in cell.outputs:
            if "data" not in output:
                continue
            output.metadata = nbformat.from_dict({})
            data = output.data
            if "dataframe" not in data.get("text/html", ""):
                data.pop("text/html", None)
            if "image/png" in data:
                data["image/png"] = smaller(data["image/png"])
                data.pop("text/plain", None)
    return notebook


def smaller(picture: str) -> str:
    """Return a PNG in base64 with at most `COLOURS` colours, in base64."""
    from PIL import Image

    drawn = io.BytesIO()
    with Image.open(io.BytesIO(base64.b64decode(picture))) as image:
        few = image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
        few.save(drawn, format="png", optimize=True)
    return base64.b64encode(drawn.getvalue()).decode("ascii")


def code_cells(notebook: Any) -> list[Any]:
    """Return the cells of code."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def digest(notebook: Any) -> str:
    """Return the digest of a notebook's code: outputs of other code are not its own."""
    return hashlib.sha256("\0".join(cell.source for cell in code_cells(notebook)).encode()).hexdigest()


def shows(source: str) -> bool:
    """Return whether a cell shows something: it prints, or ends with a value."""
    tree = ast.parse(re.sub(r"^%.*$", "", source, flags=re.MULTILINE))
    prints = any(isinstance(node, ast.Name) and node.id == "print" for node in ast.walk(tree))
    return prints or (bool(tree.body) and isinstance(tree.body[-1], ast.Expr))


def texts(notebook: Any) -> list[str]:
    """Return what each cell of code shows as text."""
    found = []
    for cell in code_cells(notebook):
        parts = [output.get("text") or output.get("data", {}).get("text/plain", "") for output in cell.outputs]
        found.append("\n".join(parts))
    return found


def pictures(notebook: Any) -> list[bytes]:
    """Return the figures that a notebook shows, PNG."""
    return [
        base64.b64decode(output.data["image/png"])
        for cell in code_cells(notebook)
        for output in cell.outputs
        if "image/png" in output.get("data", {})
    ]


def main() -> None:
    """Run the notebooks named, or all, and write their outputs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="names without .ipynb; all unless given")
    parser.add_argument("--data", type=Path, default=SHARED_DATA, help="folder of the collections")
    parser.add_argument("--pictures", type=Path, help="write the figures here too, to look at")
    given = parser.parse_args()
    for path in notebooks():
        if given.names and path.stem not in given.names:
            continue
        with tempfile.TemporaryDirectory() as work:
            notebook = executed(path, given.data.resolve(), Path(work))
        nbformat.write(notebook, path)
        print(f"{path.stem}: {path.stat().st_size / 1000:.0f} kB")
        for number, picture in enumerate(pictures(notebook), 1):
            if given.pictures is not None:
                given.pictures.mkdir(parents=True, exist_ok=True)
                (given.pictures / f"{path.stem}-{number}.png").write_bytes(picture)


if __name__ == "__main__":
    main()
