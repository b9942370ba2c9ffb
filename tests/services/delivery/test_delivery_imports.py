"""What delivery loads: drawing, PDF, models and the web server only when they are needed."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.support.paths import ROOT

HEAVY = ("cartopy", "eccodes", "fastapi", "lightgbm", "matplotlib", "sklearn", "torch", "typst")


def test_importing_delivery_loads_no_heavy_library() -> None:
    names = [path.stem for path in (ROOT / "services" / "delivery").glob("*.py") if path.stem != "__init__"]
    assert {"dispatcher", "mail", "service", "stream"} <= set(names)
    code = "import sys\n" + "".join(f"import hazecast.services.delivery.{name}\n" for name in names)
    code += f"print(*(name for name in {HEAVY!r} if name in sys.modules))"
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
