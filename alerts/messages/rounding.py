"""Rounding for readers that never moves a value across a threshold: 994 m is not "1 km" where below 1000 m counts."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from hazecast.alerts.rules.criteria import Threshold

# A threshold, and what is asked of a value: whether it is below ("lt"), or at most there ("le").
Bound = tuple[float, Literal["lt", "le"]]

# What a value is rounded to at the finest, where even this would cross a threshold it is rounded away from it.
_FINEST = 10


@dataclass(frozen=True)
class Rounded:
    """A rounded value and how many decimals it is written with."""

    value: float
    decimals: int

    def __str__(self) -> str:
        return f"{self.value:.{self.decimals}f}"


def bounds_of(tests: Iterable[Threshold]) -> tuple[Bound, ...]:
    """Return the bounds of tests: a value that is rounded meets the same of them."""
    return tuple((test.value, "lt" if test.comparator in ("lt", "ge") else "le") for test in tests)


def rounded(value: float, step: float, bounds: Sequence[Bound] = ()) -> Rounded:
    """Return a value rounded to a step, or to a tenth of it and so on until it lies on the same side of all bounds.

    Parameters
    ----------
    value : float
    step : float
        A power of ten, or a half of one.
    bounds : sequence of (float, str)
        What the value is compared with.

    Returns
    -------
    Rounded

    Examples
    --------
    >>> rounded(994.0, 50.0, [(1000.0, "lt")])
    Rounded(value=990.0, decimals=0)
    >>> rounded(250.04, 1.0, [(250.0, "le")]).value
    250.04
    """
    steps = [step] + [10.0 ** (math.ceil(math.log10(step)) - n) for n in range(1, _FINEST)]
    for at in steps:
        found = Rounded(_multiple(round(value / at), at), _decimals(at))
        if _same_side(found.value, value, bounds):
            return found
    fine = steps[-1]
    down, up = (_multiple(turn(value / fine), fine) for turn in (math.floor, math.ceil))
    kept = down if _same_side(down, value, bounds) else up if _same_side(up, value, bounds) else value
    return Rounded(kept, _decimals(fine))


def _same_side(one: float, other: float, bounds: Sequence[Bound]) -> bool:
    return all(_met(one, bound) == _met(other, bound) for bound in bounds)


def _met(value: float, bound: Bound) -> bool:
    return value < bound[0] if bound[1] == "lt" else value <= bound[0]


def _multiple(count: float, step: float) -> float:
    return round(count * step, _decimals(step))


def _decimals(step: float) -> int:
    return max(0, -math.floor(math.log10(step) + 1e-9))
