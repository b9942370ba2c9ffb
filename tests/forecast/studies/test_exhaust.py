"""Remote sensing of exhaust: conversions by hand, and a simulated fleet whose high emitters are known."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from hazecast.forecast.studies.emissions.exhaust import per_fuel, screen, specific_power
from hazecast.grids.errors import InputError
from tests.support.command_line import run_command


def ratios(**changed: float) -> pd.DataFrame:
    return pd.DataFrame({"co": 0.02, "hc": 0.001, "no": 0.004} | changed, index=["a"])


def test_emission_per_fuel_by_hand() -> None:
    found = per_fuel(ratios(), "diesel").iloc[0]
    # 862 / 12.011 = 71.768 mol of carbon; divided by 1 + 0.02 + 0.006 = 1.026.
    assert found["co"] == pytest.approx(71.768 / 1.026 * 28.01 * 0.02, rel=1e-4)
    assert found["hc"] == pytest.approx(71.768 / 1.026 * 44.1 * 2 * 0.001, rel=1e-4)
    assert found["no"] == pytest.approx(71.768 / 1.026 * 30.01 * 0.004, rel=1e-4)
    # All carbon of the fuel is in CO2, CO and hydrocarbons, whatever the ratios.
    rich = per_fuel(ratios(co=0.5), "petrol").iloc[0]
    carbon = rich["co"] / 28.01 * (1 + 1 / 0.5 + 0.006 / 0.5)
    assert carbon * 12.011 == pytest.approx(865)


def test_specific_power_by_hand() -> None:
    drive = pd.DataFrame({"speed": [36.0, 36.0, 0.0], "acceleration": [3.6, 0.0, 0.0], "grade": [0.0, 0.1, 0.0]})
    # 10 (1.1 + 0.132) + 0.302; 10 (9.81 * 0.0995 + 0.132) + 0.302.
    assert specific_power(drive).tolist() == pytest.approx([12.622, 11.383, 0.0], abs=1e-3)


def fleet(seed: int, vehicles: int = 400) -> tuple[pd.DataFrame, pd.Series]:
    """Return readings of a simulated fleet with noise of 6 g kg-1, and whether each vehicle's true emission is above 20 g kg-1."""
    random = np.random.default_rng(seed)
    high = random.random(vehicles) < 0.05
    true = np.where(high, random.uniform(30, 60, vehicles), random.uniform(2, 20, vehicles))
    names = np.repeat(np.arange(vehicles), random.integers(2, 6, vehicles))
    readings = pd.DataFrame(
        {
            "vehicle": names,
            "power": random.normal(8, 6, len(names)),
            "emission": true[names] + random.normal(0, 6, len(names)),
        }
    )
    return readings, pd.Series(high)


def test_high_emitters_of_a_fleet_are_found_with_few_false_alarms() -> None:
    found, false, certain = [], [], []
    for seed in range(5):
        readings, high = fleet(seed)
        screened = screen(readings, limit=20.0, noise=6.0)
        truly = high.reindex(screened.vehicles.index)
        found.append(screened.vehicles["certain"][truly].mean())
        certain.append(screened.vehicles["certain"][~truly].mean())
        false.append(screened.vehicles["high"][~truly].mean())
        assert screened.share_low < screened.share < screened.share_high
    assert np.mean(found) > 0.93 and np.mean(certain) < 0.02
    # Two exceedances alone call many clean vehicles high, which is why `certain` is there.
    assert np.mean(false) > 0.05


def test_rate_of_false_alarms_is_that_of_vehicles_at_the_limit() -> None:
    random = np.random.default_rng(1)
    names = np.repeat(np.arange(3000), 3)
    readings = pd.DataFrame({"vehicle": names, "power": 10.0, "emission": 20 + random.normal(0, 6, len(names))})
    found = screen(readings, limit=20.0, noise=6.0)
    assert found.false_rate == pytest.approx(float(stats.binom.sf(1, 3, 0.5)))
    assert found.vehicles["high"].mean() == pytest.approx(found.false_rate, abs=0.03)
    assert found.vehicles["certain"].mean() == pytest.approx(0.05, abs=0.013)


def test_readings_out_of_the_window_are_counted() -> None:
    readings = pd.DataFrame(
        {"vehicle": ["a", "a", "b", "b"], "power": [5.0, 6.0, 7.0, 40.0], "emission": [50.0, 50.0, 50.0, 50.0]}
    )
    found = screen(readings, limit=20.0, noise=6.0)
    assert found.outside_window == 1 and found.too_few == 1 and list(found.vehicles.index) == ["a"]


def test_exhaust_input_is_refused_by_name() -> None:
    with pytest.raises(InputError, match="fuel"):
        per_fuel(ratios(), "coal")
    with pytest.raises(InputError, match="reading a"):
        per_fuel(ratios(no=np.nan), "diesel")
    with pytest.raises(InputError, match="reading a: co, hc"):
        per_fuel(ratios(co=-2.0), "diesel")
    drive = pd.DataFrame({"speed": [-1.0], "acceleration": [0.0], "grade": [0.0]}, index=["a"])
    with pytest.raises(InputError, match="reading a: speed"):
        specific_power(drive)
    readings, _ = fleet(0)
    with pytest.raises(InputError, match="limit"):
        screen(readings, limit=0.0, noise=6.0)
    with pytest.raises(InputError, match="enough readings"):
        screen(readings.drop_duplicates("vehicle"), limit=20.0, noise=6.0)


def test_values_in_another_unit_are_refused_by_name() -> None:
    for changed, message in (({"no": 0.4}, "no: median"), ({"hc": 0.2}, "hc: median"), ({"co": 2.0}, "co: median")):
        with pytest.raises(InputError, match=message):
            per_fuel(ratios(**changed), "diesel")
    drive = {"speed": [36.0], "acceleration": [1.8], "grade": [0.02]}
    for name, value, message in (
        ("grade", -3.0, "share of 1"),
        ("speed", 400.0, "km h-1"),
        ("acceleration", 90.0, "km h-1 s-1"),
    ):
        with pytest.raises(InputError, match=f"reading a: {name}.*{message}"):
            specific_power(pd.DataFrame(drive | {name: [value]}, index=["a"]))


def passes(seed: int, vehicles: int) -> tuple[pd.DataFrame, pd.Series]:
    """Return a table as the command takes it, of a simulated diesel fleet, and each vehicle's true NO, g kg-1."""
    random = np.random.default_rng(seed)
    high = random.random(vehicles) < 0.05
    true = np.where(high, random.uniform(30, 60, vehicles), random.uniform(2, 20, vehicles))
    number = np.repeat(np.arange(vehicles), random.integers(2, 6, vehicles))
    names = np.array([f"v{one:04d}" for one in range(vehicles)])
    ratio = (true[number] + random.normal(0, 6, len(number))) * 12.011 / 862 / 30.01 * (1 + 0.01 + 6 * 0.0005)
    table = pd.DataFrame(
        {"vehicle": names[number], "co": 0.01, "hc": 0.0005, "no": ratio, "speed": random.uniform(20, 60, len(number))}
    )
    table["acceleration"], table["grade"] = random.normal(1.0, 1.2, len(number)), 0.01
    return table, pd.Series(true, index=names)


def test_command_on_a_fleet(tmp_path) -> None:
    table, true = passes(7, 600)
    table.rename(columns={"speed": "speed (km/h)"}).to_csv(tmp_path / "passes.csv", index=False)
    given = ("study", "exhaust", tmp_path / "passes.csv", "--limit", "20", "--noise", "6")
    printed = json.loads(run_command(*given, "--json", "--out", tmp_path / "out"))
    # Readings outside the window, by the formula written out again.
    v, a = table["speed"] / 3.6, table["acceleration"] / 3.6
    power = v * (1.1 * a + 9.81 * 0.01 / np.sqrt(1 + 1e-4) + 0.132) + 0.000302 * v**3
    inside = table[(power >= 0) & (power <= 20)]
    assert printed["readings"] == len(table) and printed["outside_window"] == len(table) - len(inside) > 0
    counted = inside.groupby("vehicle").size()
    judged = counted[counted >= 2].index
    assert printed["too_few"] == 600 - len(judged)
    # One vehicle by hand: mean of 862 / 12.011 * 30.01 * NO / (1 + CO + 6 HC) over its readings in the window.
    vehicles = pd.read_csv(tmp_path / "out" / "vehicles.csv", index_col="vehicle")
    name = judged[0]
    by_hand = (862 / 12.011 * 30.01 * inside.loc[inside["vehicle"] == name, "no"] / 1.013).mean()
    assert vehicles.loc[name, "mean"] == pytest.approx(by_hand, rel=1e-3)
    high = set(true[judged].index[true[judged] > 20])
    clean = set(judged) - high
    assert len(high & set(printed["certain"])) >= 0.9 * len(high)
    # 0.4 and 10.1 % of twenty fleets; binomials of 540 vehicles.
    assert len(clean & set(printed["certain"])) <= 0.02 * len(clean)
    assert 0.05 <= len(clean & set(printed["high"])) / len(clean) <= 0.16
    assert printed["share_low"] <= len(high) / len(judged) <= printed["share_high"]
    table.rename(columns={"speed": "speed (m/s)"}).to_csv(tmp_path / "passes.csv", index=False)
    with pytest.raises(InputError, match=r"column speed: unit: found m/s; expected km h-1"):
        run_command(*given)


def test_command(tmp_path) -> None:
    rows = ["v1,0.02,0.001,0.02,36,1.8,0"] * 3 + ["v2,0.02,0.001,0.002,36,1.8,0"] * 3 + ["v2,0.02,0.001,0.002,100,20,0"]
    (tmp_path / "passes.csv").write_text("\n".join(["vehicle,co,hc,no,speed,acceleration,grade", *rows]) + "\n")
    given = ("study", "exhaust", tmp_path / "passes.csv", "--limit", "20", "--noise", "6", "--json")
    printed = json.loads(run_command(*given))
    assert printed["certain"] == ["v1"] and printed["outside_window"] == 1 and printed["readings"] == 7
