"""Ozone formation: weekday effect, temperature response, and the chemical regime."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hazecast.forecast.evaluation.comparison import resampled_days
from hazecast.forecast.studies.estimate import Estimate
from hazecast.grids.errors import InputError
from hazecast.grids.units import PPB_25C

RESAMPLES = 1000
# Weeks, or days, in a bootstrap block: about the persistence of weather. Chosen, not from a source.
_BLOCK_WEEKS, _BLOCK_DAYS = 2, 10
_LEVEL = (0.025, 0.975)
_MIN_WEEKS, _MIN_DAYS = 10, 60
_WEEKEND = (5, 6)
# China reported gases at 273 K (GB 3095-2012, clause 3.14) until its amendment took effect on 2018-09-01.
_AMENDED = np.datetime64("2018-09-01")
_KELVIN_BEFORE, _KELVIN_SINCE = 273.15, 298.15


@dataclass(frozen=True)
class WeekdayEffect:
    """Difference between weekends and working days.

    Attributes
    ----------
    weeks : int
        Weeks with at least one weekend day and two working days.
    weekend : Estimate
        Mean of Saturday and Sunday less that of the working days of the same week, in the unit of the series.
    relative : Estimate
        The same over the mean of the working days.
    by_day : dict of int to Estimate
        Each day of the week (0 is Monday) less the mean of its week.
    placebo_rank : int
        Rank of the weekend's absolute difference among the seven pairs of neighbouring days, each treated as a
        weekend: 1 if none is larger. A real effect of working life should rank first.
    """

    weeks: int
    weekend: Estimate
    relative: Estimate
    by_day: dict[int, Estimate]
    placebo_rank: int


def weekday_effect(daily: pd.Series, *, leave_out: Collection[date] = (), seed: int = 0) -> WeekdayEffect:
    """Compare weekends with working days of the same week, which removes season and slow weather.

    Parameters
    ----------
    daily : pandas.Series (day)
        Naive local days; NaN where there is no value.
    leave_out : collection of datetime.date
        Days to exclude, such as public holidays and the working weekends that compensate for them.
    seed : int
        Of the resampling.

    Returns
    -------
    WeekdayEffect
        In the unit of the series.

    Raises
    ------
    InputError
        If fewer than ten weeks can be compared.
    """
    table = _by_week(daily, leave_out)
    difference, level = _weekend_of(table, _WEEKEND)
    valid = difference.notna()
    weeks = int(valid.sum())
    if weeks < _MIN_WEEKS:
        raise InputError("weeks with a weekend and two working days", weeks, f"at least {_MIN_WEEKS}")
    weights = _weights(weeks, _BLOCK_WEEKS, seed)
    d, w = difference[valid].to_numpy(), level[valid].to_numpy()
    sums = weights @ np.stack([np.ones_like(d), d, w], axis=1)
    from_week = table.sub(table.mean(axis=1), axis=0)
    everything = _weights(len(table), _BLOCK_WEEKS, seed)
    by_day = {day: _mean_of(from_week[day].to_numpy(), everything) for day in range(7)}
    pairs = [abs(float(np.nanmean(_weekend_of(table, (day, (day + 1) % 7))[0]))) for day in range(7)]
    return WeekdayEffect(
        weeks,
        _interval(sums[:, 1] / sums[:, 0]),
        _interval(sums[:, 1] / sums[:, 2]),
        by_day,
        1 + sum(size > pairs[_WEEKEND[0]] for size in pairs),
    )


@dataclass(frozen=True)
class TemperatureResponse:
    """Response of ozone to temperature in one regime.

    Attributes
    ----------
    days : int
        Days used.
    slope : Estimate
        Unit of ozone per kelvin, linear fit: the "climate penalty" of Bloomer et al. (2009, Geophys. Res.
        Lett. 36:L09803) where the regime is the warm season.
    breakpoint : float or None
        Temperature at which the slope changes, where BIC prefers a broken line to a straight one.
    below, above : float or None
        Slopes on both sides of it.
    """

    days: int
    slope: Estimate
    breakpoint: float | None
    below: float | None
    above: float | None


def temperature_response(
    ozone: pd.Series, temperature: pd.Series, regimes: pd.Series | None = None, *, seed: int = 0
) -> dict[str, TemperatureResponse]:
    """Regress daily ozone on daily temperature, for all days and for each regime.

    Parameters
    ----------
    ozone : pandas.Series (day)
        Usually the highest 8 h mean, ug m-3.
    temperature : pandas.Series (day)
        Usually the daily maximum, degC or K.
    regimes : pandas.Series (day), optional
        Name of each day's regime, such as `terciles` of NO2.
    seed : int
        Of the resampling.

    Returns
    -------
    dict of str to TemperatureResponse
        ``all`` and each regime with at least 60 days.

    Raises
    ------
    InputError
        If fewer than 60 days have both, or the temperature does not vary.
    """
    both = pd.DataFrame({"o3": ozone, "t": temperature}).dropna().sort_index()
    if len(both) < _MIN_DAYS:
        raise InputError("days with ozone and temperature", len(both), f"at least {_MIN_DAYS}")
    groups = {"all": both}
    if regimes is not None:
        named = regimes.reindex(both.index)
        groups |= {str(name): both[named == name] for name in sorted(named.dropna().unique())}
    return {name: _response(group, seed) for name, group in groups.items() if len(group) >= _MIN_DAYS}


def terciles(values: pd.Series, names: tuple[str, str, str] = ("low", "middle", "high")) -> pd.Series:
    """Classify each day by the tercile of its value within its own calendar month, which removes the season.

    Parameters
    ----------
    values : pandas.Series (day)
        Such as daily NO2.
    names : tuple of str
        Names of the terciles, the lowest first.

    Returns
    -------
    pandas.Series (day)
        One of `names`; missing where the month has fewer than nine values.
    """
    month = pd.Series(values.index, index=values.index).dt.to_period("M")
    rank = values.groupby(month).rank(pct=True)
    enough = values.groupby(month).transform("count") >= 9
    third = pd.cut(rank.where(enough), [0, 1 / 3, 2 / 3, 1], labels=list(names))
    return third.astype(object)


def to_ppb(values: pd.Series, gas: str) -> pd.Series:
    """Convert Chinese concentrations to mixing ratios with the reference state in force on their day.

    273.15 K before 2018-09-01 (GB 3095-2012, clause 3.14), 298.15 K since its amendment.

    Parameters
    ----------
    values : pandas.Series (day or hour)
        ug m-3.
    gas : str
        ``o3``, ``no2``, ``so2`` or ``co``.

    Returns
    -------
    pandas.Series (day or hour)
        ppb.

    Raises
    ------
    InputError
        If the gas is none of these.
    """
    if gas not in PPB_25C:
        raise InputError("gas", gas, f"one of {sorted(PPB_25C)}")
    kelvin = np.where(values.index.to_numpy() < _AMENDED, _KELVIN_BEFORE, _KELVIN_SINCE)
    return values / (PPB_25C[gas] * 298.15 / kelvin)


def oxidant(o3: pd.Series, no2: pd.Series) -> pd.Series:
    """Return the oxidant Ox = O3 + NO2, which titration by fresh NO does not change.

    Parameters
    ----------
    o3, no2 : pandas.Series (day or hour)
        Concentrations at the Chinese reference state of their day, ug m-3.

    Returns
    -------
    pandas.Series (day or hour)
        ppb.
    """
    return to_ppb(o3, "o3") + to_ppb(no2, "no2")


@dataclass(frozen=True)
class Indicator:
    """A ratio that indicates the ozone regime: VOC-limited below `low`, NOx-limited above `high`."""

    name: str
    low: float
    high: float
    source: str


_SILLMAN = "Sillman 1995, J. Geophys. Res. 100:14175, afternoon; from memory, not verified"
INDICATORS = (
    Indicator("h2o2/hno3", 0.4, 0.4, _SILLMAN),
    Indicator("hcho/noy", 0.28, 0.28, _SILLMAN),
    Indicator("o3/noz", 7.0, 7.0, _SILLMAN + "; NOz is NOy less NOx"),
    Indicator(
        "hcho/no2", 1.0, 2.0, "Duncan et al. 2010, Atmos. Environ. 44:2213, columns; from memory, not verified. "
        "Thresholds differ with place and method",
    ),
)  # fmt: skip


def regimes(measured: pd.DataFrame) -> pd.DataFrame:
    """Classify the ozone regime by each indicator that the columns allow.

    Parameters
    ----------
    measured : pandas.DataFrame (sample, quantity)
        Mixing ratios in one unit under the names ``h2o2 hno3 hcho noy noz no2 o3``; ``noz`` is computed from
        ``noy`` and ``nox``. For HCHO/NO2, column densities of both may be given instead.

    Returns
    -------
    pandas.DataFrame (sample, [indicator, "indicator regime"])
        The ratio, and ``VOC``, ``transition`` or ``NOx``; None where a value is missing or the denominator
        is not positive. `INDICATORS` lists thresholds and sources.

    Raises
    ------
    InputError
        If no indicator can be formed, or a value is negative.
    """
    table = measured.rename(columns=str.lower)
    if "noz" not in table and {"noy", "nox"} <= set(table.columns):
        table = table.assign(noz=(table["noy"] - table["nox"]).clip(lower=0.0))
    for name in {part for one in INDICATORS for part in one.name.split("/")} & set(table.columns):
        if (table[name] < 0).any():
            label = table.index[table[name] < 0][0]
            raise InputError(f"{name}, sample {label}", table.loc[label, name], "0 or more")
    found: dict[str, pd.Series] = {}
    for one in INDICATORS:
        top, bottom = one.name.split("/")
        if top not in table or bottom not in table:
            continue
        ratio = (table[top] / table[bottom].where(table[bottom] > 0)).to_numpy(dtype=float)
        regime = np.where(ratio < one.low, "VOC", np.where(ratio > one.high, "NOx", "transition")).astype(object)
        regime[np.isnan(ratio)] = None
        found[one.name] = pd.Series(ratio, index=measured.index)
        found[f"{one.name} regime"] = pd.Series(regime, index=measured.index, dtype=object)
    if not found:
        raise InputError("columns", list(measured.columns), f"both of one of {[one.name for one in INDICATORS]}")
    return pd.DataFrame(found, index=measured.index)


def _by_week(daily: pd.Series, leave_out: Collection[date]) -> pd.DataFrame:
    if not isinstance(daily.index, pd.DatetimeIndex):
        raise InputError("daily series: index", type(daily.index).__name__, "days")
    days = daily.index
    values = daily.where(~np.isin(days.date, np.array(list(leave_out), dtype=object)))
    monday = (days - pd.to_timedelta(days.day_of_week, unit="D")).normalize()
    table = pd.DataFrame({"week": monday, "day": days.day_of_week, "value": values.to_numpy()})
    wide = table.pivot_table(index="week", columns="day", values="value", aggfunc="mean", dropna=False)
    return wide.reindex(columns=range(7)).dropna(how="all")


def _weekend_of(table: pd.DataFrame, pair: tuple[int, int]) -> tuple[pd.Series, pd.Series]:
    """Return the pair's mean less that of the other days of the week, and the latter; NaN for incomplete weeks."""
    others = [day for day in range(7) if day not in pair]
    level = table[others].mean(axis=1).where(table[others].notna().sum(axis=1) >= 2)
    return table[list(pair)].mean(axis=1) - level, level


def _response(group: pd.DataFrame, seed: int) -> TemperatureResponse:
    t, o = group["t"].to_numpy(), group["o3"].to_numpy()
    if np.ptp(t) == 0:
        raise InputError("temperature", "a single value", "one that varies")
    weights = _weights(len(t), _BLOCK_DAYS, seed)
    # Sums of 1, t, o, tt, to, by resample.
    n, st, so, stt, sto = (weights @ part for part in (np.ones_like(t), t, o, t * t, t * o))
    slope = (sto - st * so / n) / (stt - st * st / n)
    return TemperatureResponse(len(t), _interval(slope), *_broken_line(t, o))


def _broken_line(t: NDArray[np.float64], o: NDArray[np.float64]) -> tuple[float | None, float | None, float | None]:
    """Return breakpoint and both slopes of the best broken line, or Nones where BIC prefers the straight one."""
    best: tuple[float, float, NDArray[np.float64]] | None = None
    for knot in np.quantile(t, np.linspace(0.1, 0.9, 81)):
        design = np.stack([np.ones_like(t), t, np.maximum(t - knot, 0)], axis=1)
        coefficients, *_ = np.linalg.lstsq(design, o, rcond=None)
        error = float(((o - design @ coefficients) ** 2).sum())
        if best is None or error < best[0]:
            best = error, float(knot), coefficients
    straight = float(((o - np.polyval(np.polyfit(t, o, 1), t)) ** 2).sum())
    assert best is not None
    # Two additional parameters: the second slope and the breakpoint.
    if len(t) * np.log(straight / max(best[0], 1e-12)) <= 2 * np.log(len(t)):
        return None, None, None
    return best[1], float(best[2][1]), float(best[2][1] + best[2][2])


def _weights(number: int, block: int, seed: int) -> NDArray[np.float64]:
    """Return bootstrap weights (resample, unit): one each in the first row, as drawn in the others."""
    drawn = resampled_days(number, block=block, resamples=RESAMPLES, seed=seed)
    return np.concatenate([np.ones((1, number)), drawn])


def _mean_of(values: NDArray[np.float64], weights: NDArray[np.float64]) -> Estimate:
    there = np.isfinite(values)
    return _interval(weights[:, there] @ values[there] / np.maximum(weights[:, there].sum(axis=1), 1))


def _interval(resampled: NDArray[np.float64]) -> Estimate:
    drawn = resampled[1:][np.isfinite(resampled[1:])]
    low, high = np.quantile(drawn, _LEVEL) if drawn.size else (np.nan, np.nan)
    return Estimate(float(resampled[0]), float(low), float(high))


def as_table(effect: Mapping[str, WeekdayEffect]) -> pd.DataFrame:
    """Tabulate the weekend effects of several series, one row a series, for printing."""
    return pd.DataFrame(
        {
            name: {
                "weeks": one.weeks,
                "weekend": one.weekend.value,
                "low": one.weekend.low,
                "high": one.weekend.high,
                "relative_%": 100 * one.relative.value,
                "placebo_rank": one.placebo_rank,
            }
            for name, one in effect.items()
        }
    ).T
