"""Which windows are learned from: thinned by city, cut at an hour, held back in blocks."""

from __future__ import annotations

import dataclasses

import numpy as np

from hazecast.grids.contract import LEAD_HOURS
from hazecast.models.series import WindowSet
from hazecast.models.training.tuning import hold_back, init_times
from hazecast.models.windows import balanced, only_until
from tests.support.training_data import made_series, made_windows

DAY = np.timedelta64(24, "h")


def index_of(counts: dict[tuple[int, int], int]) -> np.ndarray:
    """Return so many windows of each series and place; only their number matters here."""
    rows = [
        np.stack([np.full(n, series), np.full(n, place), np.arange(n)], axis=1) for (series, place), n in counts.items()
    ]
    return np.concatenate(rows).astype(np.int64)


def test_cities_with_many_windows_give_a_number_that_grows_with_the_root() -> None:
    one = made_series(200, 2)
    stations = dataclasses.replace(one, area=np.zeros(2, np.int64))
    windows = WindowSet((stations, one), index_of({(0, 0): 12_000, (0, 1): 12_000, (1, 0): 6_000}))
    found = balanced(windows, 3)
    by_city = [int((found.index[:, 0] == number).sum()) for number in (0, 1)]
    assert by_city == [int(np.sqrt(24_000 * 6_000)), 6_000]
    # Both stations of the large one, in the order they had, nothing twice.
    assert abs((found.index[: by_city[0], 1] == 0).mean() - 0.5) < 0.05
    keys = found.index[:, 0] * 10**9 + found.index[:, 1] * 10**6 + found.index[:, 2]
    assert (np.diff(keys) > 0).all()
    np.testing.assert_array_equal(balanced(windows, 3).index, found.index)
    assert not np.array_equal(balanced(windows, 4).index, found.index)


def test_a_place_of_few_windows_does_not_make_the_others_give_up_theirs() -> None:
    windows = WindowSet((made_series(200, 2),) * 2, index_of({(0, 0): 4_000, (1, 0): 10}))
    assert len(balanced(windows)) == len(windows)
    nothing = WindowSet((made_series(200),), np.empty((0, 3), np.int64))
    assert len(balanced(nothing)) == 0


def test_what_goes_with_the_windows_stays_with_them() -> None:
    windows = dataclasses.replace(made_windows(), weather_known=False, until=made_series().times[400])
    found = balanced(windows)
    assert (found.weather_known, found.until) == (False, windows.until) and found.series is windows.series


def test_a_series_until_an_hour_knows_nothing_later() -> None:
    series = made_series()
    cut = only_until(series, series.times[300])
    assert cut.times[-1] == series.times[300]
    for name in ("observations", "weather", "area_observations", "area_weather"):
        np.testing.assert_array_equal(getattr(cut, name), getattr(series, name)[:, :301])
    np.testing.assert_array_equal(cut.background.level, series.background.level[:, :301])
    np.testing.assert_array_equal(cut.places, series.places)
    whole = only_until(series, series.times[-1] + DAY)
    assert len(whole.times) == len(series.times) and len(only_until(series, series.times[0] - DAY).times) == 0


def test_blocks_held_back_share_no_target_with_what_is_learned_from() -> None:
    windows = made_windows(made_series(24 * 300), every=5)
    learn, held = hold_back(windows)
    assert 0.04 < len(held) / len(windows) < 0.10 and 0.85 < len(learn) / len(windows) < 0.95

    def days(part: WindowSet) -> set[np.datetime64]:
        lead = np.arange(1, LEAD_HOURS + 1).astype("timedelta64[h]")
        return set(np.unique((np.unique(init_times(part))[:, None] + lead).astype("datetime64[D]")))

    assert not days(learn) & days(held)
    # Of a series that ends before the first block nothing is held back.
    short = made_series(500)
    later = dataclasses.replace(short, times=short.times + 30 * DAY)
    assert len(hold_back(made_windows(later))[1]) == 0
