"""The forecasts that anybody has: what each falls back on."""

from __future__ import annotations

import dataclasses

import numpy as np

from hazecast.grids.contract import LEAD_HOURS
from hazecast.models.experts import EXPERTS, GROUP_OF, LEAD_GROUPS, expert_points
from hazecast.models.series import Windows
from tests.support.training_data import made_windows


def some_windows() -> Windows:
    return made_windows().batch(np.arange(3), future_weather=False)


def points_of(windows: Windows) -> dict[str, np.ndarray]:
    mean = np.full((len(windows), LEAD_HOURS, 2), 7.0, np.float32)
    found = expert_points(windows, mean)
    assert found.shape == (*mean.shape, len(EXPERTS)) and found.dtype == np.float32
    return {name: found[..., number] for number, name in enumerate(EXPERTS)}


def test_lead_groups_cover_every_lead_time_once() -> None:
    hours = [lead for first, last in LEAD_GROUPS for lead in range(first, last + 1)]
    assert hours == list(range(1, LEAD_HOURS + 1))
    assert [GROUP_OF[first - 1] for first, _ in LEAD_GROUPS] == list(range(len(LEAD_GROUPS)))


def test_each_expert_says_what_its_name_does() -> None:
    windows = some_windows()
    random = np.random.default_rng(0)
    monthly, guidance = (random.uniform(5, 90, windows.monthly.shape).astype(np.float32) for _ in range(2))
    points = points_of(dataclasses.replace(windows, monthly=monthly, guidance=guidance))
    np.testing.assert_array_equal(points["model"], 7.0)
    np.testing.assert_array_equal(points["persistence"][:, 50], windows.history_obs[:, -1, :2])
    np.testing.assert_array_equal(points["diurnal_persistence"][:, 29], windows.history_obs[:, -24 + 5, :2])
    np.testing.assert_array_equal(points["climatology"], windows.same_hour)
    np.testing.assert_array_equal(points["monthly"], monthly)
    np.testing.assert_array_equal(points["guidance"], guidance)


def test_without_an_earlier_year_or_guidance_those_are_climatology() -> None:
    windows = some_windows()
    assert np.isnan(windows.monthly).all() and np.isnan(windows.guidance).all()
    guidance = windows.guidance.copy()
    guidance[0, 10, 1] = 33.0
    points = points_of(dataclasses.replace(windows, guidance=guidance))
    np.testing.assert_array_equal(points["monthly"], points["climatology"])
    assert points["guidance"][0, 10, 1] == 33.0
    points["guidance"][0, 10, 1] = points["climatology"][0, 10, 1]
    np.testing.assert_array_equal(points["guidance"], points["climatology"])


def test_without_observations_of_the_last_days_persistence_is_what_is_usual() -> None:
    windows = some_windows()
    history = windows.history_obs.copy()
    history[0] = np.nan
    # Of one hour of the day nothing was seen; the newest of all hours is then repeated for it.
    history[1, 4::24] = np.nan
    same_hour = windows.same_hour.copy()
    same_hour[2] = np.nan
    points = points_of(dataclasses.replace(windows, history_obs=history, same_hour=same_hour))
    for name in ("persistence", "diurnal_persistence"):
        np.testing.assert_array_equal(points[name][0], windows.same_hour[0])
    np.testing.assert_array_equal(points["diurnal_persistence"][1, 4::24], points["persistence"][1, 4::24])
    assert not np.array_equal(points["diurnal_persistence"][1, 5::24], points["persistence"][1, 5::24])
    np.testing.assert_array_equal(points["climatology"][2], np.broadcast_to(windows.level[2, :2], (LEAD_HOURS, 2)))
    assert all(np.isfinite(value).all() for value in points.values())
