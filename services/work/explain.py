"""The causes of a warning, from the forecast that it is based on."""

from __future__ import annotations

import logging

from hazecast.alerts.engine.warning import HazeWarning
from hazecast.alerts.messages.causes import Causes, causes
from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import Registry
from hazecast.services.store.store import Store
from hazecast.services.work.stored_forecast import load_forecast

log = logging.getLogger(__name__)


def explain(store: Store, registry: Registry, warning: HazeWarning) -> Causes:
    """Return the causes of a warning.

    Parameters
    ----------
    store : Store
        Holds the run that the warning rests on.
    registry : Registry
    warning : HazeWarning

    Returns
    -------
    Causes
        Where the run's forecast is gone, only those that the warning's own evidence shows.

    Raises
    ------
    InputError
        If the warning's city is unknown.
    """
    city = registry.city(warning.city)
    run = store.run_at(warning.run_init_time, warning.simulated)
    if run is None:
        return causes(warning, city)
    try:
        return causes(warning, city, registry, load_forecast(run.netcdf_path))
    except InputError as missing:
        log.warning("%s: %s", warning.id, missing)
        return causes(warning, city)
