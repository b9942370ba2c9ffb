"""The documentation builds as a site, strictly: every link, anchor and page of it leads somewhere, and nothing comes from elsewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from tests.support.paths import ROOT
from tests.tools import docs_site


def test_links_out_of_the_documents_are_known_to_the_site() -> None:
    pages = [str(path.relative_to(ROOT)) for path in sorted((ROOT / "docs").rglob("*.md"))]
    found = docs_site.outside(pages)
    assert {"CONTRIBUTING.md", "CHANGELOG.md", "grids/contract.py", "alerts/rules"} <= set(found)
    assert docs_site.uri_of("grids/contract.py") == "source/grids/contract.py.txt"
    assert docs_site.uri_of("alerts/rules") == "source/alerts/rules/index.md"
    assert docs_site.uri_of("notebooks/study_box.ipynb") == "notebooks/study_box.md"
    assert docs_site.home_of("notebooks/study_box.md") == "notebooks/study_box.ipynb"
    assert docs_site.uri_of("docs/api.md") == "api.md" and docs_site.home_of("source/README.md") == "README.md"


def test_commands_and_settings_have_a_page() -> None:
    commands, settings = docs_site.commands_page(), docs_site.settings_page()
    assert "## hazecast warnings approve" in commands and "`--weather`" in commands
    assert "| `HAZECAST_BULLETIN_LETTERHEAD` |" in settings and "`HAZECAST_SMTP_PASSWORD`" in settings


def test_the_site_builds_strictly_and_loads_nothing_from_elsewhere(tmp_path) -> None:
    pytest.importorskip("mkdocs", reason="MkDocs is not installed")
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-m",
        "mkdocs",
        "build",
        "--strict",
        "--site-dir",
        str(tmp_path / "site"),
    ]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=280, check=False,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(ROOT / "src")},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    pages = list((tmp_path / "site").rglob("*.html"))
    assert len(pages) > 40
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert not re.search(
            r"<(?:script|img|iframe)[^>]+src=\"?https?://|<link[^>]+rel=\"?stylesheet[^>]+https?://", text
        ), page
    box = (tmp_path / "site" / "notebooks" / "study_box" / "index.html").read_text(encoding="utf-8")
    assert (
        'src="1.png"' in box and "<table>" in box and (tmp_path / "site" / "notebooks" / "study_box" / "1.png").exists()
    )
    reference = (tmp_path / "site" / "reference" / "data" / "index.html").read_text(encoding="utf-8")
    assert "hazecast.grids.errors.InputError" in reference and "Parameters" in reference
