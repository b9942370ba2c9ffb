"""Source apportionment: known mixtures are recovered, faults are named, and the commands work on files."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment, minimize

from hazecast.forecast.studies.particles import pmf_uncertainty
from hazecast.forecast.studies.particles.mass_balance import mass_balance
from hazecast.forecast.studies.particles.mixtures import TOTAL, mix, source_profiles
from hazecast.forecast.studies.particles.pmf import factorize, match_factors, pull_profiles
from hazecast.forecast.studies.particles.pmf_bs_disp import bootstrap_displace
from hazecast.forecast.studies.particles.pmf_number import compare_factor_numbers
from hazecast.forecast.studies.particles.pmf_rotation import rotations
from hazecast.forecast.studies.particles.pmf_solver import Pull, Solution, epa_robust_q, responses, robust_q, solve
from hazecast.forecast.studies.particles.pmf_uncertainty import bootstrap, displace
from hazecast.forecast.studies.particles.recovery import compare_solution, nmf_recovery
from hazecast.forecast.studies.particles.speciation import equation_uncertainty, prepare, signal_to_noise
from hazecast.forecast.studies.resampled import block_rows
from hazecast.grids.errors import InputError
from hazecast.grids.observations.sample_tables import read_samples
from tests.support.command_line import run_command
from tests.support.esat_profiles import Q_TRUE, esat_profiles

FOUR = ("secondary sulfate", "traffic", "dust", "coal and metals")


@pytest.fixture(scope="module")
def mixture():
    return mix(1, samples=120, sources=FOUR)


@pytest.fixture(scope="module")
def solution(mixture):
    return factorize(mixture.samples(), 4, starts=3)


def frame(values, names=("a", "b")) -> pd.DataFrame:
    return pd.DataFrame(values, columns=list(names), dtype=float)


def test_uncertainties_by_equation() -> None:
    found = equation_uncertainty(frame([[0.5, 3.0], [10.0, 4.0]]), {"a": 1.0, "b": 3.0}, {"a": 0.1, "b": 0.2})
    # At or below the limit 5/6 of it; above, sqrt((0.1 x 10)^2 + (0.5 x 1)^2).
    assert found.to_numpy() == pytest.approx(np.array([[5 / 6, 2.5], [np.sqrt(1.25), np.sqrt(0.64 + 2.25)]]))
    with pytest.raises(InputError, match="detection limit of b"):
        equation_uncertainty(frame([[1, 1]]), {"a": 1.0}, 0.1)


def test_signal_to_noise_counts_only_what_exceeds_the_uncertainty() -> None:
    x, u = frame([[4.0, 1.0], [0.5, np.nan], [1.0, 3.0]]), frame([[1.0, 2.0], [1.0, 1.0], [1.0, 1.0]])
    assert signal_to_noise(x, u).tolist() == pytest.approx([1.0, 1.0])  # (3 + 0 + 0)/3; (0 + 2)/2


def test_a_total_in_another_unit_is_refused(mixture) -> None:
    concentration = mixture.concentration
    assert prepare(concentration, mixture.uncertainty, total=TOTAL).total == TOTAL
    # Of a total in mg m-3 the species, in ug m-3, would be a thousand times.
    scaled, errors = (one.assign(**{TOTAL: one[TOTAL] / 1000}) for one in (concentration, mixture.uncertainty))
    with pytest.raises(
        InputError, match=f"species together over {TOTAL}: median: found .*; expected at most 3, in one unit"
    ):
        prepare(scaled, errors, total=TOTAL)


def test_missing_weak_and_bad_species() -> None:
    x = frame([[1.0, 5.0, 9.0], [np.nan, 6.0, 9.5], [3.0, 7.0, 1.0]], "abc")
    u = frame([[0.1, 4.0, 9.9]] * 3, "abc")
    samples = prepare(x, u, limits={"a": 1.0}, weak=["a"])
    assert samples.left_out == ("c",) and set(samples.weak) == {"a", "b"}
    assert samples.counts == {"missing": 1, "below_limit": 1, "negative": 0}
    assert samples.concentration["a"].tolist() == [1.0, 2.0, 3.0]
    # 5/6 of the limit, four medians for the gap, as given: all tripled.
    assert samples.uncertainty["a"].tolist() == pytest.approx([2.5, 24.0, 0.3])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x, u: (x, u.rename(columns={"b": "c"})), r"uncertainty: species"),
        (lambda x, u: (x, u.iloc[1:]), "uncertainty: samples"),
        (lambda x, u: (x, u.mask(u == 0.2, 0.0)), "uncertainty of b, sample 1"),
        (lambda x, u: (x.assign(a=np.nan), u), "at least one measured"),
    ],
)
def test_faulty_tables_are_named(change, message) -> None:
    x, u = change(frame([[1.0, 2.0], [3.0, 4.0]]), frame([[0.1, 0.1], [0.1, 0.2]]))
    with pytest.raises(InputError, match=message):
        prepare(x, u, by_signal=False)


@given(st.integers(0, 10_000))
@settings(max_examples=15, deadline=None)
def test_the_solver_ends_where_no_small_step_helps(seed) -> None:
    """Against SciPy's bounded quasi-Newton method from the end point: it finds nothing better."""
    random = np.random.default_rng(seed)
    g, f = random.gamma(1.0, 1.0, (25, 2)), random.gamma(1.0, 1.0, (2, 6))
    u = 0.1 * (g @ f) + 0.05
    x = g @ f + u * random.standard_t(3, size=u.shape)
    found = solve(x, u, random.uniform(0.5, 1.5, g.shape), random.uniform(0.5, 1.5, f.shape), sweeps=20)
    assert (found.g >= 0).all() and (found.f >= 0).all() and found.converged
    assert np.allclose(found.g.mean(axis=0), 1)
    assert found.q == pytest.approx(robust_q((x - found.g @ found.f) / u))

    def q(flat: np.ndarray) -> float:
        return robust_q((x - flat[:50].reshape(25, 2) @ flat[50:].reshape(2, 6)) / u)

    start = np.concatenate([found.g.ravel(), found.f.ravel()])
    better = minimize(q, start, method="L-BFGS-B", bounds=[(0, None)] * len(start), options={"maxiter": 20})
    assert found.q <= better.fun * 1.001 + 1e-6


def test_outliers_count_linearly() -> None:
    assert robust_q(np.array([3.0, 4.0])) == 25.0
    assert robust_q(np.array([10.0])) == 4 * (2 * 10 - 4)  # Huber: 16 + 2 x 4 x (10 - 4)


def test_robust_q_as_epa_pmf_reports_it() -> None:
    assert epa_robust_q(np.array([3.0, 4.0, -10.0])) == 9 + 16 + 40


def test_marks_are_missing_whatever_their_uncertainty_and_the_impossible_is_refused(mixture) -> None:
    samples = mixture.samples()
    concentration, uncertainty = samples.concentration.copy(), samples.uncertainty.copy()
    concentration.iloc[3, 0], uncertainty.iloc[3, 0] = -999.0, 0.01
    marked = prepare(concentration, uncertainty)
    gap = prepare(concentration.mask(concentration == -999.0), uncertainty)
    assert marked.counts["missing"] == 1 and marked.concentration.equals(gap.concentration)
    concentration.iloc[3, 0] = -5.0
    with pytest.raises(InputError, match=r"at least -10 times its uncertainty, 0\.01"):
        prepare(concentration, uncertainty)


# Number of samples and species, and of factors that the sets are usually given.
EPA_SETS = {
    "Baltimore": ("_con.txt", "PM2.5", 630, 26),
    "StLouis": ("-con.csv", "Mass", 418, 13),
    "BatonRouge": ("-con.csv", None, 307, 41),
}


@pytest.mark.parametrize("name", EPA_SETS)
def test_the_data_sets_of_epa_pmf_are_read_and_factorized(shared_data, name) -> None:
    ending, total, number, species = EPA_SETS[name]
    files = [shared_data / "pmf" / f"Dataset-{name}{ending.replace('con', kind)}.gz" for kind in ("con", "unc")]
    concentration, uncertainty = map(read_samples, files)
    assert concentration.shape == (number, species)
    found = factorize(prepare(concentration, uncertainty, total=total), 4, starts=2)
    assert found.q_epa < found.q_robust < found.q_true and found.converged
    if name == "Baltimore":
        # The secondary sulfate and nitrate of the eastern United States, each with ammonium.
        explained = found.explained()
        sulfate, nitrate = explained["Sulfate"].idxmax(), explained["Total Nitrate"].idxmax()
        assert sulfate != nitrate and explained.loc[[sulfate, nitrate], "Ammonium Ion"].sum() > 0.7
        assert (found.fit().loc[["Sulfate", "Total Nitrate", "Ammonium Ion"], "r2"] > 0.8).all()


# Baltimore's OM is 1.4 times its OC: one measurement, twice.
@pytest.mark.parametrize(("name", "bad", "least"), [("StLouis", (), 0.99), ("Baltimore", ("OM",), 0.97)])
def test_factors_of_epas_sets_are_those_of_epas_toolkit(shared_data, name, bad, least) -> None:
    ending, total, _, _ = EPA_SETS[name]
    files = [shared_data / "pmf" / f"Dataset-{name}{ending.replace('con', kind)}.gz" for kind in ("con", "unc")]
    found = factorize(prepare(*map(read_samples, files), total=total, bad=bad), 7, starts=2)
    theirs = esat_profiles(name)
    shares = [(one / one.sum()).to_numpy() for one in (found.profiles, theirs[list(found.profiles)])]
    table = np.corrcoef(*shares)[:7, 7:]
    rows, columns = linear_sum_assignment(-table)
    assert (table[rows, columns] > least).all()
    # ESAT minimises the true Q. From its minimum, or a random start, this solver reaches a lower one.
    x, u = found.samples.concentration.to_numpy(), found.samples.uncertainty.to_numpy()
    plain = solve(x, u, found.contributions.to_numpy(), found.profiles.to_numpy(), threshold=1e9)
    assert 0.95 * Q_TRUE[name] < plain.q < Q_TRUE[name] < found.q_true * 1.05


def test_known_sources_are_found(mixture, solution) -> None:
    found = compare_solution(mixture, solution)
    assert solution.reached == 1.0 and solution.converged
    assert found.mass_error < 0.2 and found.profile_error < 0.2 and found.correlation > 0.95
    assert solution.q_robust == pytest.approx(solution.q_expected, rel=0.15)
    assert solution.q_true >= solution.q_robust
    mass = solution.mass().sum(axis=1)
    assert mass.mean() == pytest.approx(mixture.contributions.sum(axis=1).mean(), rel=0.05)
    assert (solution.explained().sum() - 1).abs().max() < 1e-9
    assert solution.fit().loc["Si", "r2"] > 0.8 and bool(solution.fit().loc[TOTAL, "weak"])


def test_the_number_of_sources_is_found(mixture) -> None:
    found = compare_factor_numbers(mixture.samples(), range(3, 6), starts=2)
    assert found.suggested == 4 and found.table["q_robust"].is_monotonic_decreasing
    assert compare_factor_numbers(mixture.samples(), range(2, 4), starts=1).suggested is None
    with pytest.raises(InputError, match="follow each other"):
        compare_factor_numbers(mixture.samples(), [3, 5])


def test_uncertainties_matter(mixture, solution) -> None:
    """NMF sees only the species with much mass; scaled by median uncertainties it comes nearer."""
    found = compare_solution(mixture, solution)
    plain, scaled = nmf_recovery(mixture, "nmf", starts=2), nmf_recovery(mixture, "nmf_scaled", starts=2)
    assert found.profile_error < scaled.profile_error < plain.profile_error


def test_bootstrap_maps_factors_to_themselves(solution) -> None:
    found = bootstrap(solution, runs=6, block=4)
    assert found.mapping.to_numpy().sum() == 6 * 4 and (found.stability == 1.0).all()
    low, high = (found.profiles.xs(level, level="quantile") for level in (0.05, 0.95))
    factor = solution.profiles["Si"].idxmax()
    assert low.loc[factor, "Si"] < solution.profiles.loc[factor, "Si"] < high.loc[factor, "Si"]
    rows = block_rows(10, 4, np.random.default_rng(0))[0]
    assert len(rows) == 10 and ((rows[1:4] - rows[:3]) % 10 == 1).all()


def test_displacement_brackets_the_truth(mixture, solution) -> None:
    found = displace(solution, dq_max=(4, 15), species=["Si"])
    factor = solution.profiles["Si"].idxmax()
    narrow, wide = (found.intervals.loc[(dq, factor, "Si")] for dq in (4.0, 15.0))
    assert wide["low"] < narrow["low"] < solution.profiles.loc[factor, "Si"] < narrow["high"] < wide["high"]
    assert wide["low"] < mixture.profiles.loc["dust", "Si"] < wide["high"]
    assert found.swaps.loc[4.0].sum() == 0 and found.largest_fall < 0.01 * solution.q_robust
    # The end of the interval is where Q has risen by dQmax.
    number, column = solution.factors.index(factor), solution.samples.species.index("Si")
    x, u = solution.samples.concentration.to_numpy(), solution.samples.uncertainty.to_numpy()
    pull = Pull(number, column, float(narrow["high"]), 1e8)
    at = solve(x, u, solution.contributions.to_numpy(), solution.profiles.to_numpy(), pulls=[pull])
    assert at.q - solution.q_robust == pytest.approx(4.0, abs=0.5)


@pytest.mark.parametrize("edge", [1.0, 3.0])
def test_where_q_jumps_the_interval_ends(solution, monkeypatch, edge) -> None:
    """Of a Q that rises as the square of the displacement in units of 0.01, and by 400 more beyond an edge."""
    k, j = (int(one) for one in np.argwhere(solution.profiles.to_numpy() > 0.2)[0])
    g, f = solution.contributions.to_numpy(), solution.profiles.to_numpy()

    def jumping(*_: object, pulls: list[Pull], **__: object) -> Solution:
        away = abs(pulls[0].target - f[k, j]) / 0.01
        moved = f.copy()
        moved[pulls[0].factor, pulls[0].species] = pulls[0].target
        return Solution(g, moved, solution.q_robust + away**2 + 400.0 * (away > edge), 1, True)

    monkeypatch.setattr(pmf_uncertainty, "solve", jumping)
    factor, name = solution.factors[k], solution.samples.species[j]
    found = displace(solution, dq_max=(4.0, 16.0), species=[name]).intervals
    for level in (4.0, 16.0):
        end = 0.01 * min(edge, np.sqrt(level))
        assert found.loc[(level, factor, name), "high"] - f[k, j] == pytest.approx(end, rel=0.02)
        assert f[k, j] - found.loc[(level, factor, name), "low"] == pytest.approx(end, rel=0.02)


def test_another_minimum_does_not_end_the_interval(solution, monkeypatch) -> None:
    """Of a Q whose fits end 30 higher where they start from anything but a fit before."""
    k, j = (int(one) for one in np.argwhere(solution.profiles.to_numpy() > 0.2)[0])
    contributions, profiles = solution.contributions.to_numpy(), solution.profiles.to_numpy()
    fits = [profiles]

    def trapped(x: object, u: object, g: object, f: np.ndarray, *, pulls: list[Pull], **_: object) -> Solution:
        away = abs(pulls[0].target - profiles[k, j]) / 0.01
        far = away > 1.0 and not any(np.array_equal(f, one) for one in fits)
        fits.append(profiles.copy())
        fits[-1][pulls[0].factor, pulls[0].species] = pulls[0].target
        # A start that is reckoned from two fits is none of them.
        fits[-1][:, j - 1] *= 1.0 + 0.001 * len(fits)
        return Solution(contributions, fits[-1], solution.q_robust + away**2 + 30.0 * far, 1, True)

    monkeypatch.setattr(pmf_uncertainty, "solve", trapped)
    factor, name = solution.factors[k], solution.samples.species[j]
    found = displace(solution, dq_max=(4.0,), species=[name]).intervals.loc[(4.0, factor, name)]
    assert [found["high"] - profiles[k, j], profiles[k, j] - found["low"]] == pytest.approx([0.02, 0.02], rel=0.02)


def test_the_rise_of_q_is_foretold_for_a_small_displacement(solution) -> None:
    x, u = solution.samples.concentration.to_numpy(), solution.samples.uncertainty.to_numpy()
    g, f = solution.contributions.to_numpy(), solution.profiles.to_numpy()
    elements = [(int(k), int(j)) for k, j in np.argwhere(f / f.sum(axis=0) > 0.5)]
    foretold = zip(elements, responses(x, u, g, f, elements), strict=True)
    # Elsewhere others meet zero, and it costs more.
    free = [(element, one) for element, one in foretold if one.spread < 2 * one.alone]
    assert len(free) == 2 and all(one.spread > 0.999 * one.alone for _, one in free)
    for (k, j), response in free:
        pull = Pull(k, j, float(f[k, j]) + 0.5 * response.spread, 1e6 / response.alone**2)
        found = solve(x, u, g, f, pulls=[pull])
        assert found.q - solution.q_robust == pytest.approx(0.25, rel=0.1)


def test_bootstrap_with_displacement_is_wider_than_displacement_and_rejects_swaps(mixture, solution) -> None:
    found = bootstrap_displace(solution, ["Si"], runs=3, dq_max=(4.0,), seed=1)
    assert found.accepted == 3 and found.swapped_in_fit == 0 and found.swapped_in_displacement.sum() == 0
    assert found.fallen == 0 and found.largest_fall < 0.1
    factor = solution.profiles["Si"].idxmax()
    both = found.intervals.loc[(4.0, factor, "Si")]
    assert both["low"] < mixture.profiles.loc["dust", "Si"] < both["high"]
    alone = displace(solution, dq_max=(4.0,), species=["Si"]).intervals.loc[(4.0, factor, "Si")]
    assert both["high"] - both["low"] > alone["high"] - alone["low"]
    for wrong in ({"species": []}, {"species": ["Si"], "runs": 0}, {"species": ["Si"], "block": 0}):
        with pytest.raises(InputError):
            bootstrap_displace(solution, **wrong)
    with pytest.raises(InputError, match="Xx"):
        bootstrap_displace(solution, ["Xx"], runs=1)


def test_rotation_trades_profiles_within_its_price(solution) -> None:
    found = rotations(solution, [-0.3, 0.3])
    assert (found["dq"] > 0).all() and (found["dq"] <= 1.0).all() and (found["correlation"] > 0.9).all()
    # Subtracting profiles from each other makes them sparser, adding fuller.
    assert found.loc[0.3, "zeros"] >= found.loc[-0.3, "zeros"]
    for wrong in (0.0, 1.5):
        with pytest.raises(InputError, match="strength"):
            rotations(solution, [wrong])


def test_constraints_hold(solution) -> None:
    factor = int(np.argmax(solution.profiles["Si"].to_numpy()))
    without = factorize(solution.samples, 4, first=solution, zeros=[(factor, "SO4")])
    assert without.profiles.iloc[factor]["SO4"] == 0.0 and without.q_robust >= solution.q_robust - 0.1
    wish = 0.5 * float(solution.profiles.iloc[factor]["Fe"])
    soft = pull_profiles(solution, [(factor, "Fe", wish)], most=1.0)
    assert wish <= soft.profiles.iloc[factor]["Fe"] < solution.profiles.iloc[factor]["Fe"]
    assert soft.q_robust <= 1.01 * solution.q_robust
    with pytest.raises(InputError, match="solution to start from"):
        factorize(solution.samples, 4, zeros=[(0, "SO4")])
    with pytest.raises(InputError, match="a species"):
        pull_profiles(solution, [(0, "Xe", 0.0)])
    with pytest.raises(InputError, match="factors"):
        factorize(solution.samples, 21)


def test_factors_are_paired_one_to_one(solution) -> None:
    turned = solution.contributions.iloc[:, [2, 0, 3, 1]]
    order, correlation = match_factors(solution.contributions, turned)
    assert order.tolist() == [1, 3, 0, 2] and correlation == pytest.approx(np.ones(4))


def test_mass_balance_recovers_the_sources_within_its_errors(mixture) -> None:
    shares = source_profiles(FOUR).drop(columns=TOTAL)
    x, u = (table.drop(columns=TOTAL) for table in (mixture.concentration, mixture.uncertainty))
    found = mass_balance(x, u, shares, 0.05 * shares, total=mixture.concentration[TOTAL])
    off = (found.contributions - mixture.contributions) / found.errors
    assert (off.std() < 1.2).all() and (off.mean().abs() < 0.4).all()
    assert (off.abs() < 2).to_numpy()[off.notna().to_numpy()].mean() > 0.9
    assert found.quality["chi2"].median() < 1.5 and found.quality["mass_share"].median() == pytest.approx(1, abs=0.1)
    assert (found.contributions >= 0).all().all()
    with pytest.raises(InputError, match="profile of dust, Si"):
        mass_balance(x, u, shares.where(shares != 0.24, -1), 0.05 * shares)
    with pytest.raises(InputError, match="sum: found .*; expected shares of 1"):
        mass_balance(x, u, 100 * shares, 5 * shares)
    again = pd.concat([shares, 0.5 * shares.iloc[:1].rename(index=lambda _: "again")])
    with pytest.raises(InputError, match="and again: found the same but for a factor"):
        mass_balance(x, u, again, 0.05 * again)
    species = list(shares.columns)
    with pytest.raises(InputError, match="one for each of 4 sources"):
        mass_balance(x.drop(columns=species[3:]), u, shares, 0.05 * shares)
    gap = x.copy()
    gap.loc[gap.index[3], species[3:]] = np.nan
    with pytest.raises(InputError, match=r"sample 2014-01-04.*at least 4, one a source"):
        mass_balance(gap, u, shares, 0.05 * shares)


@pytest.fixture
def files(mixture, tmp_path):
    mixture.concentration.to_csv(tmp_path / "con.csv")
    mixture.uncertainty.to_csv(tmp_path / "unc.csv")
    limits = pd.DataFrame({"limit": mixture.limits, "error_fraction": mixture.error_fraction})
    limits.rename_axis("species").to_csv(tmp_path / "limits.csv")
    source_profiles(FOUR).drop(columns=TOTAL).to_csv(tmp_path / "profiles.csv")
    return tmp_path


def test_command_sources(files) -> None:
    given = ("study", "sources", files / "con.csv", "--total", TOTAL, "--starts", 2)
    text = run_command(
        *given, "--limits", files / "limits.csv", "--factors", "3-5", "--bootstraps", 2, "--out", files / "out"
    )
    assert "factors: 4" in text and "written to" in text
    summary = json.loads((files / "out" / "summary.json").read_text())
    assert summary["factors"] == 4 and summary["missing"] > 0 and summary["bootstrap_stability"] == [1.0] * 4
    names = {path.name for path in (files / "out").iterdir()}
    assert {"profiles.csv", "mass.csv", "numbers.png", "profiles.png", "contributions.png"} <= names
    profiles = pd.read_csv(files / "out" / "profiles.csv", index_col=0)
    number = 1 + int(np.argmax(profiles.loc["Si"].to_numpy()))
    both = ("--limits", files / "limits.csv", "--uncertainties", files / "unc.csv")
    printed = json.loads(run_command(*given, *both, "--factors", 4, "--zero", f"{number}:SO4", "--json"))
    assert printed["factors"] == 4
    assert any(row["index"] == "SO4" and row[f"factor {number}"] == 0 for row in printed["profiles"])


def test_command_mass_balance(files) -> None:
    given = ("study", "mass-balance", files / "con.csv", "--limits", files / "limits.csv", "--total", TOTAL)
    printed = json.loads(run_command(*given, "--profiles", files / "profiles.csv", "--json"))
    assert set(printed["mean_contributions"]) == set(FOUR) and 0.9 < printed["median_mass_share"] < 1.1


def test_mass_balance_names_the_species_that_it_cannot_use(tmp_path) -> None:
    for name, text in (
        ("con", "sample,K,Pb,Si,Zn\na,1.2,0.3,2.0,1\nb,0.8,0.4,1.1,1\n"),
        ("unc", "sample,K,Pb,Si\na,0.1,0.03,0.2\nb,0.1,0.04,0.1\n"),
        ("other", "sample,K,Si\na,0.1,0.2\nb,0.1,0.1\n"),
        ("profiles", "source,K,Pb,Si,As\nwood,0.2,0.01,0.02,0.1\ndust,0.02,0.001,0.3,0.1\n"),
    ):
        (tmp_path / f"{name}.csv").write_text(text)
    words = ["study", "mass-balance", tmp_path / "con.csv", "--profiles", tmp_path / "profiles.csv", "--json"]
    found = json.loads(run_command(*words, "--uncertainties", tmp_path / "unc.csv"))
    assert found["species"] == 3
    assert found["species_without_profile"] == ["Zn"] and found["species_of_profiles_not_measured"] == ["As"]
    with pytest.raises(InputError, match="uncertainty of Pb, sample a: found nan"):
        run_command(*words, "--uncertainties", tmp_path / "other.csv")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--factors", "5-3", "--uncertainties", "unc.csv"), "range that rises"),
        (("--factors", "x", "--uncertainties", "unc.csv"), "--factors"),
        (("--factors", "4"), "neither gives uncertainties"),
        (("--total", "PM10", "--uncertainties", "unc.csv"), "con.csv: --total"),
        (("--factors", "2", "--zero", "5:Si", "--uncertainties", "unc.csv"), "--zero"),
        (("--weak", "Xe", "--uncertainties", "unc.csv"), "weak species"),
        (("--uncertainties", "nosuch.csv"), "nosuch.csv"),
    ],
)
def test_command_names_what_is_wrong(files, words, message) -> None:
    placed = [files / word if str(word).endswith(".csv") else word for word in words]
    with pytest.raises(InputError, match=message):
        run_command("study", "sources", files / "con.csv", "--starts", 1, *placed)
