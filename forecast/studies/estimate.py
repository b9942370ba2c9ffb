"""A number with its interval, as several studies give it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Estimate:
    """A number with its interval; what it covers is said where it is computed."""

    value: float
    low: float
    high: float
