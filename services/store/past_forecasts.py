"""Past forecasts of one city, hour by hour: what the page sets beside what was observed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np
import numpy.typing as npt
from sqlalchemy import select

from hazecast.services.store.store import Store
from hazecast.services.store.tables.forecasts import ForecastRun, ForecastValue

# A day ahead, and the day that it looks at, whatever the city's time zone.
_LAST_LEAD = 48


def runs_between(store: Store, first: datetime, last: datetime, simulated: bool) -> list[tuple[int, datetime]]:
    """Return the runs of a time, oldest first; none that was withdrawn.

    Parameters
    ----------
    store : Store
    first, last : datetime
        Init times, aware, both included.
    simulated : bool

    Returns
    -------
    list of (int, datetime)
        Id and init time.
    """
    query = (
        select(ForecastRun.id, ForecastRun.init_time)
        .where(
            ForecastRun.simulated == simulated,
            ForecastRun.withdrawn_at.is_(None),
            ForecastRun.init_time >= first,
            ForecastRun.init_time <= last,
        )
        .order_by(ForecastRun.init_time)
    )
    with store.engine.connect() as connection:
        return [(int(row[0]), row[1]) for row in connection.execute(query)]


def pm25_of_runs(store: Store, runs: Sequence[int], city: str) -> dict[int, npt.NDArray[np.float64]]:
    """Return the PM2.5 that some runs forecast for a city.

    Parameters
    ----------
    store : Store
    runs : sequence of int
        Ids.
    city : str

    Returns
    -------
    dict of int to float64 (48, 3)
        By run: lead times from 1 h on, and the quantiles 0.1, 0.5 and 0.9, ug m-3; NaN where none is stored. Runs of which nothing
        is stored are left out.
    """
    query = select(
        ForecastValue.run_id,
        ForecastValue.lead_time,
        ForecastValue.pm25_q10,
        ForecastValue.pm25_q50,
        ForecastValue.pm25_q90,
    ).where(ForecastValue.run_id.in_(list(runs)), ForecastValue.city == city, ForecastValue.lead_time <= _LAST_LEAD)
    found: dict[int, npt.NDArray[np.float64]] = {}
    with store.engine.connect() as connection:
        for run, lead, *values in connection.execute(query):
            rows = found.setdefault(int(run), np.full((_LAST_LEAD, 3), np.nan))
            rows[int(lead) - 1] = [np.nan if value is None else float(value) for value in values]
    return found
