"""The documents of the repository that tests read."""

from __future__ import annotations

from tests.support.paths import ROOT

DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "alerts" / "geography" / "README.md"])
