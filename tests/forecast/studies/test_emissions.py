"""Stacks and factories: conversions by hand, criteria by class, and simulated truths held at the stated rate."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from hazecast.forecast.studies.emissions.factory import Costs, factory_change, payback
from hazecast.forecast.studies.emissions.flue_gas import corrected, gravimetric
from hazecast.forecast.studies.emissions.relative_accuracy import relative_accuracy
from hazecast.forecast.studies.estimate import Estimate
from hazecast.grids.errors import InputError
from tests.support.command_line import run_command

GAS = {"concentration": 20.0, "temperature": 50.0, "pressure": 100_500.0, "moisture": 0.12, "oxygen": 7.5}
WET = {name: value for name, value in GAS.items() if name != "moisture"} | {"oxygen_wet": 6.6}
UNCERTAIN = {"concentration": 1.0, "temperature": 1.0, "pressure": 200.0, "moisture": 0.01, "oxygen": 0.2}
UNCERTAIN_WET = {name: one for name, one in UNCERTAIN.items() if name != "moisture"} | {"oxygen_wet": 0.15}


def wet_gas(**changed: float) -> pd.DataFrame:
    return pd.DataFrame(WET | changed, index=pd.Index(["a"], name="reading"))


def gas(**changed: float) -> pd.DataFrame:
    return pd.DataFrame(GAS | changed, index=pd.Index(["a"], name="reading"))


def test_flue_gas_by_hand() -> None:
    found = corrected(gas(), reference_oxygen=6).iloc[0]
    # 20 * 101325 / 100500 * 323.15 / 273.15 / 0.88 = 27.108; times 15 / 13.5 = 30.120.
    assert found["dry"] == pytest.approx(27.108, abs=1e-3) and found["reference"] == pytest.approx(30.120, abs=1e-3)
    assert found["u_reference"] == 0
    # Oxygen of 6.6 % in the wet gas and 7.5 % in the dry one: 12 % of water.
    wet = corrected(wet_gas(), reference_oxygen=6).iloc[0]
    assert wet["moisture"] == pytest.approx(0.12) and wet["reference"] == pytest.approx(found["reference"])


@pytest.mark.parametrize("water", ["moisture", "oxygen_wet"])
def test_uncertainty_of_the_correction_is_the_scatter_of_draws(water) -> None:
    random = np.random.default_rng(1)
    given = {"moisture": (GAS, UNCERTAIN), "oxygen_wet": (WET, UNCERTAIN_WET)}
    true_gas, uncertain = given[water]
    drawn = pd.DataFrame({name: true_gas[name] + random.normal(0, one, 2000) for name, one in uncertain.items()})
    found = corrected(drawn.assign(**{f"u_{name}": one for name, one in uncertain.items()}), reference_oxygen=6)
    assert found["u_dry"].mean() == pytest.approx(found["dry"].std(), rel=0.06)
    true = corrected(gas(), reference_oxygen=6)["reference"].iloc[0]
    assert found["u_reference"].mean() == pytest.approx(found["reference"].std(), rel=0.06)
    held = ((found["reference"] - true).abs() <= 1.96 * found["u_reference"]).mean()
    assert 0.935 <= held <= 0.965


def test_low_dust_is_stated_as_the_method_does() -> None:
    samples = pd.DataFrame({"mass": [0.5, 6.0, 70.0, -0.3], "volume": [2.0, 2.0, 1.0, 1.0]}, index=list("abcd"))
    found = gravimetric(samples, 0.1, 10.0)
    assert found.table["result"].tolist() == ["< 0.5", "3.0", "> 50", "< 1.0"]
    assert found.table["valid"].tolist() == [True, True, True, False] and found.blank_fits
    assert found.mean == pytest.approx((0.25 + 3 + 70) / 3)
    assert not gravimetric(samples, 2.0, 10.0).blank_fits


def pairs(level: float, bias: float, noise: float, number: int, seed: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    reference = level * np.exp(random.normal(0, 0.1, number))
    return pd.DataFrame({"reference": reference, "monitor": reference + bias + random.normal(0, noise, number)})


@pytest.mark.parametrize(
    ("quantity", "level", "criterion", "limit"),
    [
        ("so2", 1000, "accuracy", 0.15), ("so2", 300, "absolute", 57.2), ("so2", 100, "relative", 0.30), ("so2", 20, "absolute", 17.16),
        ("nox", 35, "absolute", 12.3), ("nox", 70, "relative", 0.30), ("pm", 3, "absolute", 5.0), ("pm", 15, "absolute", 6.0),
        ("pm", 30, "relative", 0.30), ("o2", 3, "absolute", 1.0), ("o2", 9, "accuracy", 0.15), ("velocity", 15, "relative", 0.10),
        ("moisture", 12, "relative", 0.25), ("temperature", 50, "absolute", 3.0),
    ],
)  # fmt: skip
def test_criterion_follows_the_level(quantity, level, criterion, limit) -> None:
    found = relative_accuracy(pairs(level, 0.0, 0.01, 9), quantity)
    assert found.criterion == criterion and found.limit == pytest.approx(limit, rel=2e-3) and found.passes


def test_relative_accuracy_by_hand() -> None:
    table = pd.DataFrame({"reference": [1000.0] * 9, "monitor": [1050.0, 1070.0, 1060.0] * 3})
    found = relative_accuracy(table, "so2")
    # d = 60, s = 8.660, t(8) = 2.306: cc = 6.657.
    assert found.relative_accuracy == pytest.approx(0.066657, abs=1e-5) and found.passes and found.conclusive


def test_bias_of_a_clean_stack_is_judged_at_the_stated_rate() -> None:
    verdicts = {bias: [relative_accuracy(pairs(20, bias, 2, 9, n), "so2") for n in range(40)] for bias in (10, 25)}
    assert all(one.passes and one.conclusive for one in verdicts[10]) and not any(one.passes for one in verdicts[25])
    for bias, found in verdicts.items():
        assert sum(one.low <= bias <= one.high for one in found) >= 34


def runs(level: float, seed: int, common: float = 0.0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    day = np.exp(np.random.default_rng(seed // 2).normal(0, 0.15, 5))
    values = level * day * np.exp(random.normal(0, 0.1, 5) + common)
    names = pd.Index([f"run {n}" for n in range(5)], name="run")
    return pd.DataFrame({"concentration": values, "flow": 50_000.0, "product": 20.0}, index=names)


def test_reduction_of_a_factory_is_found_at_the_stated_rate() -> None:
    random = np.random.default_rng(7)
    found = [
        factory_change(runs(100, 2 * n), runs(40, 2 * n + 1, random.normal(0, 0.05)), output=1e5, systematic=0.05)
        for n in range(80)
    ]
    assert sum(one.reduction.low <= 0.6 <= one.reduction.high for one in found) >= 69
    assert np.mean([one.reduction.value for one in found]) == pytest.approx(0.6, abs=0.02)
    # 100 mg m-3 * 50000 m3 h-1 / 20 t h-1 = 0.25 kg t-1.
    assert np.mean([one.before for one in found]) == pytest.approx(0.25, rel=0.05)


def test_payback_by_hand() -> None:
    paid = payback(Estimate(1000.0, 800.0, 1200.0), Costs(10_000, running=1000, charge=5.0, life=10, interest=0.1))
    assert paid.saving == Estimate(4000, 3000, 5000)
    assert paid.years.value == 2.5 and paid.years.low == 2.0 and paid.years.high == pytest.approx(10 / 3)
    # 10000 = 4000 (1 - 1.1^-n) / 0.1: n = ln(1 / 0.75) / ln 1.1; annuity of ten years at 10 %: 0.16275.
    assert paid.discounted_years == pytest.approx(np.log(4 / 3) / np.log(1.1))
    assert paid.cost_per_kg.value == pytest.approx(2.6275, abs=1e-4) and paid.cost_per_kg.low < paid.cost_per_kg.high
    never = payback(Estimate(100.0, -50.0, 250.0), Costs(10_000, running=1000, charge=5.0))
    assert never.years.value == np.inf and never.discounted_years == np.inf and never.cost_per_kg.high == np.inf


def test_pairs_of_unlike_output_are_named() -> None:
    found = factory_change(runs(100, 0), runs(40, 1).assign(product=10.0), output=1e5)
    assert found.unlike == tuple(f"run {n}" for n in range(5))


def test_emissions_input_is_refused_by_name() -> None:
    for table, message in (
        (gas(oxygen=21.0), "reading a: oxygen"), (gas(moisture=np.nan), "moisture"), (gas(u_oxygen=-1.0), "u_oxygen"),
        (gas().iloc[:0], "readings"), (gas(oxygen_wet=6.6), "columns"), (wet_gas().drop(columns="oxygen_wet"), "columns"),
        (wet_gas(oxygen_wet=7.6), "reading a: oxygen_wet"), (wet_gas(oxygen_wet=0.0, oxygen=0.0), "reading a: oxygen_wet"),
        (gas(oxygen=0.075), "oxygen: highest"), (gas(moisture=12.0), "reading a: moisture"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=message):
            corrected(table, reference_oxygen=6)
    for table, quantity, message in (
        (pairs(20, 0, 1, 8), "so2", "so2: pairs"), (pairs(20, 0, 1, 9), "so3", "quantity"), (pairs(-20, 0, 1, 9), "pm", "pair 0"),
        (pairs(20, 0, 1, 9).assign(monitor=np.nan), "pm", "pair 0"), (pairs(9, 0, 0.1, 9) / 100, "o2", "reference: highest"),
        (pairs(12, 0, 0.1, 9) / 100, "moisture", "reference: highest"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=message):
            relative_accuracy(table, quantity)
    for after, message in (
        (runs(40, 1).iloc[:4], "run run 4"), (runs(40, 1).assign(product=0.0), "after, run run 0: product"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=message):
            factory_change(runs(100, 0), after, output=1e5)
    with pytest.raises(InputError, match="life"):
        payback(Estimate(1, 1, 1), Costs(1.0, life=0))


def test_commands(tmp_path) -> None:
    gas(u_oxygen=0.2).to_csv(tmp_path / "gas.csv")
    printed = json.loads(run_command("study", "flue-gas", tmp_path / "gas.csv", "--oxygen", "6", "--json"))
    assert printed["dry_gas"][0]["reference"] == pytest.approx(30.12, abs=0.01)
    wet_gas().to_csv(tmp_path / "wet.csv")
    printed = json.loads(run_command("study", "flue-gas", tmp_path / "wet.csv", "--oxygen", "6", "--json"))
    assert printed["dry_gas"][0]["moisture"] == pytest.approx(0.12)
    (tmp_path / "dust.csv").write_text("sample,mass,volume\na,3,1\nb,4,1\n")
    given = ("study", "low-dust", tmp_path / "dust.csv", "--blank", "0.2", "--limit", "10", "--json")
    assert json.loads(run_command(*given))["mean"] == 3.5
    pairs(20, 0, 1, 9).to_csv(tmp_path / "pairs.csv", index_label="pair")
    printed = json.loads(run_command("study", "rata", tmp_path / "pairs.csv", "--quantity", "so2", "--json"))
    assert printed["passes"] is True
    runs(100, 0).to_csv(tmp_path / "before.csv")
    runs(40, 1).to_csv(tmp_path / "after.csv")
    given = (
        "study",
        "factory",
        tmp_path / "before.csv",
        tmp_path / "after.csv",
        "--production",
        "1e5",
        "--investment",
        "1e5",
    )
    printed = json.loads(run_command(*given, "--charge", "2", "--report", tmp_path / "page.html", "--json"))
    assert printed["pairs"] == 5 and printed["years"]["value"] > 0 and printed["change_shown"] is True
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<h1>A factory before and after</h1>" in page and "run 4" in page and "<td>100,000</td>" in page
    reduction = printed["reduction"]
    assert f"{reduction['value']:.3f} ({reduction['low']:.3f} to {reduction['high']:.3f})" in page
