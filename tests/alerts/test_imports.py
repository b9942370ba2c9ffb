"""What is needed to judge and word a warning loads no library that draws, typesets or trains."""

from __future__ import annotations

import subprocess
import sys

LIGHT = (
    "rules.book",
    "engine.engine",
    "engine.approval",
    "engine.scoring",
    "messages.cap",
    "messages.atom",
    "messages.geojson",
    "messages.causes",
    "geography.shapes",
    "bulletin.content",
    "bulletin.wording",
    "bulletin.forms",
    "bulletin.data",
    "bulletin.render",
    "maps.options",
    "maps.scales",
)
HEAVY = ("matplotlib", "cartopy", "typst", "scipy", "sklearn", "PIL", "torch", "lightgbm", "eccodes", "signxml")


def test_heavy_libraries_are_not_loaded() -> None:
    imports = "".join(f"import hazecast.alerts.{name}\n" for name in LIGHT)
    code = f"{imports}import sys\nprint(*[name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.split() == []
