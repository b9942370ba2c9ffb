"""NetCDF files that leave the service, by CF and ACDD; written in subprocesses, as native libraries do it."""

from __future__ import annotations

import tempfile
from datetime import datetime
from pathlib import Path

import numpy as np
import xarray as xr

from hazecast import __version__
from hazecast.grids.cf import encoding_of, published
from hazecast.grids.contract import FORECAST_POLLUTANTS
from hazecast.grids.errors import UnknownError
from hazecast.services.core.places import city_registry
from hazecast.services.core.settings import Settings
from hazecast.services.work.plain_dataset import from_plain
from hazecast.services.work.stored_forecast import load_forecast

# A run's file as it is published, among its products.
PUBLISHED = "published.nc"
_OWN = (*FORECAST_POLLUTANTS, "relative_humidity")


def forecast_netcdf(
    settings: Settings,
    path: str,
    created: datetime,
    cities: tuple[str, ...] | None = None,
    first: int = 1,
    last: int = 10_000,
    variables: tuple[str, ...] = _OWN,
) -> bytes:
    """Return some cities, hours and variables of a stored forecast as a NetCDF file.

    Parameters
    ----------
    settings : Settings
        Name the cities, and who publishes.
    path : str
        NetCDF file of the run.
    created : datetime
        Aware: when the run was made.
    cities : tuple of str or None
        Ids; None for all.
    first, last : int
        Lead times in hours, both included.
    variables : tuple of str
        Those among pm25, o3 and relative_humidity that are kept, with their means; weather is left out with any of them.

    Returns
    -------
    bytes

    Raises
    ------
    UnknownError
        If the forecast has no such cities and hours.
    InputError
        If the forecast's file is gone.
    """
    forecast = load_forecast(path)
    lead = forecast["lead_time"].values / np.timedelta64(1, "h")
    part = forecast.isel(lead_time=np.flatnonzero((lead >= first) & (lead <= last)))
    if set(variables) != set(_OWN):
        part = part[[name for name in part.data_vars if str(name).removesuffix("_mean") in variables]]
    if cities is not None:
        part = part.isel(city=np.flatnonzero(np.isin(part["city"].values.astype(str), cities)))
    if not part.sizes["lead_time"] or not part.sizes["city"]:
        raise UnknownError("forecast", f"no hour from {first} to {last} of {cities}", "cities and hours that it has")
    return _file(settings, part, created, f"forecast by {forecast.attrs['model_id']}, Hazecast {__version__}")


def observations_netcdf(settings: Settings, content: bytes, created: datetime) -> bytes:
    """Return observations as a NetCDF file.

    Parameters
    ----------
    settings : Settings
        Name the cities, and who publishes.
    content : bytes
        Contract "observations" in plain form (`hazecast.services.work.plain_dataset`).
    created : datetime
        Aware: the newest hour, as observations are revised after it.

    Returns
    -------
    bytes
    """
    return _file(settings, from_plain(content), created, f"city means of stations, Hazecast {__version__}")


def _file(settings: Settings, dataset: xr.Dataset, created: datetime, history: str) -> bytes:
    made = published(dataset, city_registry(settings), about=_about(settings), created=created, history=history)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "part.nc"
        made.to_netcdf(file, engine="netcdf4", encoding=encoding_of(made))
        return file.read_bytes()


def _about(settings: Settings) -> dict[str, str]:
    """Return what the settings say of the publisher; the rest of ACDD's names say that they don't."""
    sender, unstated = settings.warnings, "not stated by the publisher"
    url, contact = settings.server.public_url or unstated, sender.sender_contact or unstated
    return {
        "institution": sender.sender_name,
        "id": "hazecast",
        "naming_authority": sender.sender,
        "project": "Hazecast",
        "processing_level": "hourly values by city",
        "comment": "An attribute `simulated` of 1 marks what is based on simulated input.",
        "acknowledgement": "The stations' networks; the API names each at /v1/stations.",
        "license": "Terms of the publisher; of observations, those of the stations' networks at /v1/stations.",
        "creator_name": sender.sender_name,
        "creator_type": "institution",
        "creator_institution": sender.sender_name,
        "creator_email": contact,
        "creator_url": url,
        "publisher_name": sender.sender_name,
        "publisher_type": "institution",
        "publisher_institution": sender.sender_name,
        "publisher_email": contact,
        "publisher_url": url,
        "product_version": __version__,
    }
