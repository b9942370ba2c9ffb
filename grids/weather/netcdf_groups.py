"""Groups of NetCDF files and Zarr stores: each is read as a file of its own, on the axes of the groups that it lies in."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import xarray as xr

from hazecast.grids.errors import InputError
from hazecast.grids.extras import requires
from hazecast.grids.weather.variables import contract_name

# Names of groups whose numbers are no values of a forecast, or those of one member.
_NO_VALUES = re.compile(
    r"(?:^|[_ .-])(?:spread|std|stddev|sd|var|variance|stat|stats|statistics|min|max|minimum|maximum|quantiles?|percentiles?|p\d\d?"
    r"|prob|probability|clim|climatology|anomaly|bias|error|increments?|members?|ens|ensemble|perturbed)(?:$|[_ .-]|\d)",
    re.IGNORECASE,
)


def groups_of(path: Path) -> list[str]:
    """Return the groups of a file that may hold weather, by their paths in it, the root being ``""``.

    Parameters
    ----------
    path : Path
        A NetCDF file or Zarr store.

    Returns
    -------
    list of str
        The root alone where no other group holds anything.

    Raises
    ------
    InputError
        If the file is damaged.
    """
    if path.is_dir():
        requires("zarr", "archive")
    try:
        names = _zarr_groups(path) if path.is_dir() else _netcdf_groups(path)
        if not names:
            return [""]
        inside = [name for name in names if _holds_weather(path, name)]
        if inside:
            with _opened(path, "") as root:
                return ([""] if any(array.ndim > 1 for array in root.data_vars.values()) else []) + inside
    except InputError:
        raise
    except Exception as error:  # on a damaged file the libraries raise nearly any exception
        raise InputError(str(path), error, "a whole NetCDF file") from error
    return [""]


@contextmanager
def opened_group(path: Path, group: str) -> Iterator[xr.Dataset]:
    """Open one group with the coordinates and attributes of those that it lies in.

    Parameters
    ----------
    path : Path
        A NetCDF file or Zarr store.
    group : str
        Its path in the file; ``""`` is the root.

    Yields
    ------
    xarray.Dataset

    Raises
    ------
    InputError
        If its name says that it holds a spread, an extreme or members in place of a forecast.
    """
    odd = next((part for part in group.split("/") if _NO_VALUES.search(part)), None)
    if odd is not None:
        raise InputError(f"{path}: group {group}", odd, "values of one forecast, not statistics or members")
    with _opened(path, group) as result:
        for above in _groups_above(group):
            result = _with_coordinates(result, path, above)
        yield result


def _groups_above(group: str) -> list[str]:
    """Return the groups that one lies in, the nearest first, the root last."""
    parts = group.split("/") if group else []
    return ["/".join(parts[:depth]) for depth in range(len(parts) - 1, -1, -1)]


def _with_coordinates(inside: xr.Dataset, path: Path, above: str) -> xr.Dataset:
    with _opened(path, above) as outer:
        used = [
            name
            for name, array in outer.variables.items()
            if name not in inside.variables
            and set(array.dims) <= set(inside.dims)
            and (name in outer.coords or str(array.attrs.get("units", "")).lower().startswith("degree"))
        ]
        result = inside.assign_coords({name: outer[name].variable.load() for name in used})
        return result.assign_attrs({**outer.attrs, **inside.attrs})


def _opened(path: Path, group: str) -> xr.Dataset:
    with warnings.catch_warnings():
        # Of several marks of missing values in a variable all are taken, as they should be.
        warnings.simplefilter("ignore", xr.SerializationWarning)
        if path.is_dir():
            listed = {"consolidated": _is_consolidated(path)}
            return xr.open_dataset(
                path, engine="zarr", group=group or None, decode_timedelta=True, backend_kwargs=listed
            )
        return xr.open_dataset(path, engine="netcdf4", group=group or None, decode_timedelta=True)


def _is_consolidated(store: Path) -> bool:
    """Return whether a store lists all it holds in one file; asked for a list that isn't there the library warns."""
    mark = store / "zarr.json"
    return (store / ".zmetadata").exists() or (
        mark.exists() and bool(json.loads(mark.read_bytes()).get("consolidated_metadata"))
    )


def _holds_weather(path: Path, group: str) -> bool:
    with _opened(path, group) as dataset:
        return any(contract_name(str(name), array.attrs) is not None for name, array in dataset.data_vars.items())


def _netcdf_groups(path: Path) -> list[str]:
    import netCDF4

    def below(group: netCDF4.Dataset) -> list[str]:
        own = [group.path.strip("/")] if group.variables and group.path != "/" else []
        return own + [name for one in group.groups.values() for name in below(one)]

    with netCDF4.Dataset(path) as file:
        return below(file)


def _zarr_groups(path: Path) -> list[str]:
    def below(folder: Path) -> list[str]:
        inside = sorted(child for child in folder.iterdir() if child.is_dir() and _is_zarr_group(child))
        return [name for child in inside for name in (str(child.relative_to(path)), *below(child))]

    return below(path)


def _is_zarr_group(folder: Path) -> bool:
    if (folder / ".zgroup").exists():
        return True
    mark = folder / "zarr.json"
    return mark.exists() and json.loads(mark.read_bytes()).get("node_type") == "group"
