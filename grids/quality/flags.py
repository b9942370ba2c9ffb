"""The flags, following the CF conventions (section 3.5, flag_values and flag_meanings)."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import numpy.typing as npt

GOOD, MISSING, IMPOSSIBLE, STUCK, SENTINEL, NEGATIVE, SPIKE, DUPLICATE, TIME_SHIFT, UNIT_SLIP, MODELLED = range(11)
DISTRUSTED = 11
# Of a visibility that a weather station reported: other things than haze take the sight, so it isn't used; fog, which is.
OBSCURED, FOG = 12, 13
FLAG_MEANINGS: tuple[str, ...] = (
    "good",
    "missing",
    "impossible",
    "stuck",
    "sentinel",
    "negative",
    "spike",
    "duplicate",
    "time_shift",
    "unit_slip",
    "modelled",
    "distrusted",
    "obscured",
    "fog",
)
FLAG_ATTRS: dict[str, Any] = {
    "flag_values": np.arange(len(FLAG_MEANINGS), dtype=np.int8),
    "flag_meanings": " ".join(FLAG_MEANINGS),
}


def count_flags(counts: Counter[str], flags: npt.NDArray[np.integer[Any]]) -> None:
    """Add the number of values with each flag except "good" to `counts`, by the flag's meaning.

    "missing" is counted as ``missing_values``. Missing, impossible and stuck values are always in the counts, other
    flags only where they occur.

    Parameters
    ----------
    counts : Counter of str
        Changed in place.
    flags : integer array
        Of any shape.
    """
    found = np.bincount(flags.ravel(), minlength=len(FLAG_MEANINGS))
    for code, meaning in enumerate(FLAG_MEANINGS):
        if code == GOOD or (code > STUCK and not found[code]):
            continue
        counts["missing_values" if code == MISSING else meaning] += int(found[code])
