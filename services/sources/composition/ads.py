"""CAMS global forecasts from the Atmosphere Data Store, with a personal token, through its client.

Interface from the publisher's own description and from files of others; not tried against the server.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zipfile import is_zipfile

import xarray as xr

from hazecast.grids.composition import LOWEST_LEVEL, read_cams
from hazecast.grids.errors import InputError
from hazecast.grids.weather.regular_grid import Box
from hazecast.services.core.settings import Settings
from hazecast.services.core.subprocesses import run_in_subprocess
from hazecast.services.sources.composition.interface import ATTRIBUTION, RUN_HOURS
from hazecast.services.sources.copernicus import result_of
from hazecast.services.sources.http import HttpClient, Patience
from hazecast.services.sources.weather.interface import Cycle, Wanted
from hazecast.services.sources.weather.values import refuse_one_value

URL = "https://ads.atmosphere.copernicus.eu/api"
DATASET = "cams-global-atmospheric-composition-forecasts"
TITLE = "CAMS global by the Atmosphere Data Store"
# The run of 12 UTC is available before 22 UTC (ECMWF Newsletter 148, 2016), that of 00 UTC 12 h earlier.
DELAY = timedelta(hours=10)
# Particles come by the hour on the surface; ozone on the lowest model level, every 3 h. A request each, since one for
# both is answered with an archive of two files.
_PARTS: dict[str, tuple[dict[str, object], int]] = {
    "pm2p5": ({"variable": ["particulate_matter_2.5um"]}, 1),
    "go3": ({"variable": ["ozone"], "model_level": [str(LOWEST_LEVEL)]}, 3),
}


class AtmosphereDataStore:
    """CAMS's runs over a box, sampled at cities.

    Parameters
    ----------
    key : str
        Personal access token of a registered user who has accepted the licence.
    url : str
    patience : Patience, optional
        Its longest wait is also the polling interval of a queued job.
    """

    name = "ads"
    attribution = ATTRIBUTION
    lacks: frozenset[str] = frozenset()

    def __init__(self, key: str, url: str = URL, patience: Patience | None = None) -> None:
        self._key, self._url = key, url.rstrip("/")
        self._http = HttpClient(patience, secrets=(key,))
        self.traffic = self._http.traffic

    @classmethod
    def from_settings(cls, settings: Settings, patience: Patience | None = None) -> AtmosphereDataStore:
        """Make the source from the settings; a `CompositionSourceFactory`.

        Parameters
        ----------
        settings : Settings
        patience : Patience, optional
            Time-outs and retries.

        Returns
        -------
        AtmosphereDataStore

        Raises
        ------
        InputError
            If the settings hold no token.
        """
        key = settings.publishers.ads_key.get_secret_value()
        if not key:
            raise InputError("HAZECAST_ADS_KEY", "not set", "an access token, since composition_sources names 'ads'")
        return cls(key, settings.publishers.ads_url, patience)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def newest_cycle(self, before: datetime, wanted: Wanted) -> Cycle:
        """Return the newest run that should have been published; asking for one costs a job.

        Parameters
        ----------
        before : datetime
            Aware; no later cycle is considered.
        wanted : Wanted

        Returns
        -------
        Cycle
        """
        due = before.astimezone(UTC) - DELAY
        init_time = due.replace(hour=due.hour - due.hour % 12, minute=0, second=0, microsecond=0)
        return Cycle(self.name, init_time)

    def fetch(self, cycle: Cycle, wanted: Wanted, scratch: Path) -> xr.Dataset:
        """Fetch a run: two jobs, each queued at the store; a part that is in `scratch` is not requested again.

        Parameters
        ----------
        cycle : Cycle
        wanted : Wanted
        scratch : Path
            Folder for the parts of the download.

        Returns
        -------
        xarray.Dataset
            Contract "composition".

        Raises
        ------
        FetchError, InputError
            If the store can't be reached, refuses or fails a job, or its file isn't what it documents or of another run.
        """
        paths = []
        for name, (selection, step_hours) in _PARTS.items():
            path = scratch / f"{name}.zip"
            paths.append(path)
            if not path.exists():
                request = selection | _request(cycle, wanted, step_hours)
                address = result_of(self._http, self._url, self._key, DATASET, request)
                self._http.download(address, path, verify=lambda part: _verify(part, wanted))
        hours = min(wanted.hours, RUN_HOURS)
        dataset = run_in_subprocess(read_cams, paths, wanted.cities, TITLE, hours, where=str(scratch))
        issued = f"{cycle.init_time:%Y-%m-%dT%H:%M:%SZ}"
        if dataset.attrs["init_time"] != issued:
            raise InputError(f"{DATASET}: forecast_reference_time", dataset.attrs["init_time"], issued)
        for pollutant, values in dataset.data_vars.items():
            refuse_one_value(values.values, f"{DATASET}: {pollutant}", "ug m-3")
        return dataset.assign_attrs(attribution=self.attribution, late=int(cycle.late))


def _request(cycle: Cycle, wanted: Wanted, step_hours: int) -> dict[str, object]:
    box: Box = wanted.box
    return {
        "type": ["forecast"],
        "date": [f"{cycle.init_time:%Y-%m-%d}/{cycle.init_time:%Y-%m-%d}"],
        "time": [f"{cycle.init_time:%H:%M}"],
        "leadtime_hour": [str(hour) for hour in range(0, min(wanted.hours, RUN_HOURS) + 1, step_hours)],
        "area": [box.north, box.west, box.south, box.east],
        "data_format": "netcdf_zip",
    }


def _verify(path: Path, wanted: Wanted) -> None:
    """Read a part by itself: a file that came damaged is fetched again, and its job isn't asked for a second time."""
    with path.open("rb") as file:
        head = file.read(8)
    # A zip archive, NetCDF 3, or HDF5 as in NetCDF 4.
    if not head.startswith((b"PK", b"CDF", b"\x89HDF")):
        raise InputError(path.name, repr(head), "a zip archive or a NetCDF file")
    if head.startswith(b"PK") and not is_zipfile(path):
        raise InputError(path.name, "a zip archive that is cut off", "a whole one")
    run_in_subprocess(read_cams, [path], wanted.cities, TITLE, where=path.name)
