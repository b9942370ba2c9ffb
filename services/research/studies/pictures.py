"""Figures of studies as pictures, with Chinese and Japanese names in them."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DPI = 110


def drawn(figure: Figure) -> bytes:
    """Return a figure as PNG; what its font lacks is taken from the one that maps use."""
    from matplotlib.font_manager import fontManager, get_font
    from matplotlib.text import Text

    from hazecast.alerts.maps.options import FONT_FILE

    family = get_font(FONT_FILE).family_name
    if family not in fontManager.get_font_names():
        fontManager.addfont(FONT_FILE)
    for text in figure.findobj(Text):
        if not str(text.get_text()).isascii():  # type: ignore[attr-defined]
            text.set_fontfamily([*text.get_fontfamily(), family])  # type: ignore[attr-defined]
    picture = io.BytesIO()
    figure.savefig(picture, dpi=_DPI, format="png")
    return picture.getvalue()
