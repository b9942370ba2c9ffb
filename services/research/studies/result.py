"""What a study found: single values, tables and figures, and the same as plain values."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@dataclass
class Result:
    """What a study found.

    Attributes
    ----------
    summary : dict of str to Any
        Single values.
    tables : dict of str to pandas.DataFrame
        By the names of their files.
    figures : dict of str to matplotlib.figure.Figure
        By the names of their files.
    printed : sequence of str
        The tables that a command prints.
    """

    summary: dict[str, Any] = field(default_factory=dict)
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    figures: dict[str, Figure] = field(default_factory=dict)
    printed: Sequence[str] = ()


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a table as plain values, with its index; None where a value is missing."""
    rows: list[dict[str, Any]] = json.loads(
        table.reset_index().to_json(orient="records", date_format="iso", double_precision=15)
    )
    return rows


def plain(value: Any) -> Any:
    """Return a value as JSON holds it: a number that is none or endless as None, a time by ISO 8601, else its text."""
    if isinstance(value, Mapping):
        return {str(name): plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(one) for one in value]
    if hasattr(value, "item") and not getattr(value, "shape", ()):
        value = value.item()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, datetime) and value.tzinfo is not None:
        # The commands name what is here before they run: `hazecast --help` loads no numpy.
        from hazecast.grids.times import format_time

        return format_time(value)
    return value.isoformat() if isinstance(value, date) else str(value)
