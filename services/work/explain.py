"""What explains a warning: the weather of the forecast that it is based on."""

from __future__ import annotations

import logging

from hazecast.alerts.engine.warning import HazeWarning
from hazecast.alerts.messages.causes import Causes, causes
from hazecast.grids.errors import InputError
from hazecast.services.store.store import Store
from hazecast.services.work.stored_forecast import load_forecast

log = logging.getLogger(__name__)


def explain(store: Store, warning: HazeWarning) -> Causes:
    """Return what the weather of a warning's hours shows.

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
    run = store.run_at(warning.run_init_time, warning.simulated)
    if run is None:
        return Causes()
    try:
        return causes(warning, load_forecast(run.netcdf_path))
    except InputError as missing:
        log.warning("%s: %s", warning.id, missing)
        return Causes()
