"""The box: conservation, the photostationary state, and the known shape of ozone over VOC and NOx."""

from __future__ import annotations

import json

import numpy as np
import pytest

from hazecast.forecast.studies.ozone.box import (
    CARBON,
    MIXTURE,
    Conditions,
    incremental_reactivity,
    isopleths,
    simulate,
    urban,
)
from hazecast.grids.errors import InputError
from tests.support.command_line import run_command

NITROGEN = {"NO": 1, "NO2": 1, "NO3": 1, "N2O5": 2, "HONO": 1, "HNO3": 1, "PNA": 1, "PAN": 1}


def test_nitrogen_is_kept_without_voc() -> None:
    run = simulate({"NO": 30.0, "NO2": 10.0, "O3": 40.0, "CO": 2000.0})
    total = sum(number * run[name] for name, number in NITROGEN.items())
    assert total.to_numpy() == pytest.approx(np.full(len(run), 40.0), rel=1e-3)
    assert (run.to_numpy() > -1e-6).all()


def test_photostationary_state_at_noon() -> None:
    """Leighton: O3 NO k3 = J NO2, where peroxy radicals are few; J at noon is that of overhead sun times the cosine."""
    run = simulate({"NO": 20.0, "NO2": 20.0, "O3": 40.0}).loc[12.0]
    cosine = np.cos(np.radians(34.3 - 23.45 * np.sin(2 * np.pi * (284 + 196) / 365)))
    k3 = 1.8e-12 * np.exp(-1370 / 303.0) * 1013.25e2 / (1.380649e-23 * 303.0) * 1e-15
    assert k3 * run["O3"] * run["NO"] / (8.89e-3 * cosine * run["NO2"]) == pytest.approx(1, abs=0.03)


def test_mixture_is_of_carbon() -> None:
    assert sum(share * CARBON[name] for name, share in MIXTURE.items()) == pytest.approx(1 - 0.085)


def test_shape_of_the_isopleths() -> None:
    voc = [200.0, 600.0, 1200.0]
    found = isopleths(voc, [10.0, 20.0, 40.0, 80.0, 160.0])
    ridge = found.idxmax()
    # More VOC never lowers ozone beside much NOx; the ridge moves up with VOC, near the textbooks' 8 of carbon a NOx.
    assert (found.loc[80.0].diff().dropna() > 0).all() and ridge.is_monotonic_increasing
    for one in voc:
        assert 4 <= one / ridge[one] <= 20
    # VOC-limited: less NOx gives more ozone. NOx-limited: less.
    assert found.loc[40.0, 200.0] > found.loc[80.0, 200.0] and found.loc[10.0, 1200.0] < found.loc[20.0, 1200.0]


def test_relative_incremental_reactivity_on_both_sides() -> None:
    limited_by_voc = incremental_reactivity(urban(300, 80))
    assert limited_by_voc["VOC"] > 0 > limited_by_voc["NOx"]
    # Small cuts add up.
    assert limited_by_voc[list(MIXTURE)].sum() == pytest.approx(limited_by_voc["VOC"], rel=0.1)
    limited_by_nox = incremental_reactivity(urban(1500, 30))
    assert limited_by_nox["NOx"] > 0.3 > limited_by_nox["VOC"]


def test_night_and_bad_input() -> None:
    night = simulate(urban(300, 20), Conditions(begin=0, end=4))
    assert night["O3"].iloc[-1] < 40 and night["OH"].max() < 1e-4
    for initial, where, message in (
        ({"XYLENE": 1.0}, Conditions(), "XYLENE"), ({"NO": -1.0}, Conditions(), "NO, ppb"), ({}, Conditions(kelvin=30), "kelvin"),
        ({}, Conditions(begin=12, end=12), "end"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=message):
            simulate(initial, where)
    with pytest.raises(InputError, match="cut"):
        incremental_reactivity(urban(300, 20), cut=1.0)
    with pytest.raises(InputError, match="ozone produced"):
        incremental_reactivity(urban(0, 0), Conditions(begin=0, end=3))


def test_commands(tmp_path) -> None:
    given = ("study", "ekma", "--voc", "200", "--voc", "800", "--nox", "20", "--nox", "100", "--json")
    printed = json.loads(run_command(*given, "--out", tmp_path / "out"))
    assert printed["ridge"][0]["nox"] == 20 and printed["ridge"][1]["voc"] == 800
    assert all(row["at_edge"] for row in printed["ridge"])
    assert (tmp_path / "out" / "isopleths.png").exists()
    printed = json.loads(run_command("study", "rir", "--voc", "300", "--nox", "80", "--json"))
    assert printed["limited_by"] == "VOC" and {row["precursor"] for row in printed["rir"]} >= {"VOC", "NOx", "OLE"}
