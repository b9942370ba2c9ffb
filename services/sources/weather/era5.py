"""ERA5 from the Climate Data Store, for training archives: through its client, month by month."""

from __future__ import annotations

import calendar
import logging
from pathlib import Path

import netCDF4

from hazecast.grids.errors import InputError
from hazecast.grids.weather.files import read_weather
from hazecast.grids.weather.regular_grid import Box
from hazecast.services.core.subprocesses import run_in_subprocess
from hazecast.services.sources.copernicus import result_of
from hazecast.services.sources.http import HttpClient, Patience

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

    def fetch_month(self, year: int, month: int, box: Box, folder: Path) -> list[Path]:
        """Download a month's hours over a box; existing files are not fetched again.

        The job is queued at the store, often for hours; the download then resumes like any other.

        Parameters
        ----------
        year, month : int
        box : Box
        folder : Path
            Where the files are stored.

        Returns
        -------
        list of Path
            Two NetCDF files, of instants and of accumulations.

        Raises
        ------
        FetchError
            If the store can't be reached, or refuses or fails the job.
        """
        days = [f"{day:02d}" for day in range(1, calendar.monthrange(year, month)[1] + 1)]
        paths = []
        for kind, variables in _VARIABLES.items():
            path = folder / f"era5-{year}-{month:02d}-{kind}.nc"
            paths.append(path)
            if path.exists():
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
            self._http.download(result_of(self._http, self._url, self._key, DATASET, request), path, verify=_verify)
        return paths


def _verify(path: Path) -> None:
    with path.open("rb") as file:
        head = file.read(8)
    # NetCDF 3, or HDF5 as in NetCDF 4.
    if not head.startswith((b"CDF", b"\x89HDF")):
        raise InputError(path.name, repr(head), "a NetCDF file")
    run_in_subprocess(_decode, path, where=path.name)


def _decode(path: Path) -> None:
    """Check that a file can be read, and write into it what it doesn't state itself: that it is ERA5's."""
    left_out = read_weather(path).attrs.get("left_out")
    if left_out:
        raise InputError(path.name, left_out, "variables that can all be used")
    with netCDF4.Dataset(path, "a") as file:
        if "source" not in file.ncattrs():
            file.setncattr("source", "ERA5")
