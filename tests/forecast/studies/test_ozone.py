"""Ozone formation: imposed effects are found, and the real days of Beijing are evaluated."""

from __future__ import annotations

import json
from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hazecast.forecast.studies.ozone.effects import (
    oxidant,
    regimes,
    temperature_response,
    terciles,
    to_ppb,
    weekday_effect,
)
from hazecast.forecast.studies.ozone.voc import reactivity, recognise, species_table
from hazecast.grids.errors import InputError
from tests.support.command_line import run_command

DAYS = pd.date_range("2013-03-01", "2016-02-29")


def slow_weather(seed: int) -> np.ndarray:
    """Return an AR(1) series with a memory of days, standard deviation 1."""
    random = np.random.default_rng(seed)
    state = np.zeros(len(DAYS))
    for day in range(1, len(DAYS)):
        state[day] = 0.7 * state[day - 1] + np.sqrt(1 - 0.49) * random.normal()
    return state


def series(effect: float, seed: int) -> pd.Series:
    season = 100 + 60 * np.sin(2 * np.pi * (DAYS.day_of_year - 100) / 365)
    return pd.Series(season + 20 * slow_weather(seed) + effect * (DAYS.day_of_week >= 5), index=DAYS)


def test_a_weekend_effect_is_found_and_none_is_not_at_the_stated_rate() -> None:
    found = [weekday_effect(series(12.0, seed)) for seed in range(8)]
    assert np.mean([one.weekend.value for one in found]) == pytest.approx(12.0, abs=1.5)
    assert sum(one.weekend.low <= 12.0 <= one.weekend.high for one in found) >= 7
    assert all(one.weekend.low > 0 and one.placebo_rank == 1 for one in found)
    nothing = [weekday_effect(series(0.0, seed)) for seed in range(8)]
    assert sum(one.weekend.low <= 0 <= one.weekend.high for one in nothing) >= 7


def test_days_left_out_and_gaps() -> None:
    values = series(0.0, 1)
    values[values.index.day_of_week == 2] = np.nan
    golden_week = [date(2014, 10, day) for day in range(1, 8)]
    spoilt = values.copy()
    spoilt[pd.DatetimeIndex(golden_week)] = 9_999
    assert weekday_effect(spoilt, leave_out=golden_week).weekend.value == pytest.approx(
        weekday_effect(values, leave_out=golden_week).weekend.value
    )
    with pytest.raises(InputError, match="weeks"):
        weekday_effect(values.iloc[:40])
    with pytest.raises(InputError, match="index"):
        weekday_effect(values.reset_index(drop=True))


def test_slope_and_breakpoint_are_found() -> None:
    random = np.random.default_rng(5)
    t = pd.Series(random.uniform(5, 38, len(DAYS)), index=DAYS)
    nox = pd.Series(random.choice(["low", "high"], len(DAYS)), index=DAYS)
    slope = np.where(nox == "high", 6.0, 2.0)
    ozone = 40 + slope * np.maximum(t - 22, 0) + 8 * slow_weather(6)
    found = temperature_response(ozone, t, nox)
    for name, true in (("low", 2.0), ("high", 6.0)):
        assert found[name].breakpoint == pytest.approx(22, abs=1.5)
        assert found[name].above == pytest.approx(true, abs=0.3) and found[name].below == pytest.approx(0, abs=0.4)
    straight = temperature_response(40 + 3 * t + 8 * slow_weather(7), t)
    assert straight["all"].breakpoint is None and straight["all"].slope.low < 3 < straight["all"].slope.high
    with pytest.raises(InputError, match="at least 60"):
        temperature_response(ozone.iloc[:30], t)


def test_terciles_are_within_the_month() -> None:
    found = terciles(series(0.0, 2))
    share = found.groupby(found.index.month).value_counts(normalize=True)
    assert share.min() > 0.3 and share.max() < 0.37


def test_reference_state_of_the_day() -> None:
    values = pd.Series([100.0, 100.0], index=pd.DatetimeIndex(["2018-08-31", "2018-09-01"]))
    # 100 ug m-3 of ozone: 46.7 ppb at 273.15 K, 51.0 at 298.15 K.
    assert to_ppb(values, "o3").tolist() == pytest.approx([46.70, 50.97], abs=0.02)
    assert oxidant(values, values).iloc[1] == pytest.approx(50.97 + 53.18, abs=0.03)
    with pytest.raises(InputError, match="gas"):
        to_ppb(values, "pm25")


def test_indicators() -> None:
    table = pd.DataFrame(
        {"H2O2": [0.1, 5.0, 1.0], "HNO3": [1.0, 2.0, 0.0], "HCHO": [1.0, 6.0, 3.0], "NO2": [2.0, 2.0, 2.0],
         "O3": [60.0, 90.0, 90.0], "NOy": [15.0, 8.0, 8.0], "NOx": [5.0, 2.0, 9.0]}
    )  # fmt: skip
    found = regimes(table)
    assert found["h2o2/hno3 regime"].tolist() == ["VOC", "NOx", None]
    assert found["hcho/no2 regime"].tolist() == ["VOC", "NOx", "transition"]
    assert found["o3/noz"].tolist()[:2] == [6.0, 15.0] and found["o3/noz regime"].tolist() == ["VOC", "NOx", None]
    with pytest.raises(InputError, match="both of one of"):
        regimes(table[["O3"]])
    with pytest.raises(InputError, match="hcho, sample 0"):
        regimes(table.assign(HCHO=-1.0))


def test_voc_sums_by_hand() -> None:
    table = pd.DataFrame(
        {
            "Toluene": [2.0],
            "异戊二烯": [1.0],
            "115-07-1": [0.5],
            "dust": [7.0],
            "2-Methylhexane": [1.0],
            "Freon 11": [0.3],
        }
    )
    found = reactivity(table, "ppb")
    assert found.unknown == ("dust",) and found.names["115-07-1"] == "propylene"
    # ppb x molar mass / 24.465 L x MIR.
    assert found.ofp["toluene"].iloc[0] == pytest.approx(2 * 92.14 / 24.465 * 4.00, rel=1e-3)
    # 5.63e-12 x 2 x 2.4615e10 molecules cm-3.
    assert found.oh_reactivity["toluene"].iloc[0] == pytest.approx(0.2772, rel=1e-3)
    assert found.without_rate == found.without_mir == ("trichlorofluoromethane",)
    assert "trichlorofluoromethane" not in found.oh_reactivity and "trichlorofluoromethane" not in found.ofp
    assert found.estimated_rate == ("2-methylhexane",)
    ranking = found.ranking()
    assert ranking.index[0] == "toluene" and ranking["ofp_share"].sum() == pytest.approx(1)


@given(st.floats(0.01, 100), st.sampled_from(list(species_table().dropna(subset="mir").index)))
@settings(max_examples=20, deadline=None)
def test_units_make_no_difference(amount, species) -> None:
    ppb = pd.DataFrame({species: [amount]})
    first = reactivity(ppb, "ppb")
    mass = ppb * species_table()["molar_mass"][species] * 1013.25 / (8.314462618 * 298.15 * 10)
    again = reactivity(mass, "ug m-3")
    assert again.ofp.to_numpy() == pytest.approx(first.ofp.to_numpy())
    assert again.concentration.to_numpy() == pytest.approx(first.concentration.to_numpy())


def test_voc_names() -> None:
    names, unknown = recognise(["Ethene", "m/p-Xylene", "i-Butane", "t-2-Butene", "1,2,4-trimethylbenzene", "x"])
    assert list(names.values()) == ["ethylene", "m,p-xylene", "isobutane", "trans-2-butene", "1,2,4-trimethylbenzene"]
    assert unknown == ("x",)
    both = reactivity(pd.DataFrame({"m-xylene": [1.0], "p-xylene": [2.0]}), "ppb")
    assert both.concentration["m,p-xylene"].iloc[0] == 3.0
    with pytest.raises(InputError, match="twice"):
        recognise(["ethene", "ethylene"])
    with pytest.raises(InputError, match="names or CAS"):
        reactivity(pd.DataFrame({"x": [1.0]}), "ppb")
    with pytest.raises(InputError, match="units"):
        reactivity(pd.DataFrame({"ethene": [1.0]}), "ppbC")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="ethene, sample 0"):
        reactivity(pd.DataFrame({"ethene": [-1.0]}), "ppb")


def test_species_table_is_complete() -> None:
    table = species_table()
    assert table["cas"].is_unique and table["chinese"].is_unique and table["molar_mass"].notna().all()
    for value in ("mir", "koh"):
        assert table[f"{value}_checked"].isin(["yes", "no"]).equals(table[value].notna())
    assert (table["koh"].dropna() > 0).all() and table["koh_source"].notna().equals(table["koh"].notna())
    lists = table["lists"].fillna("")
    pams, hj683 = table[lists.str.contains("PAMS")], table[lists.str.contains("HJ 683")]
    # m- and p-xylene share a row: PAMS has 57 species, TO-15's mixture 65.
    assert (len(pams), lists.str.contains("TO-15").sum(), len(hj683)) == (56, 64, 13)
    assert pams[["mir", "koh"]].notna().all().all() and hj683[["mir", "koh"]].notna().all().all()
    # Inert or nearly so: no rate constant is given that could be used.
    assert set(table.index[table["koh"].isna()]) == {
        "dichlorodifluoromethane", "dichlorotetrafluoroethane", "trichlorofluoromethane", "trichlorotrifluoroethane",
        "carbon tetrachloride", "carbon disulfide",
    }  # fmt: skip
    # Orders that every textbook has.
    assert table["koh"]["isoprene"] > table["koh"]["propylene"] > table["koh"]["toluene"] > table["koh"]["ethane"]
    assert table["mir"]["propylene"] > table["mir"]["toluene"] > table["mir"]["benzene"] > table["mir"]["ethane"]


def test_command_ozone_on_beijing(shared_data, tmp_path) -> None:
    given = ("study", "ozone", "--observations", shared_data / "beijing-multisite", "--city", "beijing")
    printed = json.loads(run_command(*given, "--json", "--leave-out", "2014-10-01", "--out", tmp_path / "out"))
    assert 500 < printed["days"] < 550 and {row["index"] for row in printed["weekend"]} == {"o3", "no2", "ox"}
    slopes = {row["no2_tercile"]: row["slope_value"] for row in printed["temperature"]}
    assert 0 < slopes["low"] < slopes["high"]
    assert {"days.csv", "weekdays.png", "temperature.png"} <= {path.name for path in (tmp_path / "out").iterdir()}
    for words, message in (
        (("--months", "11-2"), "--months"), (("--leave-out", "tomorrow"), "--leave-out"), (("--city", "bejing"), "bejing"),
        (("--city", "shanghai"), "which were observed"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=message):
            run_command(*given, *words)
    with pytest.raises(InputError, match="o3"):
        run_command("study", "ozone", "--observations", shared_data / "five-cities", "--city", "shanghai")


def test_command_voc_and_regime(tmp_path) -> None:
    path = tmp_path / "voc.csv"
    path.write_text("sample,ethene,toluene,odd\n1,3.0,2.0,1\n2,NA,1.0,1\n")
    printed = json.loads(run_command("study", "voc", path, "--units", "ppb", "--json", "--out", tmp_path / "out"))
    assert printed["columns_not_known"] == ["odd"] and printed["ranking"][0]["species"] == "ethylene"
    assert (tmp_path / "out" / "ranking.png").exists()
    path.write_text("sample,hcho,no2\n1,3.0,20\n2,6,2\n")
    assert json.loads(run_command("study", "ozone-regime", path, "--json"))["counts"][0]["VOC"] == 1
