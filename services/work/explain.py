"""What explains a warning: the weather of the forecast that it is based on; what was observed explains a lift."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache

from hazecast.alerts.engine.warning import HazeWarning
from hazecast.alerts.messages.causes import CAUSE_WEATHER, Causes, Seen, causes
from hazecast.grids.errors import InputError
from hazecast.services.store.observations import newest_observations
from hazecast.services.store.store import Store
from hazecast.services.work.stored_forecast import load_forecast

log = logging.getLogger(__name__)

# Older than this it says nothing of why a warning was lifted.
_SEEN_HOURS = 3


def explain(store: Store, warning: HazeWarning) -> Causes:
    """Return what the weather of a warning's hours shows, and for a lift what was last observed.

    Parameters
    ----------
    store : Store
        Holds the run that the warning rests on.
    warning : HazeWarning

    Returns
    -------
    Causes
        Nothing where the run's forecast is gone.
    """
    return explainer(store)(warning)


def explainer(store: Store) -> Callable[[HazeWarning], Causes]:
    """Return `explain` for the warnings of one answer: each run that they rest on is looked up once.

    Parameters
    ----------
    store : Store
        Holds the runs.

    Returns
    -------
    callable
        Gives the causes of a warning.
    """
    run_at = cache(store.run_at)

    def explained(warning: HazeWarning) -> Causes:
        if warning.kind == "lift":
            return Causes(seen=_last_seen(store, warning))
        run = run_at(warning.run_init_time, warning.simulated)
        if run is None:
            return Causes()
        try:
            return causes(warning, load_forecast(run.netcdf_path, CAUSE_WEATHER))
        except InputError as missing:
            log.warning("%s: %s", warning.id, missing)
            return Causes()

    return explained


def _last_seen(store: Store, warning: HazeWarning) -> Seen | None:
    """Return the last observed hour that the lift's run knew."""
    rows = newest_observations(store, warning.city, warning.simulated, warning.run_init_time, _SEEN_HOURS)
    for row in reversed(rows):
        if row.pm25 is not None or row.o3 is not None:
            return Seen(row.time, row.pm25, row.o3)
    return None
