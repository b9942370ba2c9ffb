"""Why a warning was given, from the forecast it rests on."""

from __future__ import annotations

import logging

from alerts.causes import Causes, causes
from alerts.warning import HazeWarning
from grids.cities import Registry
from grids.errors import InputError
from services.maps import load_forecast
from services.store import Store

log = logging.getLogger(__name__)


def explain(store: Store, registry: Registry, warning: HazeWarning) -> Causes:
    """Return the causes of a warning; where its forecast is gone, those that its own evidence shows."""
    city = registry.city(warning.city)
    run = store.run_at(warning.run_init_time, warning.simulated)
    if run is None:
        return causes(warning, city)
    try:
        return causes(warning, city, registry, load_forecast(run.netcdf_path))
    except InputError as missing:
        log.warning("%s: %s", warning.id, missing)
        return causes(warning, city)
