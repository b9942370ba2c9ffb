"""Any measured species beside the wind: of its own table, or on a pressure level of weather files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from hazecast.grids.derived import wind_components
from hazecast.grids.errors import InputError
from hazecast.grids.observations.sample_tables import read_samples
from hazecast.services.core.weather_reading import read_level_wind_of_files

# m s-1: no hour at the ground has more, outside the strongest hurricanes. Marks of missing values such as 99.9 are above. Chosen.
_FASTEST = 75.0
# Codes of directions end here, those in tens of degrees.
_TENS = 36.0
_HOUR = np.timedelta64(1, "h")
# m s-1 and degrees clockwise from north that the wind comes from.
SPEED, DIRECTION = "wind_speed", "wind_direction"


def species_of(
    samples: Path, species: str, unit: str, *, offset: bool = False
) -> tuple[xr.DataArray, tuple[xr.DataArray, xr.DataArray] | None]:
    """Read a species, and the wind beside it, of a table of samples.

    Parameters
    ----------
    samples : Path
        CSV with times in the first column, UTC where they have no offset; one row an hour or more often.
    species : str
        Column.
    unit : str
        Its unit, compared with that in brackets of its header, where there is one.
    offset : bool
        Whether times have to tell their offset: where they meet other data, an hour that is taken for UTC is another hour.

    Returns
    -------
    concentration : xarray.DataArray (time,)
        UTC.
    wind : two xarray.DataArray (time,), or None
        Eastward and northward, m s-1, where the table has columns ``wind_speed`` (m s-1) and ``wind_direction`` (degrees).

    Raises
    ------
    InputError
        If the table can't be read, lacks the species, has a wind that is none, or samples of more than an hour.
    """
    table = read_samples(samples, times=True, offset=offset, units={species: unit, SPEED: "m s-1", DIRECTION: "degree"})
    if species not in table:
        raise InputError(f"{samples}: species", species, f"one of {[str(name) for name in table]}")
    time = table.index.to_numpy("datetime64[ns]")
    steps = np.diff(time)
    if len(steps) and np.median(steps) > _HOUR:
        raise InputError(
            str(samples),
            f"samples every {np.median(steps) / _HOUR:g} h",
            "hourly ones, since wind turns within a longer one",
        )

    def series(values: np.ndarray) -> xr.DataArray:
        return xr.DataArray(np.asarray(values, float), dims="time", coords={"time": time})

    concentration = series(table[species].to_numpy())
    if SPEED not in table or DIRECTION not in table:
        return concentration, None
    speed, origin = table[SPEED].to_numpy(), table[DIRECTION].to_numpy()
    for name, values, low, high, what in (
        (SPEED, speed, 0, _FASTEST, "m s-1; missing is NA"),
        (DIRECTION, origin, 0, 360, "degrees; missing is NA"),
    ):
        off = ~((values >= low) & (values <= high)) & np.isfinite(values)
        if off.any():
            at = int(off.argmax())
            raise InputError(f"{samples}, {name} at {table.index[at]} UTC", values[at], f"{low:g} to {high:g} {what}")
    if np.nanmax(origin, initial=0.0) <= _TENS:
        raise InputError(
            f"{samples}, {DIRECTION}: highest",
            float(np.nanmax(origin, initial=0.0)),
            "degrees, not sectors or tens of degrees",
        )
    u, v = wind_components(speed, origin)
    return concentration, (series(u), series(v))


def level_wind_at(
    weather: Path, level_hpa: float, latitude: float, longitude: float
) -> tuple[xr.DataArray, xr.DataArray]:
    """Return the wind on a pressure level over a place, bilinearly.

    Parameters
    ----------
    weather : Path
        As of `hazecast.grids.weather.pressure_levels.read_level_wind`.
    level_hpa : float
        hPa.
    latitude, longitude : float
        Degrees.

    Returns
    -------
    u, v : xarray.DataArray (time,)
        m s-1, UTC.

    Raises
    ------
    InputError
        As `read_level_wind`, if the reader crashes or does not return in time, or if the place is outside the grid.
    """
    grid = read_level_wind_of_files(weather, level_hpa)
    there = grid.interp(latitude=latitude, longitude=longitude)
    if not np.isfinite(there["u"].values).any():
        raise InputError(str(weather), f"no wind at {latitude:g}, {longitude:g}", "a grid that holds the place")
    return there["u"].drop_vars(["latitude", "longitude"]), there["v"].drop_vars(["latitude", "longitude"])
