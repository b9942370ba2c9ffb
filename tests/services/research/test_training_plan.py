"""What a network learns from: until when each collection is read, and which places are left out."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from hazecast.grids.contract import HISTORY_HOURS, LEAD_HOURS
from hazecast.grids.errors import InputError
from hazecast.grids.times import to_datetime64
from hazecast.services.research.experiments import TRAINING_ERRORS, TrainingPlan, training_windows
from tests.support.training_data import made_series

UNTIL = datetime(2020, 1, 1, tzinfo=UTC)
EARLIER = datetime(2015, 1, 1, tzinfo=UTC)
# After the episodes that no training reads.
BEGIN = datetime(2017, 1, 1, tzinfo=UTC)


def test_each_collection_has_an_end_of_its_own_or_that_of_all() -> None:
    plan = TrainingPlan((Path("data/one"), Path("data/two")), UNTIL, {"two": EARLIER})
    assert plan.ends() == {"one": UNTIL, "two": EARLIER} and list(plan.ends()) == ["one", "two"]


def test_an_end_of_an_unknown_collection_and_two_of_one_name_are_named() -> None:
    with pytest.raises(InputError, match="three"):
        TrainingPlan((Path("one"), Path("two")), UNTIL, {"three": EARLIER}).ends()
    with pytest.raises(InputError, match="each name once"):
        TrainingPlan((Path("data/one"), Path("other/one")), UNTIL).ends()


def later_series(hours: int = 800):
    series = made_series(hours, 3)
    shift = to_datetime64(BEGIN) - series.times[0]
    return dataclasses.replace(
        series,
        times=series.times + shift,
        area=np.array([0, 0, 1], np.int64),
        area_observations=series.observations[:2].copy(),
        area_weather=series.weather[:2].copy(),
    )


def test_no_hour_after_a_series_own_end_is_there_to_be_read() -> None:
    ends = [BEGIN + timedelta(hours=500), BEGIN + timedelta(hours=300)]
    windows = training_windows([later_series(), later_series()], ends)
    for number, end in enumerate(ends):
        series = windows.series[number]
        assert series.times[-1] == to_datetime64(end) and series.weather.shape[1] == len(series.times)
        mine = windows.index[windows.index[:, 0] == number]
        assert mine[:, 2].min() == HISTORY_HOURS - 1 and mine[:, 2].max() == len(series.times) - 1 - LEAD_HOURS
    assert windows.errors == TRAINING_ERRORS


def test_a_place_is_left_out_with_its_whole_area() -> None:
    everything = training_windows([later_series()], BEGIN + timedelta(hours=500))
    assert set(everything.index[:, 1]) == {0, 1, 2}
    fewer = training_windows([later_series()], BEGIN + timedelta(hours=500), without=["place1"])
    assert set(fewer.index[:, 1]) == {2}
    with pytest.raises(InputError, match="nowhere"):
        training_windows([later_series()], BEGIN + timedelta(hours=500), without=["nowhere"])
