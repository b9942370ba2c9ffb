"""Messages of GRIB files before they are unpacked: which of them the contract needs, and when and where they hold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np

from hazecast.grids.contract import WEATHER
from hazecast.grids.errors import InputError
from hazecast.grids.weather.codec import eccodes
from hazecast.grids.weather.formats import NothingError
from hazecast.grids.weather.grib_fields import Damaged, fields_of, product_of, sections_of_edition_1
from hazecast.grids.weather.grib_grid import Scan, grid_of
from hazecast.grids.weather.grib_scattered import Scattered
from hazecast.grids.weather.regular_grid import RegularGrid
from hazecast.grids.weather.timeline import hours_long
from hazecast.grids.weather.variables import INSTANT, Codes, Meaning, may_be_needed, meaning_of

# The keys that a meaning is derived from, as numbers; the level is read as a fraction.
_NUMBERS = {
    1: ("indicatorOfTypeOfLevel", "table2Version", "indicatorOfParameter"),
    2: ("discipline", "parameterCategory", "parameterNumber", "typeOfFirstFixedSurface"),
}
# Templates of product definition (code table 4.0) for single members of an ensemble and for what is derived from all.
_MEMBER_TEMPLATES, _DERIVED_TEMPLATES = {1, 11, 60, 61}, {2, 3, 4, 12, 13, 14}
# Those whose numbers are no values of the quantity, at an instant and over a time.
_NO_VALUES = {
    5: "a probability", 9: "a probability", 6: "a percentile", 10: "a percentile", 7: "an error of an analysis",
    51: "a category", 91: "a category",
}  # fmt: skip
# Code table 4.6, ensemble forecast: unperturbed in high and in low resolution. Code table 4.7: means of all members.
_CONTROLS, _MEANS = {0, 1}, {0, 1}
# ECMWF's types of fields in edition 1.
_EDITION_1_MEMBERS = {"an": 0, "fc": 0, "cf": 0, "ia": 0, "4v": 0, "em": 1, "pf": 2}
# NCEP's ON388, table A: analysis and forecast of the Global Forecast System.
_GFS_PROCESSES = {81, 96}
# ECMWF's MARS catalogue, key "class".
_ECMWF_CLASSES = {"od": "IFS", "ea": "ERA5", "l5": "ERA5-Land", "mc": "CAMS"}
_CENTRES = {
    "ecmf": "ECMWF", "rjtd": "Japan Meteorological Agency", "babj": "China Meteorological Administration",
    "egrr": "UK Met Office", "rksl": "Korea Meteorological Administration", "edzw": "German Weather Service",
    "lfpw": "Météo-France",
}  # fmt: skip
# Code table 4.5.
_HEIGHT_ABOVE_GROUND = 103
_LONGEST_STEP_MINUTES = 24 * 400 * 60

# Behind a message of edition 1, longer than any header: a damaged one may lead eccodes beyond the message, and it crashes
# where the bytes end.
_BEHIND = bytes(2**18)

SINGLE, MEAN, PERTURBED = 0, 1, 2
Faults = list[str]


class Header(NamedTuple):
    """A message that is needed, before it is unpacked.

    `data` are its bytes and `where` its file and number; `init` is the reference time, `start` and `end` are hours after
    it; `source` names the model, or the centre where that is all the message tells; `member` is one of `SINGLE`, `MEAN`
    and `PERTURBED`.
    """

    data: bytes
    where: str
    meaning: Meaning
    init: np.datetime64
    start: float
    end: float
    source: str
    member: int
    grid: RegularGrid
    scan: Scan | Scattered


def span_of_grib(path: Path) -> tuple[np.datetime64 | None, np.datetime64, np.datetime64]:
    """Return what a file covers without unpacking a field: init time, None for analyses, first and last valid time.

    Raises
    ------
    InputError
        If the file is broken or holds nothing of the contract, or several forecasts.
    """
    faults: Faults = []
    headers = [h for h in headers_of(path, faults) if h.member != PERTURBED]
    if not headers:
        raise nothing_in([path], faults)
    times = [h.init + hours_long(h.end) for h in headers]
    return forecast_of([(h.init, h.end, h.meaning.kind) for h in headers], str(path)), min(times), max(times)


def forecast_of(steps: Sequence[tuple[np.datetime64, float, str]], where: str) -> np.datetime64 | None:
    """Return the init time of the forecast that messages are of; None for analyses.

    Analyses may be of any number of times, and totals beside them of short forecasts, as ERA5's are.

    Parameters
    ----------
    steps : sequence of (datetime64, float, str)
        Of each message the reference time, the end of its step in hours and its kind.
    where : str
        Their file, for errors.

    Returns
    -------
    datetime64 or None

    Raises
    ------
    InputError
        If they are of several forecasts.
    """
    runs = sorted({init for init, _, _ in steps})
    if len(runs) == 1:
        return runs[0] if any(end > 0 for _, end, _ in steps) else None
    if any(end > 0 for _, end, kind in steps if kind == INSTANT):
        named = ", ".join(np.datetime_as_string(run, unit="m") + "Z" for run in runs[:5])
        raise InputError(where, f"{len(runs)} forecast runs: {named}", "one run, or analyses")
    return None


def named(files: Path | Sequence[Path]) -> str:
    """Return files in words, for errors."""
    paths = [files] if isinstance(files, Path) else list(files)
    return str(paths[0]) if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more"


def nothing_in(paths: Sequence[Path], faults: Faults) -> InputError:
    """Return the error of files in which nothing can be used.

    Parameters
    ----------
    paths : sequence of Path
    faults : list of str
        Why what is of the contract can't be used; without any, the error names what the first file holds.

    Returns
    -------
    InputError
    """
    if faults:
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        return InputError(named(paths), f"nothing that can be used: {faults[0]}{more}", "fields of the contract")
    held = list(dict.fromkeys(_in_words(found.data) for found in fields_of(paths[0]) if not isinstance(found, Damaged)))
    more = f" and {len(held) - 5} more" if len(held) > 5 else ""
    return NothingError(named(paths), f"{', '.join(held[:5])}{more}", f"any of {', '.join(WEATHER)} at their levels")


def _in_words(data: bytes) -> str:
    try:
        with handle_of(data) as handle:
            keys = ("shortName", "stepType", "typeOfLevel", "level")
            name, statistic, kind, level = (str(eccodes.codes_get(handle, key)) for key in keys)
            return f"{name} ({statistic}) at {kind} {level}"
    except (eccodes.CodesInternalError, ValueError):
        return "a message that doesn't decode"


@contextmanager
def input_errors(where: str) -> Iterator[None]:
    """Raise what eccodes and a damaged header bring as an `InputError`.

    Raises
    ------
    InputError
        In their place.
    """
    try:
        yield
    except InputError:
        raise
    except (eccodes.CodesInternalError, ValueError, OverflowError, TypeError, IndexError, MemoryError) as error:
        # A damaged header may give an impossible length, type or count.
        raise InputError(where, error, "GRIB messages that decode") from error


def headers_of(path: Path, faults: Faults) -> Iterator[Header]:
    """Yield the messages that are needed of a file.

    Parameters
    ----------
    path : Path
    faults : list of str
        What is needed, but can't be used, is appended with the reason.

    Yields
    ------
    Header
    """
    seen: dict[Codes, Meaning | None] = {}
    empty = True
    for found in fields_of(path):
        empty = False
        if isinstance(found, Damaged):
            faults.append(f"{path}: byte {found.start}: {found.found}")
            continue
        try:
            header = _header(found.data, f"{path}: message {found.message}", seen)
        except InputError as error:
            faults.append(str(error))
            continue
        if header is not None:
            yield header
    if empty:
        faults.append(f"{path}: no GRIB message")


def _header(data: bytes, where: str, seen: dict[Codes, Meaning | None]) -> Header | None:
    """Return what a message is; None if it isn't needed."""
    # eccodes takes milliseconds for a header, and a whole file of GFS has 743.
    product = product_of(data)
    if product is not None and not may_be_needed(*product):
        return None
    with input_errors(where), handle_of(data) as handle:
        meaning = _meaning(handle, seen, where)
        if meaning is None:
            return None
        init, start, end = _steps(handle)
        if meaning.kind != INSTANT and start == end and _edition(handle) == 1:
            # ECMWF's totals since the start of the run.
            start = 0.0
        member, (grid, scan) = _member(handle, where), grid_of(handle, where)
        source = _source(handle)
        return Header(data, where, meaning, init, start, end, source, member, grid, scan)


@contextmanager
def handle_of(data: bytes) -> Iterator[int]:
    """Give eccodes' handle of a message for the time of the context.

    Raises
    ------
    ValueError
        If parts of a header of edition 1, such as lists of numbers, reach over the sections that they are in.
    """
    first = data[7] == 1
    handle = eccodes.codes_new_from_message(data + _BEHIND if first else data)
    try:
        if first and eccodes.codes_get_long(handle, "offsetSection4") != sections_of_edition_1(data)[4]:
            raise ValueError("a header whose parts are longer than its sections")
        yield handle
    finally:
        eccodes.codes_release(handle)


def _edition(handle: int) -> int:
    return int(eccodes.codes_get_long(handle, "edition"))


def _meaning(handle: int, seen: dict[Codes, Meaning | None], where: str) -> Meaning | None:
    """Return what a message holds; eccodes takes long to find a parameter's number, so `seen` caches by the codes."""
    edition = _edition(handle)
    numbers = [int(eccodes.codes_get_long(handle, key)) for key in _NUMBERS[edition]]
    own, surface = (numbers[:3], numbers[3]) if edition == 2 else ([255, *numbers[1:3]], numbers[0])
    codes = Codes(
        edition=edition,
        centre=str(eccodes.codes_get(handle, "centre")),
        discipline=own[0],
        category=own[1],
        number=own[2],
        parameter=0,
        surface=surface,
        level=float(eccodes.codes_get_double(handle, "level")),
        statistic=str(eccodes.codes_get(handle, "stepType")),
        unit="",
        layer=edition == 2 and eccodes.codes_get_long(handle, "typeOfSecondFixedSurface") == _HEIGHT_ABOVE_GROUND,
    )
    if codes not in seen:
        seen[codes] = None
        parameter, unit = int(eccodes.codes_get_long(handle, "paramId")), str(eccodes.codes_get(handle, "units"))
        try:
            seen[codes] = meaning_of(codes._replace(parameter=parameter, unit=unit))
        except InputError as error:
            raise InputError(f"{where}: {error.where}", error.found, error.expected) from error
    return seen[codes]


def _member(handle: int, where: str) -> int:
    """Return what part of an ensemble a message is.

    Raises
    ------
    InputError
        If it is a spread, a probability, a percentile or a climate, which are no forecast.
    """
    if _edition(handle) == 1:
        if not eccodes.codes_is_defined(handle, "dataType"):
            return SINGLE
        kind = str(eccodes.codes_get(handle, "dataType"))
        if kind not in _EDITION_1_MEMBERS:
            raise InputError(f"{where}: type", kind, f"one of {sorted(_EDITION_1_MEMBERS)}")
        return _EDITION_1_MEMBERS[kind]
    template = eccodes.codes_get_long(handle, "productDefinitionTemplateNumber")
    if template in _NO_VALUES:
        found = f"template 4.{template}, {_NO_VALUES[template]}"
        raise InputError(f"{where}: kind of product", found, "a forecast or an analysis")
    if template in _MEMBER_TEMPLATES:
        return SINGLE if eccodes.codes_get_long(handle, "typeOfEnsembleForecast") in _CONTROLS else PERTURBED
    if template in _DERIVED_TEMPLATES:
        derived = eccodes.codes_get_long(handle, "derivedForecast")
        if derived not in _MEANS:
            raise InputError(f"{where}: derivedForecast", derived, "a mean of all members")
        return MEAN
    return SINGLE


def _source(handle: int) -> str:
    """Return the model that a message is of, by codes that tell it; else the centre."""
    centre = str(eccodes.codes_get(handle, "centre"))
    if centre == "kwbc":
        process = int(eccodes.codes_get_long(handle, "generatingProcessIdentifier"))
        return "GFS" if process in _GFS_PROCESSES else "NCEP"
    if centre == "ecmf" and eccodes.codes_is_defined(handle, "marsClass"):
        kind = str(eccodes.codes_get(handle, "marsClass"))
        return _ECMWF_CLASSES.get(kind, f"ECMWF, class {kind}")
    return _CENTRES.get(centre, f"centre {centre}")


def _steps(handle: int) -> tuple[np.datetime64, float, float]:
    """Return the reference time of a message, and the start and end of its step in hours."""
    date, clock = eccodes.codes_get(handle, "dataDate"), eccodes.codes_get(handle, "dataTime")
    init = datetime.strptime(f"{date:08d}{clock:04d}", "%Y%m%d%H%M")
    eccodes.codes_set(handle, "stepUnits", "m")
    start, end = (int(eccodes.codes_get_long(handle, key)) for key in ("startStep", "endStep"))
    if not 0 <= start <= end <= _LONGEST_STEP_MINUTES:
        raise ValueError(f"step {start / 60:g}-{end / 60:g} h, expected 0 to {_LONGEST_STEP_MINUTES // 60}")
    return np.datetime64(init, "ns"), start / 60, end / 60
