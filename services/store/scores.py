"""The stored sums of scores, and the forecasts and observations that they are computed from."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from sqlalchemy import Connection, bindparam, delete, func, insert, select

from hazecast.forecast.evaluation.verification import BASELINE_SUMS, CLIMATOLOGY_DAYS, SUMS
from hazecast.grids.contract import FORECAST_POLLUTANTS, LEAD_HOURS, QUANTILES, describe
from hazecast.grids.times import to_datetime64
from hazecast.services.store.locks import lock_until_commit
from hazecast.services.store.store import Store
from hazecast.services.store.tables.forecasts import ForecastRun, ForecastScore, ForecastValue, Observation, ScoredDay

_KEY: list[str] = ["day", "model_id", "city", "pollutant", "lead_time"]
_SUMS = [*SUMS, *BASELINE_SUMS]
_QUANTILE_COLUMNS = tuple(f"q{round(100 * level)}" for level in QUANTILES)


@dataclass(frozen=True)
class StoredRun:
    """A stored forecast that isn't simulated."""

    id: int
    init_time: datetime
    model_id: str
    observations_until: datetime
    netcdf_path: str


def runs_before(store: Store, time: datetime) -> list[StoredRun]:
    """Return the stored runs whose first lead time is not after `time`, oldest first; none simulated or withdrawn.

    Parameters
    ----------
    store : Store
    time : datetime
        Aware.

    Returns
    -------
    list of StoredRun
    """
    columns = (ForecastRun.id, ForecastRun.init_time, ForecastRun.model_id, ForecastRun.observations_until)
    query = (
        select(*columns, ForecastRun.netcdf_path)
        .where(ForecastRun.simulated.is_(False), ForecastRun.withdrawn_at.is_(None), ForecastRun.init_time < time)
        .order_by(ForecastRun.init_time)
    )
    with store.engine.connect() as connection:
        return [StoredRun(*row) for row in connection.execute(query)]


def scored_until(store: Store) -> dict[date, datetime]:
    """Return how far the forecasts of each day were scored."""
    with store.engine.connect() as connection:
        return {day: time for day, time in connection.execute(select(ScoredDay.day, ScoredDay.scored_until))}


def forecast_places(store: Store, run: StoredRun) -> list[str]:
    """Return the ids of the cities that a run has stored values of.

    Parameters
    ----------
    store : Store
    run : StoredRun

    Returns
    -------
    list of str
        Empty where its values were pruned.
    """
    # Of one lead time, which the key holds: the values themselves are not read.
    query = select(ForecastValue.city).where(ForecastValue.run_id == run.id, ForecastValue.lead_time == 1)
    with store.engine.connect() as connection:
        return list(connection.scalars(query))


def stored_forecast(store: Store, run: StoredRun, cities: Sequence[str] | None = None) -> xr.Dataset | None:
    """Read the PM2.5 and O3 of a run, and the chemistry model's, from the database.

    Parameters
    ----------
    store : Store
    run : StoredRun
    cities : sequence of str, optional
        Only of these; of ten thousand all at once would not fit in memory.

    Returns
    -------
    xarray.Dataset (lead_time, city, quantile) or None
        Contract "forecast"; None if nothing is stored of them.
    """
    columns = [f"{name}_{part}" for name in FORECAST_POLLUTANTS for part in (*_QUANTILE_COLUMNS, "mean", "cams")]
    query = select(
        ForecastValue.lead_time, ForecastValue.city, *(getattr(ForecastValue, column) for column in columns)
    ).where(ForecastValue.run_id == run.id)
    table = _frame(store, query if cities is None else query.where(ForecastValue.city.in_(cities)))
    if table.empty:
        return None
    cube = table.set_index(["lead_time", "city"]).astype(np.float64).to_xarray()
    dataset = xr.Dataset(
        coords={
            "lead_time": cube["lead_time"].values.astype("timedelta64[h]").astype("timedelta64[ns]"),
            "city": cube["city"].values.astype(str),
            "quantile": list(QUANTILES),
            "init_time": to_datetime64(run.init_time),
        },
        attrs={
            "model_id": run.model_id,
            "observations_until": np.datetime_as_string(to_datetime64(run.observations_until), unit="s") + "Z",
            "weather_source": "as stored",
            "degraded": 0,
            "simulated": 0,
        },
    )
    for name in FORECAST_POLLUTANTS:
        values = np.stack([cube[f"{name}_{column}"].values for column in _QUANTILE_COLUMNS], axis=-1)
        dataset[name] = (("lead_time", "city", "quantile"), values)
        for part in ("mean", "cams"):
            dataset[f"{name}_{part}"] = (("lead_time", "city"), cube[f"{name}_{part}"].values)
    return describe(dataset, "forecast")


def stored_observations(
    store: Store, first: datetime, last: datetime, cities: Sequence[str] | None = None
) -> xr.Dataset | None:
    """Read the observations that forecasts are verified against and the climatology is computed from.

    Parameters
    ----------
    store : Store
    first, last : datetime
        Init times of the first and the last forecast, aware.
    cities : sequence of str, optional
        Only of these.

    Returns
    -------
    xarray.Dataset (time, city) or None
        PM2.5 and O3 with their flags, contract "observations": from `CLIMATOLOGY_DAYS` + 3 days before `first` to the last lead time of
        `last`. None if nothing is stored.
    """
    columns = (Observation.pm25, Observation.o3, Observation.pm25_flag, Observation.o3_flag)
    query = select(Observation.time, Observation.city, *columns).where(
        Observation.simulated.is_(False),
        Observation.time > first - timedelta(days=CLIMATOLOGY_DAYS + 3),
        Observation.time <= last + timedelta(hours=LEAD_HOURS),
    )
    table = _frame(store, query if cities is None else query.where(Observation.city.in_(cities)))
    if table.empty:
        return None
    table["time"] = pd.to_datetime(table["time"], utc=True).dt.tz_localize(None)
    cube = table.set_index(["time", "city"]).astype(np.float64).to_xarray().assign_attrs(source="the store")
    return describe(cube.assign_coords(city=cube["city"].values.astype(str)), "observations")


def save_scores(store: Store, scores: pd.DataFrame, days: Sequence[date], until: datetime | None) -> int:
    """Store the sums of complete days, of all cities or of some, in one transaction.

    A row is replaced only by one of as many pairs or more: pruned forecasts or observations don't remove
    what was scored.

    Parameters
    ----------
    store : Store
    scores : pandas.DataFrame
        Rows by day, model, city, pollutant and lead time, with the sums of `ForecastScore`.
    days : sequence of date
        The days (UTC) that were scored.
    until : datetime or None
        The time up to which observations were used, aware: the days then count as scored up to it. None where
        more cities of these days are still to come.

    Returns
    -------
    int
        How many rows have changed.
    """
    with store.writing() as connection:
        lock_until_commit(connection, "scores")
        known = _stored(connection, scores, days)
        changed = _changed(scores, known)
        keys: list[dict[Any, Any]] = changed[_KEY].to_dict("records")
        if keys:
            matches = [getattr(ForecastScore, name) == bindparam(f"of_{name}") for name in _KEY]
            rows: list[dict[str, Any]] = [{f"of_{name}": value for name, value in key.items()} for key in keys]
            connection.execute(delete(ForecastScore).where(*matches), rows)
            connection.execute(
                insert(ForecastScore), [{str(k): v for k, v in row.items()} for row in changed.to_dict("records")]
            )
        if until is not None:
            _mark(connection, days, until)
    return len(changed)


def _mark(connection: Connection, days: Sequence[date], until: datetime) -> None:
    earlier = dict(
        connection.execute(select(ScoredDay.day, ScoredDay.scored_until).where(ScoredDay.day.in_(days))).all()
    )
    connection.execute(delete(ScoredDay).where(ScoredDay.day.in_(days)))
    marks = [{"day": day, "scored_until": max(until, earlier.get(day, until))} for day in days]
    connection.execute(insert(ScoredDay), marks)


def daily_sums(
    store: Store,
    first: date,
    *,
    cities: Collection[str] = (),
    pollutant: str | None = None,
    model_id: str | None = None,
) -> pd.DataFrame:
    """Return the stored sums added over cities, by day, model, pollutant and lead time.

    Parameters
    ----------
    store : Store
    first : date
        The first day of init times (UTC).
    cities : collection of str
        Only of these; all if empty.
    pollutant, model_id : str, optional
        Only of this pollutant or model.

    Returns
    -------
    pandas.DataFrame
    """
    by = (ForecastScore.day, ForecastScore.model_id, ForecastScore.pollutant, ForecastScore.lead_time)
    sums = [func.sum(getattr(ForecastScore, name)).label(name) for name in _SUMS]
    query = select(*by, *sums).where(ForecastScore.day >= first).group_by(*by)
    for column, wanted in (
        (ForecastScore.pollutant, pollutant),
        (ForecastScore.model_id, model_id),
    ):
        if wanted is not None:
            query = query.where(column == wanted)
    if cities:
        query = query.where(ForecastScore.city.in_(cities))
    return _frame(store, query)


def newest_scored(store: Store) -> tuple[date, datetime] | None:
    """Return the newest scored day and the time that it was scored up to."""
    query = select(ScoredDay.day, ScoredDay.scored_until).order_by(ScoredDay.day.desc()).limit(1)
    with store.engine.connect() as connection:
        row = connection.execute(query).first()
    return None if row is None else (row[0], row[1])


def _stored(connection: Connection, scores: pd.DataFrame, days: Sequence[date]) -> pd.DataFrame:
    # Along the key: day, model, city.
    query = select(*(getattr(ForecastScore, name) for name in (*_KEY, *_SUMS))).where(
        ForecastScore.day.in_(days),
        ForecastScore.model_id.in_(scores["model_id"].unique().tolist()),
        ForecastScore.city.in_(scores["city"].unique().tolist()),
    )
    return pd.DataFrame(connection.execute(query).all(), columns=[*_KEY, *_SUMS])


def _changed(scores: pd.DataFrame, known: pd.DataFrame) -> pd.DataFrame:
    merged = scores.merge(known, on=_KEY, how="left", suffixes=("", "_known"), indicator=True)
    new = merged["_merge"] == "left_only"
    differs = pd.Series(False, index=merged.index)
    for name in _SUMS:
        differs |= ~np.isclose(merged[name].astype(float), merged[f"{name}_known"].astype(float), rtol=1e-12)
    fewer = merged["n"].astype(float) < merged["n_known"].astype(float)
    return merged.loc[new | (differs & ~fewer), [*_KEY, *_SUMS]]


def _frame(store: Store, query: Any) -> pd.DataFrame:
    with store.engine.connect() as connection:
        result = connection.execute(query)
        return pd.DataFrame(result.all(), columns=list(result.keys()))
