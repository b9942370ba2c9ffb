"""XRF against filters, bags, and secondary aerosol: imposed values are found at the stated rate."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from hazecast.forecast.studies.particles.dilution import dilution_ratio, exhaust_factors
from hazecast.forecast.studies.particles.secondary import oxidation_ratios, secondary_carbon
from hazecast.forecast.studies.quality.bags import bag_stability
from hazecast.forecast.studies.quality.elements import compare_elements, filter_means, york_line
from hazecast.grids.errors import InputError
from tests.support.command_line import run_command

# Pearson's data with York's weights, as in York (1966, Can. J. Phys. 44:1079) and later papers; slope -0.4805, intercept 5.4799.
PEARSON_X = np.array([0.0, 0.9, 1.8, 2.6, 3.3, 4.4, 5.2, 6.1, 6.5, 7.4])
PEARSON_Y = np.array([5.9, 5.4, 4.4, 4.6, 3.5, 3.7, 2.8, 2.8, 2.4, 1.5])
WEIGHT_X = np.array([1000.0, 1000, 500, 800, 200, 80, 60, 20, 1.8, 1])
WEIGHT_Y = np.array([1.0, 1.8, 4, 8, 20, 20, 70, 70, 100, 500])


def test_york_line_of_pearsons_data() -> None:
    line = york_line(PEARSON_X, PEARSON_Y, WEIGHT_X**-0.5, WEIGHT_Y**-0.5)
    assert line.slope == pytest.approx(-0.480533, abs=1e-5) and line.intercept == pytest.approx(5.479910, abs=1e-4)
    assert line.chi2 * 8 == pytest.approx(11.8664, abs=1e-3)
    for x, error, message in ((PEARSON_X[:2], 1.0, "points"), (PEARSON_X, 0.0, "errors")):
        with pytest.raises(InputError, match=message):
            york_line(x, PEARSON_Y[: len(x)], np.full(len(x), error), np.ones(len(x)))


LIMITS = pd.DataFrame({"filter": [2.0], "xrf": [8.0]}, index=["Pb"])


def campaign(
    random: np.random.Generator, filters: int, slope: float
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return filters, means of the XRF and its hours; ng m-3, errors as `compare_elements` takes them."""
    true = np.exp(random.normal(3.0, 1.0, filters))
    low = 8.0 / np.sqrt(24)
    x = true + random.normal(size=filters) * np.hypot(0.1 * true, 0.5 * 2.0)
    y = slope * true + random.normal(size=filters) * np.hypot(0.1 * slope * true, 0.5 * low)
    return tuple(pd.DataFrame({"Pb": v}) for v in (x, y, np.full(filters, 24.0)))  # type: ignore[return-value]


def test_slope_of_an_element_is_found_at_the_stated_rate() -> None:
    random = np.random.default_rng(0)
    found = pd.concat([compare_elements(*campaign(random, 30, 1.25), LIMITS) for _ in range(20)])
    assert found["slope"].mean() == pytest.approx(1.25, abs=0.04)
    # Binomial, 20 draws at 0.95: 16 or fewer in less than 2 of 100.
    assert ((found["slope_low"] <= 1.25) & (found["slope_high"] >= 1.25)).mean() > 0.79
    assert (found["verdict"] == "differs").mean() > 0.7
    same = pd.concat([compare_elements(*campaign(random, 30, 1.0), LIMITS) for _ in range(10)])
    assert (same["verdict"] == "agrees").mean() > 0.7


def test_values_put_in_place_of_a_limit_are_left_out() -> None:
    x, y, hours = campaign(np.random.default_rng(1), 20, 1.0)
    spoilt = x.copy()
    spoilt.loc[[0, 1, 2], "Pb"] = [0.0, 1.0, 2.0]
    row = compare_elements(spoilt, y, hours, LIMITS).loc["Pb"]
    assert row["substituted"] == 3 and row["pairs"] == 17
    assert compare_elements(x, y, hours, 1000 * LIMITS)["verdict"].tolist() == ["too few"]
    with pytest.raises(InputError, match="limit of Pb"):
        compare_elements(x, y, hours, 0 * LIMITS)
    with pytest.raises(InputError, match="elements"):
        compare_elements(x, y, hours, LIMITS.rename({"Pb": "Zn"}))


def test_hours_of_a_filter() -> None:
    hours = pd.date_range("2024-01-01 01:00", periods=48, freq="h")
    hourly = pd.DataFrame({"Pb": np.arange(48.0)}, index=hours)
    hourly.iloc[24:36] = np.nan
    periods = pd.DataFrame(
        {"start": pd.to_datetime(["2024-01-01", "2024-01-02"]), "end": pd.to_datetime(["2024-01-02", "2024-01-03"])},
        index=["a", "b"],
    )
    means, counts = filter_means(hourly, periods)
    # The hour that ends at the end of the period is in it, the one that ends at its start is not.
    assert means.loc["a", "Pb"] == 11.5 and np.isnan(means.loc["b", "Pb"]) and counts["Pb"].tolist() == [24, 12]
    with pytest.raises(InputError, match="filter a"):
        filter_means(hourly, periods.assign(end=periods["start"]))


def test_loss_and_storage_in_bags() -> None:
    random = np.random.default_rng(3)
    hours = pd.Series(np.repeat([0.0, 8, 24, 48, 72], 3))
    held = []
    for _ in range(20):
        recovery = pd.Series(0.97 * np.exp(-0.004 * hours + random.normal(0, 0.03, len(hours))))
        one = bag_stability(hours, recovery)
        held.append([one.loss_low <= 0.004 <= one.loss_high, one.recovery_low <= 0.97 <= one.recovery_high])
        # The line itself reaches 0.8 after 48.2 h; the confidence limit does earlier.
        assert not one.stable and 30 < one.storage < 55
    assert (np.mean(held, axis=0) > 0.79).all()
    assert bag_stability(hours, pd.Series(np.where(hours.index % 2, 0.99, 1.01))).storage == 72
    assert bag_stability(hours, pd.Series(np.where(hours.index % 2, 0.59, 0.61))).storage == 0
    with pytest.raises(InputError, match="analysis 2: recovery"):
        bag_stability(hours, pd.Series(np.where(hours.index == 2, 0.0, 1.0)))
    with pytest.raises(InputError, match="storage times"):
        bag_stability(0 * hours, 0 * hours + 0.9)
    with pytest.raises(InputError, match="recovery: median.*not %"):
        bag_stability(hours, pd.Series(97.0, index=hours.index))


def test_oxidation_ratios() -> None:
    found = oxidation_ratios(
        pd.DataFrame({"so4": [9.606, 0.0], "so2": [19.218, 0.0], "no3": [6.2, 1.0], "no2": [4.601, np.nan]})
    )
    assert found["sor"].tolist()[0] == pytest.approx(0.25) and found["nor"].tolist()[0] == pytest.approx(0.5)
    assert found.iloc[1].isna().all()
    with pytest.raises(InputError, match="so2, sample 0"):
        oxidation_ratios(pd.DataFrame({"so4": [1.0], "so2": [-1.0]}))
    with pytest.raises(InputError, match="columns"):
        oxidation_ratios(pd.DataFrame({"so4": [1.0]}))
    # A gas whose header tells a unit is another column: its pair is not passed over.
    with pytest.raises(InputError, match="so4 and so2"):
        oxidation_ratios(pd.DataFrame({"so4": [1.0], "so2 (ppb)": [1.0], "no3": [1.0], "no2": [1.0]}))


def carbon(random: np.random.Generator, n: int = 120) -> pd.DataFrame:
    elemental = np.exp(random.normal(0.5, 0.5, n))
    secondary = np.exp(random.normal(1.0, 0.5, n))
    return pd.DataFrame({"oc": 1.8 * elemental + secondary, "ec": elemental})


def test_primary_ratio_is_found_at_the_stated_rate() -> None:
    random = np.random.default_rng(4)
    found = [secondary_carbon(one["oc"], one["ec"]) for one in (carbon(random) for _ in range(200))]
    assert np.mean([one.ratio for one in found]) == pytest.approx(1.8, abs=0.05)
    # 0.942 and 0.937 of 1000; a binomial of 200 at 0.94 is below 0.90 in less than 2 of 100.
    assert 0.90 <= np.mean([one.low <= 1.8 <= one.high for one in found]) <= 0.98
    share = 1 - 1.8 * np.exp(0.625) / (1.8 * np.exp(0.625) + np.exp(1.125))
    assert 0.90 <= np.mean([one.share_low <= share <= one.share_high for one in found]) <= 0.98
    assert all(one.r2 < 1e-12 for one in found)
    data = carbon(random)
    with pytest.raises(InputError, match="pairs"):
        secondary_carbon(data["oc"][:20], data["ec"])
    with pytest.raises(InputError, match="primary ratio"):
        secondary_carbon(10 - data["ec"].clip(upper=9), data["ec"])
    with pytest.raises(InputError, match="oc, sample 7"):
        secondary_carbon(data["oc"].where(data.index != 7, -1.0), data["ec"])


def exhaust(random: np.random.Generator, factor: float) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return runs, masses and blanks of exhaust with `factor` ug of zinc a kg of fuel of 86 % carbon."""
    runs = pd.DataFrame(
        {"co2_exhaust": 80_400.0, "co2_mixture": [4400.0, 6400, 8400, 4400], "co2_air": 400.0, "volume": 1.2}
    )
    # 1 ppm of carbon is 0.53588 mg m-3 at 273.15 K and 1013.25 hPa (22.414 m3 a kmol).
    fuel = (runs["co2_mixture"] - 400) * 12.011 / 22.41397 * 1e-6 * 1.2 / 0.86
    mass = fuel * factor * 1e3 * np.exp(random.normal(0, 0.1, 4)) + random.normal(100, 15, 4)
    return runs, mass.to_frame("Zn"), pd.DataFrame({"Zn": random.normal(100, 15, 5)})


def test_emission_factor_of_diluted_exhaust() -> None:
    random = np.random.default_rng(6)
    ratio = dilution_ratio(pd.Series([80_400.0]), pd.Series([4400.0]), pd.Series([400.0]))
    assert ratio.tolist() == [20.0]
    found = [exhaust_factors(*exhaust(random, 300.0), fuel_carbon=0.86) for _ in range(20)]
    table = pd.concat([one.factors for one in found])
    assert table["ug_per_kg"].mean() == pytest.approx(300, rel=0.06) and found[0].runs["dilution"].iloc[
        1
    ] == pytest.approx(80 / 6)
    assert ((table["low"] <= 300) & (table["high"] >= 300)).mean() > 0.79
    runs, masses, blanks = exhaust(random, 0.0)
    assert exhaust_factors(runs, masses, blanks, fuel_carbon=0.86).factors["below_limit"].iloc[0] >= 3
    for given, message in (
        ((runs.assign(co2_mixture=300.0), masses, blanks), "carbon above"), ((runs, masses, blanks[["Zn"]].iloc[:2]), "blanks"),
        ((runs.assign(co_mixture=1.0), masses, blanks), "co_air"), ((runs, masses.rename(columns={"Zn": "Pb"}), blanks), "also Pb"),
        ((runs, -masses - 1, blanks), "masses, 0: Zn"), ((runs.assign(co2_mixture=0.44), masses, blanks), "co2_mixture: median"), ((runs.assign(co2_exhaust=500.0), masses, blanks), "run 0: CO2"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=message):
            exhaust_factors(*given, fuel_carbon=0.86)
    with pytest.raises(InputError, match="fuel carbon"):
        exhaust_factors(runs, masses, blanks, fuel_carbon=86)
    # Runs are matched by name, not by place.
    runs, masses, blanks = exhaust(random, 300.0)
    as_given, turned = (exhaust_factors(runs, one, blanks, fuel_carbon=0.86).factors for one in (masses, masses[::-1]))
    pd.testing.assert_frame_equal(as_given, turned)
    with pytest.raises(InputError, match="run 0: found in one of the tables"):
        exhaust_factors(runs, masses[1:], blanks, fuel_carbon=0.86)


def test_commands(tmp_path) -> None:
    hours = pd.date_range("2024-01-01", periods=24 * 14, freq="h", tz="UTC")
    level = np.repeat(np.linspace(20, 90, 14), 24)
    pd.DataFrame({"Pb": level}, index=hours + pd.Timedelta(hours=1)).to_csv(tmp_path / "xrf.csv", index_label="time")
    days = pd.date_range("2024-01-01 08:00", periods=14, freq="D", tz="Asia/Shanghai")
    table = pd.DataFrame(
        {"start": [d.isoformat() for d in days], "end": [(d + pd.Timedelta(days=1)).isoformat() for d in days]}
    )
    table["Pb"] = level[::24]
    table.to_csv(tmp_path / "filters.csv", index_label="filter")
    LIMITS.to_csv(tmp_path / "limits.csv", index_label="element")
    given = (
        "study",
        "elements",
        tmp_path / "xrf.csv",
        tmp_path / "filters.csv",
        "--limits",
        tmp_path / "limits.csv",
        "--json",
    )
    printed = json.loads(run_command(*given))
    assert printed["elements"][0]["slope"] == pytest.approx(1) and printed["differ"] == []
    table.assign(start="2024-01-01").to_csv(tmp_path / "filters.csv", index_label="filter")
    with pytest.raises(InputError, match="line 2, column start"):
        run_command(*given)
    carbon(np.random.default_rng(5)).to_csv(tmp_path / "carbon.csv", index_label="sample")
    printed = json.loads(run_command("study", "secondary-carbon", tmp_path / "carbon.csv", "--json"))
    assert printed["low"] < printed["ratio"] < printed["high"]
    (tmp_path / "ions.csv").write_text("sample,so4,so2\na,9.606,6.406\n")
    assert json.loads(run_command("study", "oxidation", tmp_path / "ions.csv", "--json"))[
        "sor_median"
    ] == pytest.approx(0.5)
    rows = [f"toluene,{h},{r}" for h in (0, 24, 48) for r in (0.99, 1.01)]
    (tmp_path / "bags.csv").write_text("\n".join(["compound,hours,recovery", *rows]) + "\n")
    assert json.loads(run_command("study", "bags", tmp_path / "bags.csv", "--json"))["bags"][0]["storage"] == 48
    for name, part in zip(("runs", "masses", "blanks"), exhaust(np.random.default_rng(7), 300.0), strict=True):
        part.to_csv(tmp_path / f"{name}.csv", index_label="run")
    files = [tmp_path / f"{name}.csv" for name in ("runs", "masses", "blanks")]
    given = ("study", "exhaust-metals", *files[:2], "--blanks", files[2], "--fuel-carbon", "0.86", "--json")
    assert json.loads(run_command(*given))["factors"][0]["metal"] == "Zn"
