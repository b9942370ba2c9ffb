"""NetCDF files as the API publishes them, for a checker: ``make compliance``."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import xarray as xr

from hazecast.grids.contract import describe
from hazecast.services.work.plain_dataset import to_plain
from hazecast.services.work.published_files import forecast_netcdf, observations_netcdf
from hazecast.services.work.stored_forecast import restore_values, write_netcdf
from tests.support.forecasts import INIT, forecast_of
from tests.support.settings import make_settings

CITIES = ("beijing", "tokyo")
CREATED = datetime(2013, 1, 31, 22, 5, tzinfo=UTC)


def main(folder: Path) -> None:
    """Write a forecast and a day of observations into a folder.

    Parameters
    ----------
    folder : Path
        Made if it is not there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    settings = make_settings(data_dir=folder.resolve())
    file = folder.resolve() / "run" / "run.nc"
    file.parent.mkdir(exist_ok=True)
    humidity = xr.DataArray(
        np.full((120, 2), 50.0), dims=("lead_time", "city"), attrs={"units": "%", "standard_name": "relative_humidity"}
    )
    write_netcdf(forecast_of(100.0, cities=CITIES).assign(relative_humidity=humidity), file)
    restore_values(file)
    (folder / "forecast.nc").write_bytes(forecast_netcdf(settings, str(file), CREATED))
    hours = INIT + np.arange(24) * np.timedelta64(1, "h")
    shape = ("time", "city")
    observed = xr.Dataset(
        {"pm25": (shape, np.full((24, 1), 50.0)), "pm25_flag": (shape, np.zeros((24, 1), np.int8))},
        {"time": hours, "city": ["beijing"]}, {"source": "made"},
    )  # fmt: skip
    content = to_plain(describe(observed, "observations"))
    (folder / "observations.nc").write_bytes(observations_netcdf(settings, content, CREATED))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    main(parser.parse_args().folder)
