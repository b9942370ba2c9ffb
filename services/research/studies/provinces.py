"""``hazecast study provinces``: which provinces elements in the air come from, by the hours that the air spent over each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from hazecast.services.research.studies.asking import Option, Table, study
from hazecast.services.research.studies.result import Result
from hazecast.services.research.studies.trajectories import ArrivalOptions, home_of, paths_to, regions_to, settings_of

if TYPE_CHECKING:
    import pandas as pd
    import shapely
    import xarray as xr

    from hazecast.forecast.studies.wind.provinces import Contributions
    from hazecast.grids.places.cities import City
    from hazecast.services.core.settings import Settings

# By default the areas over which the air was for this share of its hours; chosen.
_LEAST_SHARE = 0.02


@dataclass(frozen=True)
class SampleOptions:
    """What was measured."""

    samples: Annotated[Path | None, Table("CSV of hourly samples: time (end of the hour), then elements.")] = None
    filters: Annotated[Path | None, Table("CSV of filters: filter, start, end (ISO 8601 with offset), elements.")] = (
        None
    )
    element: Annotated[list[str] | None, Option("Column to use; may be repeated; by default all.")] = None
    unit: Annotated[str, Option("Unit of the samples.")] = "ng m-3"


@study
def provinces(
    city: Annotated[str, Option("City that the air arrives at.")],
    arrivals: ArrivalOptions,
    measured: SampleOptions,
    province: Annotated[
        list[str] | None,
        Option("Name or code; may be repeated; by default those that much air came over."),
    ] = None,
    cell: Annotated[float, Option("Cell of the source regions, degrees.")] = 0.5,
) -> Result:
    """Share of provinces in metals and other elements, by trajectories: all seasons, each season, and source regions."""
    from hazecast.forecast.studies.wind.plots import shares
    from hazecast.forecast.studies.wind.provinces import by_season, contributions, residence

    home = home_of(city, arrivals)
    paths, note = paths_to(home, arrivals)
    areas = _areas(province, settings_of(arrivals))
    hours = residence(paths, areas)
    if not province:
        hours = hours.loc[:, hours.mean() >= _LEAST_SHARE * -float(paths["age"].values[-1])]
    rows, values, when, at_arrival, left = _matched(measured, paths, hours)
    found = contributions(rows, values, when)
    seasons = {name: _table(one) for name, one in by_season(rows, values, when).items()}
    result = Result(
        {
            "city": city,
            "unit": measured.unit,
            "arrivals": paths.sizes["parcel"],
            "paths_that_ended_early": int(hours.isna().any(axis=1).sum()),
            "samples": len(rows),
            "samples_without_a_path": left,
            "provinces": list(hours.columns),
            "seasons": list(seasons) or "none has enough days",
            "note": f"{note}; a share is of the air that came over a province, not of its emissions",
        },
        {"provinces": _table(found), "elements": found.elements}
        | {f"provinces_{name}": one for name, one in seasons.items()},
        printed=("provinces", "elements", *(f"provinces_{name}" for name in seasons)),
    )
    for name in found.elements.index:
        result.figures[f"shares_{name}"] = shares(found.table.loc[name], f"{name} in {city}")
    _add_regions(result, paths, at_arrival, home, cell, measured.unit)
    return result


def _areas(wanted: list[str] | None, settings: Settings) -> dict[str, shapely.Geometry]:
    """Return the shapes of provinces by their English names."""
    from hazecast.alerts.geography.shapes import provinces as shapes
    from hazecast.grids.errors import InputError
    from hazecast.services.core.shapes import use_shapes

    use_shapes(settings)
    known = shapes()
    if not wanted:
        return {one.name_en: one.geometry for one in known}
    found = {}
    for name in wanted:
        one = next((p for p in known if name in (p.name_en, p.name_zh, p.name_ja, p.code)), None)
        if one is None:
            raise InputError("--province", name, f"one of {', '.join(p.name_en for p in known)}")
        found[one.name_en] = one.geometry
    return found


def _matched(
    measured: SampleOptions, paths: xr.Dataset, hours: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DatetimeIndex, pd.DataFrame, int]:
    """Return hours over areas, concentrations and times of the samples; concentrations by arrival; samples without a path."""
    import pandas as pd

    from hazecast.forecast.studies.wind.provinces import of_filters
    from hazecast.grids.errors import InputError
    from hazecast.grids.observations.sample_tables import read_samples
    from hazecast.services.research.filter_tables import read_filters

    if (measured.samples is None) == (measured.filters is None):
        raise InputError("--samples, --filters", "both or neither", "one of them")
    arrival = paths["start"].values
    if measured.samples is not None:
        table = _chosen(
            read_samples(measured.samples, times=True, offset=True, unit=measured.unit),
            measured.element,
            measured.samples,
        )
        at_arrival = table.reindex(pd.DatetimeIndex(arrival))
        kept = at_arrival.notna().any(axis=1).to_numpy()
        without = len(table) - int(table.index.isin(pd.DatetimeIndex(arrival)).sum())
        return (
            hours[kept].reset_index(drop=True),
            at_arrival[kept].reset_index(drop=True),
            pd.DatetimeIndex(arrival)[kept],
            at_arrival,
            without,
        )
    assert measured.filters is not None
    periods, values = read_filters(measured.filters, unit=measured.unit)
    values = _chosen(values, measured.element, measured.filters)
    rows = of_filters(hours, arrival, list(periods["start"]), list(periods["end"]))
    kept = rows.notna().all(axis=1).to_numpy()
    times = pd.DatetimeIndex(arrival)
    at_arrival = pd.DataFrame(index=times, columns=values.columns, dtype=float)
    for number, (start, end) in enumerate(zip(periods["start"], periods["end"], strict=True)):
        at_arrival[(times > start) & (times <= end)] = values.iloc[number].to_numpy()
    middle = pd.DatetimeIndex(periods["start"] + (periods["end"] - periods["start"]) / 2)
    return (
        rows[kept].reset_index(drop=True),
        values[kept].reset_index(drop=True),
        middle[kept],
        at_arrival,
        int((~kept).sum()),
    )


def _chosen(table: pd.DataFrame, elements: list[str] | None, path: Path) -> pd.DataFrame:
    from hazecast.grids.errors import InputError

    for name in elements or ():
        if name not in table:
            raise InputError(f"{path}: --element", name, f"one of its columns {list(table.columns)}")
    return table[list(elements)] if elements else table


def _table(found: Contributions) -> pd.DataFrame:
    return found.table.reset_index("area")


def _add_regions(
    result: Result, paths: xr.Dataset, at_arrival: pd.DataFrame, home: City, cell: float, unit: str
) -> None:
    """Add the source regions of each element (PSCF, CWT), as far as it has some."""
    import pandas as pd

    from hazecast.forecast.studies.wind import plots as wind_plots
    from hazecast.grids.errors import InputError

    tables, without = {}, {}
    for name in at_arrival:
        try:
            found = regions_to(paths, at_arrival[name].to_numpy(float), cell)
        except InputError as error:
            # Such as one below its detection limit in most samples; its shares stand.
            without[str(name)] = str(error)
            continue
        tables[str(name)] = found.to_dataframe().dropna(subset=["cwt"])
        title = f"{home.id}, {name}, {found.attrs['arrivals']} arrivals"
        for kind in ("pscf", "cwt"):
            mark = (home.latitude, home.longitude)
            result.figures[f"{kind}_{name}"] = wind_plots.regions_on_map(found, kind, title, mark, unit)
    if without:
        result.summary["no_source_regions"] = [f"{name}: {why}" for name, why in without.items()]
    if tables:
        result.tables["source_regions"] = pd.concat(tables, names=["element"])
