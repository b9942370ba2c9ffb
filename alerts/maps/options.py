"""Sizes and file formats of maps, and their font; loads no drawing library."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Literal

Size = Literal["desktop", "phone"]
Format = Literal["gif", "png", "webp"]


def _font_file() -> str:
    # Importing the package would load matplotlib.
    spec = find_spec("notojp_matplotlib")
    assert spec is not None and spec.origin is not None, "a requirement of Hazecast"
    return str(Path(spec.origin).parent / "fonts" / "NotoSansCJKjp-Regular.otf")


# Noto Sans CJK (SIL Open Font Licence), from the package notojp-matplotlib.
FONT_FILE = _font_file()
