"""ERA5 from the Climate Data Store, for training archives: through its client, month by month."""

from __future__ import annotations

import calendar
import logging
from datetime import datetime
from pathlib import Path

import netCDF4
import numpy as np
import numpy.typing as npt

from hazecast.grids.errors import InputError
from hazecast.grids.times import to_datetime64
from hazecast.grids.weather.archive_layout import hours_of
from hazecast.grids.weather.files import read_weather
from hazecast.grids.weather.regular_grid import Box
from hazecast.services.core.subprocesses import run_in_subprocess
from hazecast.services.core.weather_reading import span_of_file
from hazecast.services.sources.copernicus import result_of
from hazecast.services.sources.http import HttpClient, Patience
from hazecast.services.sources.weather.values import refuse_another_area, refuse_impossible

log = logging.getLogger(__name__)

URL = "https://cds.climate.copernicus.eu/api"
DATASET = "reanalysis-era5-single-levels"
ATTRIBUTION = "Contains modified Copernicus Climate Change Service information (ERA5)"
# Instants and accumulations are requested separately, since a request for both is answered with
# a zip archive.
_VARIABLES = {
    "instant": [
        "2m_temperature",
        "2m_dewpoint_temperature",
        "10m_u_component_of_wind",
        "10m_v_component_of_wind",
        "surface_pressure",
        "boundary_layer_height",
        "total_cloud_cover",
    ],
    "accum": ["total_precipitation", "surface_solar_radiation_downwards"],
}
# The contract's names of them.
_HOLDS = {"instant": ("t2m", "d2m", "u10", "v10", "sp", "blh", "tcc"), "accum": ("tp", "ssrd")}


class Era5:
    """ERA5 as NetCDF files that `hazecast.grids.weather.files.read_weather` reads.

    Parameters
    ----------
    key : str
        Personal access token of a registered user who has accepted the licence.
    url : str
    patience : Patience, optional
        Its longest wait is also the polling interval of a queued job.
    """

    def __init__(self, key: str, url: str = URL, patience: Patience | None = None) -> None:
        self._key, self._url = key, url.rstrip("/")
        self._http = HttpClient(patience, secrets=(key,))
        self.traffic = self._http.traffic

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def fetch_month(self, year: int, month: int, box: Box, folder: Path, until: datetime | None = None) -> list[Path]:
        """Download a month's hours over a box; files that are there and whole are not fetched again.

        Of a month that isn't over, the store gives the hours that it has.

        The job is queued at the store, often for hours; the download then resumes like any other.

        Parameters
        ----------
        year, month : int
        box : Box
        folder : Path
            Where the files are stored.
        until : datetime, optional
            Aware: a file that ends before it is fetched again; by default before the end of the month.

        Returns
        -------
        list of Path
            Two NetCDF files, of instants and of accumulations.

        Raises
        ------
        FetchError
            If the store can't be reached, or refuses or fails the job, or its file isn't what was asked for.
        """
        hours = hours_of(np.datetime64(f"{year}-{month:02d}"))
        needed = hours[-1] if until is None else min(to_datetime64(until), hours[-1])
        days = [f"{day:02d}" for day in range(1, calendar.monthrange(year, month)[1] + 1)]
        paths = []
        for kind, variables in _VARIABLES.items():
            path = folder / f"era5-{year}-{month:02d}-{kind}.nc"
            paths.append(path)
            if path.exists() and _last_of(path) >= needed:
                continue
            request = {
                "product_type": ["reanalysis"],
                "variable": variables,
                "year": [str(year)],
                "month": [f"{month:02d}"],
                "day": days,
                "time": [f"{hour:02d}:00" for hour in range(24)],
                "area": [box.north, box.west, box.south, box.east],
                "data_format": "netcdf",
                "download_format": "unarchived",
            }
            address, fresh = result_of(self._http, self._url, self._key, DATASET, request), folder / f"{path.name}.new"
            names = _HOLDS[kind]
            self._http.download(address, fresh, verify=lambda part, names=names: _verify(part, names, hours, box))  # type: ignore[misc]
            fresh.replace(path)
            if (last := _last_of(path)) < needed:
                log.warning("%s ends at %s; it is fetched again when it is asked for the next time", path.name, last)
        return paths


def _last_of(path: Path) -> np.datetime64:
    """Return the last hour of a file, the first of all times if it can't be read."""
    try:
        return span_of_file(path)[2]
    except InputError:
        return np.datetime64(0, "ns")


def _verify(path: Path, names: tuple[str, ...], hours: npt.NDArray[np.datetime64], box: Box) -> None:
    with path.open("rb") as file:
        head = file.read(8)
    # NetCDF 3, or HDF5 as in NetCDF 4.
    if not head.startswith((b"CDF", b"\x89HDF")):
        raise InputError(path.name, repr(head), "a NetCDF file")
    run_in_subprocess(_decode, path, names, hours, box, where=path.name)


def _decode(path: Path, names: tuple[str, ...], hours: npt.NDArray[np.datetime64], box: Box) -> None:
    """Check that a file holds what was asked for, and write into it what it doesn't state itself: that it is ERA5's."""
    weather = read_weather(path)
    if left_out := weather.attrs.get("left_out"):
        raise InputError(path.name, left_out, "variables that can all be used")
    lacking = [name for name in names if name not in weather or weather[name].isnull().all()]
    if lacking:
        raise InputError(f"{path.name}: variables", f"no {', '.join(lacking)}", f"{', '.join(names)}, as asked for")
    times = weather["time"].values
    if not np.array_equal(times, hours[: times.size]):
        found = f"{times.size} hours from {times[0]} to {times[-1]}"
        raise InputError(f"{path.name}: time", found, f"every hour from {hours[0]}, as asked for")
    refuse_another_area(weather, box, path.name)
    refuse_impossible(weather, path.name, each_time=True)
    with netCDF4.Dataset(path, "a") as file:
        if "source" not in file.ncattrs():
            file.setncattr("source", "ERA5")
