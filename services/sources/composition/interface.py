"""The interface of sources of a chemistry model: that of weather sources, with concentrations for weather."""

from __future__ import annotations

from datetime import timedelta
from typing import Protocol

from hazecast.services.core.settings import Settings
from hazecast.services.sources.http import Patience
from hazecast.services.sources.weather.interface import WeatherSource

# CAMS's global forecasts start at 00 and 12 UTC and reach 120 h.
RUN_HOURS = 120
RUN_PERIOD = timedelta(hours=12)
ATTRIBUTION = "Contains modified Copernicus Atmosphere Monitoring Service information"


class CompositionSource(WeatherSource, Protocol):
    """A publisher of a chemistry model's forecasts.

    Its methods are those of a `WeatherSource`; what `fetch` returns is of the contract "composition", with the attributes
    ``attribution`` and ``late``. Its name is in the setting ``composition_sources``.
    """


class CompositionSourceFactory(Protocol):
    """Makes a source from the settings; what an entry point in ``hazecast.composition_sources`` refers to."""

    def __call__(self, settings: Settings, patience: Patience | None = None) -> CompositionSource:
        """Return a source whose `name` is that of its entry point.

        Parameters
        ----------
        settings : Settings
        patience : Patience, optional
            Time-outs and retries of its `HttpClient`.

        Returns
        -------
        CompositionSource

        Raises
        ------
        InputError
            If the settings lack what the source needs.
        """
        ...
