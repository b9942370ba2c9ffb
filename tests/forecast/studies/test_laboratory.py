"""Samples of a comparison, duplicates, detection limit and uncertainty budget: worked examples and simulated truths."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from hazecast.forecast.studies.quality.budget import uncertainty_budget
from hazecast.forecast.studies.quality.duplicates import duplicates
from hazecast.forecast.studies.quality.laboratory import detection_limit_hj168
from hazecast.forecast.studies.quality.samples import homogeneity, stability
from hazecast.grids.errors import InputError
from tests.support.command_line import run_command

# The worked example of the calculation sheet for ISO 13528, B.2 and B.3, by M. Koch, University of Stuttgart.
KOCH = np.array(
    [
        [0.185, 0.187, 0.182, 0.188, 0.191, 0.188, 0.187, 0.177, 0.179, 0.188],
        [0.194, 0.189, 0.186, 0.196, 0.181, 0.180, 0.196, 0.186, 0.187, 0.196],
    ]
).T


def test_homogeneity_of_the_published_example() -> None:
    found = homogeneity(KOCH, 0.02)
    assert found.mean == pytest.approx(0.18715)
    assert found.within**2 == pytest.approx(3.095e-5, rel=1e-3)
    assert found.between**2 == pytest.approx(3.6111e-7, rel=1e-3)
    assert found.homogeneous and found.not_refuted and found.largest_spread < found.critical_spread
    # F1 = 1.88 and F2 = 1.01 for ten samples, as printed there.
    assert found.expanded_limit**2 == pytest.approx(1.88 * 0.006**2 + 1.01 * 3.095e-5, rel=5e-3)


@pytest.mark.parametrize("seed", range(3))
def test_homogeneity_is_that_of_an_analysis_of_variance(seed) -> None:
    """ISO 13528 B.2 and B.3 another way: sums of squares, F from SciPy's one-way analysis, and quantiles by simulation."""
    random = np.random.default_rng(seed)
    results = 5 + random.normal(0, 0.4, (12, 1)) + random.normal(0, 0.3, (12, 2))
    found = homogeneity(results, 1.0)
    # Two results a sample: s_w from the differences, s_x from the means.
    within = ((results[:, 0] - results[:, 1]) ** 2).sum() / 24
    f = stats.f_oneway(*results).statistic
    between = max(0.0, within * (f - 1) / 2)
    assert found.within**2 == pytest.approx(within) and found.between**2 == pytest.approx(between)
    assert found.homogeneous == (between**0.5 <= 0.3)
    # The allowance: a batch whose samples truly differ by 0.3 of sigma is refuted in 5 % at most (B.2.3 is a bound).
    above = random.chisquare(11, 200_000) / 11
    f1 = np.quantile(above, 0.95)
    f2 = (np.quantile(above / (random.chisquare(12, 200_000) / 12), 0.95) - 1) / 2
    assert found.expanded_limit**2 == pytest.approx(f1 * 0.09 + f2 * within, rel=0.02)


def test_unlike_samples_are_found_and_the_interval_holds_the_truth() -> None:
    random = np.random.default_rng(1)
    held, refuted = 0, 0
    for _ in range(60):
        results = 10 + random.normal(0, 1.0, (10, 1)) + random.normal(0, 0.3, (10, 2))
        found = homogeneity(results, 1.0)
        held += found.between_low <= 1.0 <= found.between_high
        refuted += not found.not_refuted
    assert held >= 52 and refuted >= 54
    assert found.adjusted_deviation == pytest.approx(np.hypot(1.0, found.between))


def test_samples_that_changed_are_not_stable() -> None:
    random = np.random.default_rng(2)
    first, later = (10 + random.normal(0, 0.1, (n, 2)) for n in (10, 3))
    kept, lost = stability(first, later, 1.0), stability(first, later - 1.0, 1.0)
    assert kept.stable and kept.low < 0 < kept.high
    assert not lost.not_refuted and lost.difference == pytest.approx(kept.difference - 1.0)


def test_duplicates_by_hand() -> None:
    pairs = pd.DataFrame({"first": [11.0, 9.0] * 4, "second": [9.0, 11.0] * 4}, index=list("abcdefgh"))
    found = duplicates(pairs, allowed=0.15)
    # d = 2 each: s = sqrt(8 * 4 / 16).
    assert found.deviation == pytest.approx(2**0.5) and found.difference == 0
    assert found.relative == pytest.approx(0.2 / 2**0.5) and found.table["beyond"].all()
    assert found.deviation_low < found.deviation < found.deviation_high and found.relative_upper > found.relative
    few = pd.concat([pairs, pd.DataFrame({"first": [0.1], "second": [0.3]}, index=["blank"])])
    assert duplicates(few, floor=1.0).below_floor == 1
    with pytest.raises(InputError, match="pairs above the floor"):
        duplicates(pairs, floor=20.0)
    pairs.loc["c", "second"] = np.nan
    with pytest.raises(InputError, match="pair c"):
        duplicates(pairs)


def test_detection_limit_of_hj168() -> None:
    spikes, none = np.array([3.0, 4.0, 5.0, 4.0, 3.0, 5.0, 4.0]), np.full(7, np.nan)
    found = detection_limit_hj168(spikes, none)
    assert found.source == "spikes" and found.mdl == pytest.approx(3.143 * spikes.std(ddof=1), rel=1e-3)
    assert found.determination == pytest.approx(4 * found.mdl) and found.level_fits is False
    assert detection_limit_hj168(spikes + 6, none).level_fits
    assert detection_limit_hj168(np.array([]), spikes).source == "blanks"
    with pytest.raises(InputError, match="spikes"):
        detection_limit_hj168(spikes[:6], none)


def gum() -> pd.DataFrame:
    """Return the end gauge of GUM, H.1 (nm; the two components of zero sensitivity left out)."""
    names = ["standard", "comparison", "expansion", "temperature"]
    return pd.DataFrame(
        {"value": [25.0, 9.7, 2.9, 16.6], "kind": "standard", "degrees": [18.0, 25.6, 50.0, 2.0]},
        index=pd.Index(names, name="component"),
    )


def test_budget_of_the_guide() -> None:
    found = uncertainty_budget(gum(), confidence=0.99)
    # H.1.6: u_c = 32 nm, 16 degrees of freedom, t = 2.92, U = 93 nm.
    assert round(found.combined) == 32 and int(found.degrees) == 16
    assert found.factor == pytest.approx(2.92, abs=0.005) and round(found.expanded) in (92, 93)
    assert found.table.index[0] == "standard" and found.table["share"].sum() == pytest.approx(1)
    half = pd.DataFrame({"value": [3.0], "kind": ["rectangular"], "sensitivity": [-2.0]}, index=["drift"])
    assert uncertainty_budget(half).combined == pytest.approx(6 / 3**0.5)
    assert uncertainty_budget(half).factor == pytest.approx(1.96, abs=0.001)


def test_budget_holds_the_truth_at_the_stated_rate() -> None:
    random = np.random.default_rng(3)
    held = 0
    for _ in range(60):
        runs, drift = random.normal(0, 1, 5), random.uniform(-1, 1)
        table = pd.DataFrame(
            {"value": [runs.std(ddof=1) / 5**0.5, 1.0], "kind": ["standard", "rectangular"], "degrees": [4, np.nan]},
            index=["runs", "drift"],
        )
        held += abs(runs.mean() + drift) <= uncertainty_budget(table).expanded
    assert held >= 52


def test_laboratory_input_is_refused_by_name() -> None:
    faulty = KOCH.copy()
    faulty[3, 0] = np.nan
    for results, deviation, message in (
        (KOCH[:9], 1.0, "samples, results"), (faulty, 1.0, "sample 4"), (KOCH, 0.0, "deviation"),
        (np.repeat(KOCH[:, :1], 2, axis=1), 1.0, "repeated results"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=message):
            homogeneity(results, deviation)
    for table, message in (
        (gum().assign(kind="normal"), "standard: kind"), (gum().assign(value=-1.0), "value"), (gum().iloc[:0], "none"),
        (gum().assign(degrees=0.5), "degrees"), (pd.concat([gum(), gum()]), "twice"), (gum().assign(value=0.0), "all 0"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=message):
            uncertainty_budget(table)


def test_commands(tmp_path) -> None:
    pd.DataFrame(KOCH, columns=["one", "two"]).to_csv(tmp_path / "samples.csv", index_label="sample")
    pd.DataFrame(KOCH[:3] - 0.1, columns=["one", "two"]).to_csv(tmp_path / "later.csv", index_label="sample")
    given = ("study", "homogeneity", tmp_path / "samples.csv", "--deviation", "0.02", "--later", tmp_path / "later.csv")
    printed = json.loads(run_command(*given, "--json"))
    assert printed["homogeneity_homogeneous"] is True and printed["stability_stable"] is False
    gum().to_csv(tmp_path / "budget.csv")
    printed = json.loads(run_command("study", "budget", tmp_path / "budget.csv", "--json"))
    assert printed["components"][0]["component"] == "standard"
    rows = [f"p{n},{10 + n % 3},{10 + n % 2}" for n in range(9)]
    (tmp_path / "pairs.csv").write_text("\n".join(["pair,first,second", *rows]) + "\n")
    printed = json.loads(run_command("study", "duplicates", tmp_path / "pairs.csv", "--allowed", "0.15", "--json"))
    assert printed["number"] == 9 and len(printed["pairs"]) == 9
    rows = [f"spike,{value}" for value in (3, 4, 5, 4, 3, 5, 4)]
    (tmp_path / "kinds.csv").write_text("\n".join(["kind,value", *rows]) + "\n")
    printed = json.loads(run_command("study", "detection", tmp_path / "kinds.csv", "--standard", "hj168", "--json"))
    assert printed["source"] == "spikes" and printed["replicates"] == 7
