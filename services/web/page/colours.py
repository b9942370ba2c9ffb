"""Colours of text that contrast with a background."""

from __future__ import annotations


def ink(colour: str) -> str:
    """Return black or white, whichever contrasts more with a colour, #rrggbb (relative luminance of WCAG 2)."""
    channels = [int(colour[i : i + 2], 16) / 255.0 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    # Contrast with black above that with white: (l + 0.05) / 0.05 > 1.05 / (l + 0.05).
    return "#000000" if (luminance + 0.05) ** 2 > 0.05 * 1.05 else "#ffffff"
