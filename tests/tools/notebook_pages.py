"""A notebook with its outputs as a page of the documentation's site: Markdown, code, results as text, tables and pictures."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import nbformat

from tests.tools.notebooks import pictures

_TABLE = re.compile(r"<table.*?</table>", re.DOTALL)


def page_of(path: Path) -> tuple[str, dict[str, bytes]]:
    """Return the page of a notebook.

    Parameters
    ----------
    path : Path
        The notebook.

    Returns
    -------
    markdown : str
        Links are those of the notebook; pictures are named as if they lay in a folder of the notebook's name beside the page.
    pictures : dict of str to bytes
        PNG by that name.
    """
    notebook = nbformat.read(path, as_version=4)
    named = {f"{path.stem}/{number}.png": picture for number, picture in enumerate(pictures(notebook), 1)}
    waiting = iter(named)
    parts, heading = [], path.stem
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            parts.append(cell.source)
            heading = ([heading, *re.findall(r"^#+ (.+)$", cell.source, re.MULTILINE)])[-1]
            continue
        parts.append(f"```python\n{cell.source}\n```")
        parts.extend(_shown(output, heading, waiting) for output in cell.outputs)
    parts.append(f"*The notebook `notebooks/{path.name}` of the repository, with its outputs.*")
    return "\n\n".join(parts) + "\n", named


def _shown(output: Any, heading: str, waiting: Any) -> str:
    data = output.get("data", {})
    if "image/png" in data:
        return f"![Figure: {heading}]({next(waiting)})"
    table = _TABLE.search(data.get("text/html", ""))
    if table:
        # The site's own style is for tables without a class.
        return re.sub(r"<table[^>]*>", "<table>", table.group(0))
    return f"```text\n{(output.get('text') or data.get('text/plain', '')).rstrip()}\n```"
