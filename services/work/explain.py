"""Why a warning was given, from the forecast it rests on."""

from __future__ import annotations

import logging

from hazecast.alerts.engine.warning import HazeWarning
from hazecast.alerts.messages.causes import Causes, causes
from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import Registry
from hazecast.services.store.store import Store
from hazecast.services.work.maps import load_forecast

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
