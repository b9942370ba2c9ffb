"""Which weather is fetched: what the model in service and the warnings read, unless everything is kept for training."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from hazecast.alerts.messages.causes import CAUSE_WEATHER
from hazecast.grids.contract import WEATHER
from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import City
from hazecast.models.registry import ModelRegistry
from hazecast.services.core.settings import Settings
from hazecast.services.sources.weather.interface import Wanted, wanted_at


def used_by_model(card: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the weather variables that a model saw in its training, as its card says; all, where it doesn't say."""
    features = card.get("features")
    named = features.get("weather") if isinstance(features, Mapping) else None
    return tuple(WEATHER) if named is None else tuple(name for name in WEATHER if name in named)


def wanted_variables(model: Collection[str], *, everything: bool = False) -> tuple[str, ...]:
    """Return the weather variables to fetch.

    Parameters
    ----------
    model : collection of str
        What the model in service reads, of `hazecast.grids.contract.WEATHER`.
    everything : bool
        Whether all are kept, for models that are trained on the store.

    Returns
    -------
    tuple of str
        What the model, the causes that warnings name and the maps' humidity read, in the contract's order.

    Examples
    --------
    >>> wanted_variables(["t2m", "d2m", "u10", "v10", "sp", "tp"])
    ('t2m', 'd2m', 'u10', 'v10', 'sp', 'blh', 'tp')
    """
    used = {*model, *CAUSE_WEATHER}
    return tuple(name for name in WEATHER if everything or name in used)


def variables_for(settings: Settings) -> tuple[str, ...]:
    """Return the weather variables that an ingest fetches for the model in service; all, where its card can't be read.

    Parameters
    ----------
    settings : Settings

    Returns
    -------
    tuple of str
    """
    everything = settings.ingest.weather_variables == "all" or settings.learning.retrain != "off"
    try:
        card = ModelRegistry(settings.models_dir).in_service().card
    except InputError:
        # The cycle says so; what stands in may read anything.
        return tuple(WEATHER)
    return wanted_variables(used_by_model(card), everything=everything)


def weather_wanted(settings: Settings, cities: tuple[City, ...]) -> Wanted:
    """Return the part of a cycle that is fetched.

    Parameters
    ----------
    settings : Settings
    cities : tuple of City

    Returns
    -------
    Wanted
    """
    return wanted_at(cities, settings.ingest.weather_step_hours, variables_for(settings))
