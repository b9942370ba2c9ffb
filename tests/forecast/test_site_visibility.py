"""A site's learned visibility is monotone where physics is, and scores in years that it has not seen."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hazecast.forecast.site_visibility import SITES, as_json, inputs_of, sites
from hazecast.forecast.studies.visibility.hours import THRESHOLDS, paired_hours, score_table, scores
from hazecast.forecast.visibility import visibility
from hazecast.grids.errors import InputError
from hazecast.grids.observations.collections import read_observations
from hazecast.grids.observations.isd import read_isd

BEIJING = sites()["beijing"]
START = np.datetime64("2013-01-01T00", "ns")


def score_of(pm25: float, humidity: float, day: int) -> np.ndarray:
    times = START + np.timedelta64(24 * day, "h") + np.arange(48) * np.timedelta64(1, "h")
    rising, free = inputs_of(np.full(48, pm25), np.full(48, humidity), times, BEIJING.longitude)
    return BEIJING.score(rising, free)[24:]


@given(st.floats(0.0, 900.0), st.floats(0.0, 900.0), st.floats(0.0, 100.0), st.floats(0.0, 100.0), st.integers(0, 364))
def test_visibility_falls_with_pm25_and_humidity_in_every_season_and_hour(one, other, moist, dry, day) -> None:
    low, high = sorted((one, other))
    dry, moist = sorted((moist, dry))
    base, more_mass, more_moisture = score_of(low, dry, day), score_of(high, dry, day), score_of(low, moist, day)
    for less in (more_mass, more_moisture):
        assert (BEIJING.visibility(less) <= BEIJING.visibility(base) + 1e-6).all()
        assert (BEIJING.visibility_at(less, 0.3) <= BEIJING.visibility_at(base, 0.3) + 1e-6).all()


def test_probabilities_and_quantiles_are_two_sides_of_one_distribution() -> None:
    score = np.linspace(-6.0, 6.0, 25)
    for bound, offset, chosen in zip(BEIJING.bounds, BEIJING.offsets, BEIJING.chosen, strict=True):
        below = 1.0 / (1.0 + np.exp(-(score + offset)))
        inside = (below > 0.02) & (below < 0.98)
        np.testing.assert_allclose(BEIJING.visibility_at(score[inside], below[inside]), bound, rtol=1e-6)
        # The visibility lies below a bound just where the bound's chosen probability is exceeded.
        clear = np.abs(below - chosen) > 1e-3
        assert ((BEIJING.visibility(score) < bound) == (below > chosen))[clear].all()


def test_missing_hours_stay_missing_and_means_are_of_what_is_known() -> None:
    times = START + np.arange(30) * np.timedelta64(1, "h")
    mass = np.full(30, 80.0)
    mass[[20, 25]] = np.nan
    rising, free = inputs_of(mass, np.full(30, 50.0), times, 116.4)
    assert np.isnan(rising[0][[20, 25]]).all() and np.isfinite(rising[0][[21, 26]]).all()
    assert np.isnan(rising[1][:5]).all() and free.shape == (4, 30)
    assert np.isnan(BEIJING.visibility(BEIJING.score(rising, free))).sum() == 7
    with pytest.raises(InputError, match="pm25"):
        inputs_of(np.array([-1.0]), np.array([50.0]), times[:1], 116.4)


def test_a_broken_site_is_named(tmp_path) -> None:
    assert sites(SITES) is sites() or sites(SITES) == sites()
    (tmp_path / "beijing.json").write_text(as_json(BEIJING))
    assert sites(tmp_path) == {"beijing": BEIJING}
    other = tmp_path / "other"
    other.mkdir()
    (other / "x.json").write_text(json.dumps(asdict(BEIJING) | {"surplus": 1}))
    with pytest.raises(InputError, match=r"x\.json"):
        sites(other)
    with pytest.raises(InputError, match="rising"):
        replace(BEIJING, rising=tuple(tuple(-w for w in row) for row in BEIJING.rising))
    with pytest.raises(InputError, match="shapes"):
        replace(BEIJING, offsets=BEIJING.offsets[:-1])


def test_scores_of_a_table_by_hand() -> None:
    found = scores(np.array([True, True, False, False]), np.array([True, False, True, True]))
    assert found == {"csi": 0.25, "bias": 1.5, "pod": 0.5, "far": pytest.approx(2 / 3)}


def test_beijing_in_two_years_that_nothing_was_fitted_to(shared_data, tmp_path) -> None:
    for folder, pattern in (("metar-beijing", "*-201[34].gz"), ("us-posts", "Beijing_*_201[34]_*")):
        (tmp_path / folder).mkdir()
        for path in (shared_data / folder).glob(pattern):
            (tmp_path / folder / path.name).symlink_to(path)
    data, station = read_observations(tmp_path / "us-posts", None), read_isd(tmp_path / "metar-beijing")
    hours = paired_hours(data.observations["pm25"].sel(city="beijing"), station, BEIJING.longitude)
    assert len(hours.times) > 16_000
    computed = {
        "law": visibility(hours.pm25, hours.humidity),
        "learned": BEIJING.visibility(BEIJING.score(hours.rising, hours.free)),
    }
    table = score_table(hours, computed)
    learned, law = table.loc["learned"], table.loc["law"]
    assert (learned["csi"] >= [0.50, 0.58, 0.72]).all() and learned["bias"].between(0.85, 1.2).all()
    assert (law["csi"] >= [0.36, 0.51, 0.66]).all() and law["bias"].between(0.85, 1.2).all()
    assert list(table.loc["law"].index) == [int(t) for t in THRESHOLDS]
    with pytest.raises(InputError, match="visibility"):
        paired_hours(data.observations["pm25"].sel(city="beijing"), station.drop_vars("rain"), 116.4)
