"""Transport of elements from provinces: the shares of a simulated region, and what can't be used."""

from __future__ import annotations

import json
from functools import lru_cache

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from shapely import box

from hazecast.alerts.geography.shapes import provinces
from hazecast.forecast.studies.wind import provinces as transport
from hazecast.forecast.studies.wind.cases import arrivals, turning_wind
from hazecast.grids.errors import InputError
from tests.support.command_line import run_command

# Concentration that an hour over the province adds, of what is simulated; others add none.
ADDED = {"Zhejiang": 3.0, "Jiangsu": 1.5, "Anhui": 0.0, "Shanghai": 0.0}
BACKGROUND = 20.0
DRAWS = 200


@lru_cache
def simulated_hours(seed: int) -> tuple[pd.DataFrame, pd.DatetimeIndex]:
    """Return hours over four provinces before arrivals in Shanghai, in a turning wind of 120 days."""
    given = arrivals(120, seed)
    areas = {one.name_en: one.geometry for one in provinces() if one.name_en in ADDED}
    hours = transport.residence(given.paths, areas)
    whole = hours.notna().all(axis=1)
    return hours[whole].reset_index(drop=True), pd.DatetimeIndex(given.times)[whole]


def made_up_hours(rng: np.random.Generator, days: int = 90) -> tuple[pd.DataFrame, pd.DatetimeIndex]:
    """Return hours over two areas that wander from day to day, six arrivals a day."""
    when = pd.date_range("2024-12-15", periods=6 * days, freq="4h")
    angle = np.cumsum(rng.normal(0, 0.4, len(when)))
    hours = pd.DataFrame({"a": 12 * np.clip(np.cos(angle), 0, 1), "b": 9 * np.clip(np.sin(angle), 0, 1)})
    return hours, when


def concentration(
    hours: pd.DataFrame, when: pd.DatetimeIndex, added: dict[str, float], rng: np.random.Generator
) -> pd.DataFrame:
    """Return an element whose background and emissions change from day to day by 30 and 40 %, measured to 10 %."""
    day = (when.normalize() - when[0].normalize()).days.to_numpy()
    number = int(day.max()) + 1
    value = BACKGROUND * rng.lognormal(-0.045, 0.3, number)[day]
    for name, one in added.items():
        value = value + one * hours[name].to_numpy() * rng.lognormal(-0.08, 0.4, number)[day]
    return pd.DataFrame({"Zn": np.clip(value * rng.normal(1, 0.1, len(when)), 0, None)})


def true_shares(hours: pd.DataFrame, added: dict[str, float]) -> dict[str, float]:
    """Return the shares that the simulation has, of the mean concentration."""
    brought = {name: one * float(hours[name].mean()) for name, one in added.items()}
    return {name: one / (BACKGROUND + sum(brought.values())) for name, one in brought.items()}


def covered(
    hours: pd.DataFrame, when: pd.DatetimeIndex, added: dict[str, float], draws: int, seed: int
) -> pd.DataFrame:
    """Return, by area, the rate at which intervals hold the share, the mean error and the root mean square error."""
    rng, true, rows = np.random.default_rng(seed), true_shares(hours, added), []
    for draw in range(draws):
        found = transport.contributions(hours, concentration(hours, when, added, rng), when, resamples=200, seed=draw)
        table = found.table.loc["Zn"]
        for name, share in true.items():
            one = table.loc[name]
            rows.append((name, one["share_low"] <= share <= one["share_high"], one["share"] - share))
    table = pd.DataFrame(rows, columns=["area", "held", "error"]).groupby("area")
    return pd.DataFrame(
        {
            "held": table["held"].mean(),
            "bias": table["error"].mean(),
            "rmse": table["error"].apply(lambda e: float(np.sqrt((e**2).mean()))),
        }
    )


@pytest.mark.slowest
@pytest.mark.parametrize("seed", [3, 4])
def test_shares_of_provinces_are_recovered_over_many_draws(seed) -> None:
    found = covered(*simulated_hours(seed), ADDED, DRAWS, seed)
    assert found["held"].between(0.90, 0.99).all(), found
    assert found["bias"].abs().max() < 0.01 and found["rmse"].max() < 0.08, found
    assert found.loc[["Zhejiang", "Jiangsu", "Anhui"], "rmse"].max() < 0.04, found


def test_shares_are_recovered() -> None:
    found = covered(*made_up_hours(np.random.default_rng(1)), {"a": 3.0, "b": 0.0}, 12, 2)
    assert found["held"].min() >= 0.75 and found["bias"].abs().max() < 0.02, found


def test_seasons_have_their_own_answer() -> None:
    rng = np.random.default_rng(3)
    hours, when = made_up_hours(rng, 160)
    winter = np.isin(when.month, [12, 1, 2])
    first = concentration(hours, when, {"a": 3.0, "b": 0.0}, rng)
    second = concentration(hours, when, {"a": 0.0, "b": 3.0}, rng)
    found = transport.by_season(hours, first.where(winter[:, None], second), when)
    assert set(found) == {"winter", "spring"}
    for season, source, none in (("winter", "a", "b"), ("spring", "b", "a")):
        table = found[season].table.loc["Zn"]
        assert table.loc[source, "shown"] and table.loc[source, "per_hour"] == pytest.approx(3.0, abs=0.8)
        assert table.loc[none, "low"] < 0 < table.loc[none, "high"]


def test_hours_over_areas_are_counted_but_the_arrival() -> None:
    lons = np.array([[121.5, 120.5, 119.5, 118.5], [121.5, 121.6, 121.7, np.nan]])
    paths = xr.Dataset(
        {
            "latitude": (("parcel", "age"), np.where(np.isnan(lons), np.nan, 31.0)),
            "longitude": (("parcel", "age"), lons),
        },
        coords={"age": [0.0, -2.0, -4.0, -6.0]},
    )
    found = transport.residence(paths, {"west": box(118, 30, 121, 32), "here": box(121, 30, 122, 32)})
    assert found.loc[0].tolist() == [6.0, 0.0] and found.loc[1].isna().all()
    with pytest.raises(InputError, match="backward"):
        transport.residence(paths.assign_coords(age=[0.0, 2.0, 4.0, 6.0]), {"here": box(121, 30, 122, 32)})
    with pytest.raises(InputError, match="areas: found none"):
        transport.residence(paths, {})


def test_a_filter_has_the_air_of_its_period() -> None:
    hours = pd.DataFrame({"a": [1.0, 3.0, 5.0, 7.0]})
    when = pd.date_range("2025-01-01T06:00", periods=4, freq="6h").to_numpy()
    days = pd.date_range("2025-01-01", periods=3, freq="D")
    found = transport.of_filters(hours, when, list(days[:2]), list(days[1:]))
    assert found["a"].iloc[0] == 4.0 and np.isnan(found["a"].iloc[1])


def test_what_cannot_be_used_is_named() -> None:
    rng = np.random.default_rng(5)
    hours, when = made_up_hours(rng, 60)
    metal = concentration(hours, when, {"a": 1.0}, rng)
    with pytest.raises(InputError, match="element Zn: days with a path: found 10"):
        transport.contributions(hours[:60], metal[:60], when[:60])
    with pytest.raises(InputError, match=r"element Zn: found -1.0"):
        transport.contributions(hours, metal.assign(Zn=metal["Zn"].where(metal.index != 7, -1.0)), when)
    with pytest.raises(InputError, match="element Zn: found 5 in every sample"):
        transport.contributions(hours, metal.assign(Zn=5.0), when)
    with pytest.raises(InputError, match="samples"):
        transport.contributions(hours[:-1], metal, when)
    seldom = hours.assign(c=np.where(np.arange(len(hours)) < 20, 2.0, 0.0))
    found = transport.contributions(seldom, metal, when).table.loc[("Zn", "c")]
    assert found["hours"] > 0 and np.isnan(found["share"]) and not found["shown"]


@pytest.mark.slowest
def test_command(tmp_path) -> None:
    wind = turning_wind(36, 3)
    wind.to_netcdf(tmp_path / "wind.nc")
    when = pd.date_range("2015-01-03", "2015-02-05", freq="12h")
    rng = np.random.default_rng(6)
    metals = pd.DataFrame({"Zn": rng.lognormal(4, 0.4, len(when)), "Pb": rng.lognormal(3, 0.4, len(when))}, index=when)
    # Below its detection limit in most samples.
    metals["As"] = np.where(np.arange(len(when)) % 6 == 0, 3.0, 0.5)
    metals.tz_localize("UTC").to_csv(tmp_path / "metals.csv", index_label="time")
    given = ["study", "provinces", "--city", "shanghai", "--weather", tmp_path / "wind.nc", "--every", "12"]
    given += [
        "--from",
        "2015-01-03T00:00Z",
        "--to",
        "2015-02-05T00:00Z",
        "--hours",
        "36",
        "--province",
        "浙江",
        "--province",
        "Jiangsu",
    ]
    printed = json.loads(run_command(*given, "--samples", tmp_path / "metals.csv", "--out", tmp_path / "out", "--json"))
    assert printed["provinces"][0]["element"] == "Zn" and {one["area"] for one in printed["provinces"]} == {
        "Zhejiang",
        "Jiangsu",
    }
    assert printed["samples_without_a_path"] == 0 and printed["samples"] == len(when)
    assert [text.split(":")[0] for text in printed["no_source_regions"]] == ["As"]
    assert {"cwt_Zn.png", "pscf_Pb.png", "source_regions.csv"} <= {path.name for path in (tmp_path / "out").iterdir()}
    rows = [
        f"{day:%d},{day:%Y-%m-%d}T00:00Z,{day + pd.Timedelta(days=1):%Y-%m-%d}T00:00Z,{10 + day.day}"
        for day in when[::2][:-1]
    ]
    (tmp_path / "filters.csv").write_text(
        "\n".join(["filter,start,end,Zn", *(f"f{n}{row}" for n, row in enumerate(rows))]) + "\n"
    )
    printed = json.loads(run_command(*given, "--filters", tmp_path / "filters.csv", "--json"))
    assert printed["samples"] == len(rows)
    metals.to_csv(tmp_path / "naive.csv", index_label="time")
    for words, message in (
        (("--samples", tmp_path / "naive.csv"), "a time with its offset"),
        ((), "--samples, --filters"),
        (("--samples", tmp_path / "metals.csv", "--element", "Cu"), "found Cu"),
        (("--samples", tmp_path / "metals.csv", "--province", "Utopia"), "found Utopia"),
    ):
        with pytest.raises(InputError, match=message):
            run_command(*given, *words)
