"""Weather files into the contract: GRIB of any centre, and NetCDF and Zarr, recognised by their contents.

The result has latitude ascending and longitude -180 to 180 ascending; times are valid times.
A variable that a source lacks is absent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import xarray as xr

from hazecast.grids.contract import check, describe
from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import City
from hazecast.grids.weather.formats import PACKED, Format, NothingError, Unpacked, format_of
from hazecast.grids.weather.grib import read_grib, read_grib_at_cities
from hazecast.grids.weather.regular_grid import Box
from hazecast.grids.weather.sampling import at_cities
from hazecast.grids.weather.timeline import joined

# Half a step of the finest grids is far larger, rounding in single precision smaller.
_SAME_DEGREES = 1e-4
# Chosen: of the largest value of a variable.
_SAME_SHARE = 1e-4
Period = tuple[np.datetime64, np.datetime64]


def read_weather(path: Path | Sequence[Path], *, box: Box | None = None, period: Period | None = None) -> xr.Dataset:
    """Read weather files, or all weather files of a folder.

    Parameters
    ----------
    path : Path or sequence of Path
        GRIB and NetCDF files and Zarr stores, plain, in ZIP or tar archives or packed with gzip, bzip2 or xz, or a folder of
        them, of one source and one run; recognised by their contents, whatever their names.
    box : Box, optional
        Read only this part of the grid.
    period : two datetime64, optional
        Read only times from the first to the second, both included.

    Returns
    -------
    xarray.Dataset
        Contract "weather_grid"; attribute ``init_time`` where the source is a forecast, ``left_out`` where some of it
        can't be used.

    Raises
    ------
    InputError
        If a file is absent, broken, in other units or holds no weather of the contract, or
        none in the box or the period; if two files give one time two values.
    """
    from hazecast.grids.weather.netcdf import read_netcdf

    grid = _read(
        path,
        lambda files: oriented(read_grib(files, box), str(path)),
        lambda file, group: oriented(read_netcdf(file, box, period, group), str(file)),
    )
    grid = describe(grid, "weather_grid")
    if period is not None:
        grid = grid.sel(time=slice(*period))
    return check(grid, "weather_grid", name=str(path))


def read_weather_at_cities(path: Path, cities: Sequence[City]) -> xr.Dataset:
    """Read weather files, or all of a folder, bilinearly at cities.

    As `read_weather` followed by `hazecast.grids.weather.sampling.at_cities`, but GRIB grids are not held in
    memory, and some cities may lie outside.

    Parameters
    ----------
    path : Path
        As `read_weather`.
    cities : sequence of City

    Returns
    -------
    xarray.Dataset (time, city)
        Contract "city_weather"; attribute ``places_outside`` names cities outside the grid.

    Raises
    ------
    InputError
        As `read_weather`, and if all cities lie outside the grid.
    """
    from hazecast.grids.weather.netcdf import read_netcdf

    dataset = _read(
        path,
        lambda files: read_grib_at_cities(files, cities),
        lambda file, group: at_cities(
            describe(oriented(read_netcdf(file, group=group), str(file)), "weather_grid"),
            cities,
            some_outside=True,
            name=str(file),
        ),
    )
    return check(describe(dataset, "city_weather"), "city_weather", name=str(path))


def span_of(path: Path) -> tuple[np.datetime64 | None, np.datetime64, np.datetime64]:
    """Return what one file covers, by its headers: init time, None for analyses, first and last time.

    Raises
    ------
    InputError
        If the file can't be read.
    """
    format_ = format_of(path)
    if format_ is Format.GRIB:
        from hazecast.grids.weather.grib_headers import span_of_grib

        return span_of_grib(path)
    if format_ in PACKED:
        with Unpacked.of([path]) as inside:
            spans = [span_of(file) for file in inside.files]
        return spans[0][0], min(first for _, first, _ in spans), max(last for _, _, last in spans)
    from hazecast.grids.weather.netcdf import span_of_netcdf

    return span_of_netcdf(path)


def _read(
    path: Path | Sequence[Path],
    gribs_reader: Callable[[list[Path]], xr.Dataset],
    netcdf_reader: Callable[[Path, str], xr.Dataset],
) -> xr.Dataset:
    """Read each file by its format and join the parts; GRIB files together, since buckets reach over files.

    Beside others a file that holds nothing of use costs nothing, such as upper levels in an archive; ``left_out`` names it if
    what it seems to hold is nowhere else.
    """
    with Unpacked.of([path] if isinstance(path, Path) else list(path)) as found:
        parts, empty = [], list(found.empty)
        gribs = [file for file, format_ in found.files.items() if format_ is Format.GRIB]
        readings: list[Callable[[], xr.Dataset]] = [partial(gribs_reader, gribs)] if gribs else []
        for file in found.files:
            if file not in gribs:
                readings += [partial(netcdf_reader, file, group) for group in _groups(file)]
        for read in readings:
            try:
                parts.append(read())
            except NothingError as error:
                empty.append(error)
        if not parts and empty:
            raise empty[0]
        result = joined(parts, path)
        left_out = [text] if (text := str(result.attrs.get("left_out", ""))) else []
        left_out += [str(error).replace(";", ",") for error in empty if error.lost - set(map(str, result.data_vars))]
        return result.assign_attrs(left_out=found.named("; ".join(dict.fromkeys(left_out)))) if left_out else result


def _groups(file: Path) -> list[str]:
    from hazecast.grids.weather.netcdf_groups import groups_of

    return groups_of(file)


def oriented(grid: xr.Dataset, where: str = "weather") -> xr.Dataset:
    """Return a grid with both axes ascending and each longitude once: some files hold 0 and 360.

    Parameters
    ----------
    grid : xarray.Dataset
    where : str
        The file, for errors.

    Returns
    -------
    xarray.Dataset

    Raises
    ------
    InputError
        If a variable has two values for one longitude that differ.
    """
    longitude = (grid["longitude"] + 180.0) % 360.0 - 180.0
    grid = grid.assign_coords(longitude=longitude).sortby("longitude").sortby("latitude")
    apart = np.diff(grid["longitude"].values, append=np.inf) > _SAME_DEGREES
    if apart.all():
        return grid
    twice = np.flatnonzero(~apart)
    for name, array in grid.data_vars.items():
        if "longitude" in array.dims:
            # Rounding of a file that was interpolated is far below.
            most = _SAME_SHARE * float(np.nanmax(np.abs(array.values), initial=0.0))
            one, other = (array.isel(longitude=at).values for at in (twice, twice + 1))
            if not np.isclose(one, other, rtol=0.0, atol=most, equal_nan=True).all():
                found = f"{name} with two values at {grid['longitude'].values[twice[0]]:g}"
                raise InputError(f"{where}: longitude", found, "the same values where a longitude is there twice")
    return grid.isel(longitude=apart)
