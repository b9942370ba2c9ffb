"""VOC before and after a measure, solvent balance and removal: imposed values are found at the stated rate."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from hazecast.forecast.studies.ozone.solvent import removal_efficiency, solvent_balance
from hazecast.forecast.studies.ozone.voc import reactivity
from hazecast.forecast.studies.ozone.voc_change import paired_change
from hazecast.grids.errors import InputError
from tests.support.command_line import run_command

SPECIES = ["toluene", "ethylene", "m,p-xylene", "propane"]


def tables(random: np.random.Generator, pairs: int, cut: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return samples with the air of a pair in common, and toluene cut in the second."""
    air = np.exp(random.normal(0, 0.8, (pairs, 1)))
    level = np.array([2.0, 3.0, 1.0, 5.0]) * air
    names = [f"site {n}" for n in range(pairs)]
    before, after = (
        pd.DataFrame(level * np.exp(random.normal(0, 0.2, level.shape)), index=names, columns=SPECIES) for _ in range(2)
    )
    after["toluene"] *= 1 - cut
    return before, after


def test_an_imposed_change_is_found_at_the_stated_rate() -> None:
    random = np.random.default_rng(1)
    # All species cut by 30 %: the relative change of the sums is known.
    held = []
    for _ in range(20):
        before, after = tables(random, 8, 0.0)
        totals = paired_change(before, 0.7 * after, "ppb").totals
        held.append((totals["relative_low"] <= -0.3) & (totals["relative_high"] >= -0.3))
    share = pd.DataFrame(held).mean()
    # Binomial, 20 draws at 0.95: 16 or fewer in less than 2 of 100.
    assert (share > 0.81).all()


def test_a_change_of_one_species_is_its_own() -> None:
    before, after = tables(np.random.default_rng(3), 40, 0.5)
    found = paired_change(before, after, "ppb")
    assert found.species.index[0] == "toluene" and found.species["ofp_high"].iloc[0] < 0
    mean = reactivity(before, "ppb").ofp["toluene"].mean()
    assert found.species["ofp"].iloc[0] == pytest.approx(-0.5 * mean, rel=0.15)
    total = found.totals.loc["ofp"]
    assert total["difference"] == pytest.approx(found.species["ofp"].sum())
    assert total["after"] - total["before"] == pytest.approx(total["difference"])


def test_what_has_no_partner_is_named_and_left_out() -> None:
    before, after = tables(np.random.default_rng(4), 6, 0.0)
    plain = paired_change(before, after, "ppb")
    more = before.assign(benzene=1.0, dust=1.0)
    more.loc["elsewhere"] = 1.0
    found = paired_change(more, after, "ppb")
    assert found.not_paired == ("elsewhere",) and found.not_in_both == ("benzene",) and found.unknown == ("dust",)
    pd.testing.assert_frame_equal(found.totals, plain.totals)
    after.loc["site 0", "toluene"] = np.nan
    assert paired_change(before, after, "ppb").cells_missing == 1
    with pytest.raises(InputError, match="samples in both"):
        paired_change(before.iloc[:3], after, "ppb")
    with pytest.raises(InputError, match="species in both"):
        paired_change(before[["toluene"]], after[["propane"]], "ppb")
    after.loc["site 1"] = 0.0
    with pytest.raises(InputError, match="after, sample site 1"):
        paired_change(before, after, "ppb")


PLANT = {"I1": 1000.0, "I2": 200.0, "O1": 100.0, "O2": 10.0, "O3": 20.0, "O4": 150.0, "O5": 400.0, "O6": 220.0,
         "O7": 50.0, "O8": 30.0, "O9": 20.0}  # fmt: skip


def plant(**changed: float) -> pd.DataFrame:
    kg = pd.Series(PLANT | changed)
    return pd.DataFrame({"kg": kg, "uncertainty": 0.05 * kg})


def test_balance_by_hand() -> None:
    found = solvent_balance(plant())
    value = found.table["value"]
    # 1000 - 100 - 400 - 220 - 50 - 30 = 200; with the waste gas 300; 10 + 20 + 150 + 20 = 200.
    assert value[["fugitive", "total_emission", "consumption", "input", "fugitive_direct", "gap"]].tolist() == [
        200, 300, 970, 1200, 200, 0
    ]  # fmt: skip
    assert value["fugitive_share"] == pytest.approx(1 / 6) and found.closes and not found.assumed_zero
    squares = 0.05**2 * (1000**2 + 100**2 + 400**2 + 220**2 + 50**2 + 30**2)
    assert found.table.loc["fugitive", "uncertainty"] == pytest.approx(np.sqrt(squares))
    short = solvent_balance(plant().drop(["O2", "O7"]))
    assert short.closes is None and short.assumed_zero == ("O7",) and "gap" not in short.table.index
    assert not solvent_balance(plant(O4=500.0)).closes


def test_balance_intervals_hold_the_truth() -> None:
    random = np.random.default_rng(0)
    true, held = plant(), []
    for _ in range(60):
        seen = true.assign(kg=true["kg"] + true["uncertainty"] * random.normal(size=len(true)))
        table = solvent_balance(seen).table.loc[["fugitive", "fugitive_share"]]
        held.append((table["low"] <= [200, 1 / 6]) & (table["high"] >= [200, 1 / 6]))
    assert pd.DataFrame(held).mean().between(0.87, 1.0).all()


def test_removal_is_found_at_the_stated_rate() -> None:
    random = np.random.default_rng(2)
    held = []
    for _ in range(100):
        passed = 0.08 * np.exp(random.normal(0, 0.2, 4) + random.normal(0, 0.05))
        runs = pd.DataFrame({"inlet": 100.0, "outlet": 100.0 * passed})
        found = removal_efficiency(runs, systematic=0.05)
        held.append(found.low <= 0.92 <= found.high)
        assert found.high < 1
    assert 0.88 <= np.mean(held) <= 1.0
    runs["inlet_flow"], runs["outlet_flow"] = 10.0, 20.0
    assert 1 - removal_efficiency(runs).efficiency == pytest.approx(2 * (1 - found.efficiency))


def test_solvent_input_is_refused_by_name() -> None:
    for table, message in (
        (plant().rename({"O9": "O10"}), "O10"), (plant().drop("I1"), "I1"), (plant(O6=-1.0), "O6: kg"),
        (pd.concat([plant(), plant()]), "twice"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=message):
            solvent_balance(table)
    runs = pd.DataFrame({"inlet": [1.0, 1.0, 1.0], "outlet": [0.1, 0.0, 0.1]}, index=["a", "b", "c"])
    with pytest.raises(InputError, match="run b: outlet"):
        removal_efficiency(runs)
    with pytest.raises(InputError, match="runs"):
        removal_efficiency(runs.iloc[:2])
    with pytest.raises(InputError, match="flows"):
        removal_efficiency(runs.assign(outlet=0.1, inlet_flow=1.0))


def test_commands(tmp_path) -> None:
    before, after = tables(np.random.default_rng(5), 6, 0.5)
    for name, table in (("before", before), ("after", after)):
        table.to_csv(tmp_path / f"{name}.csv", index_label="sample")
    given = ("study", "voc-change", tmp_path / "before.csv", tmp_path / "after.csv", "--units", "ppb", "--json")
    printed = json.loads(run_command(*given, "--out", tmp_path / "out"))
    assert printed["pairs"] == 6 and [row["measure"] for row in printed["totals"]][1] == "ofp"
    assert (tmp_path / "out" / "species.csv").exists()
    plant().to_csv(tmp_path / "plant.csv", index_label="item")
    printed = json.loads(run_command("study", "solvent", tmp_path / "plant.csv", "--json"))
    assert printed["closes"] is True and printed["balance"][0]["value"] == 200
    (tmp_path / "runs.csv").write_text("run,inlet,outlet\na,100,8\nb,120,9\nc,90,8\n")
    printed = json.loads(run_command("study", "removal", tmp_path / "runs.csv", "--systematic", "0.05", "--json"))
    assert printed["low"] < 0.92 < printed["high"] and printed["runs"] == 3
