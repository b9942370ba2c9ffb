"""Daily means by station, and the level around a place."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from hazecast.grids.errors import InputError
from hazecast.grids.observations.daily_means import level_at, read_daily_means

STATIONS = (
    "station_code,prefecture,latitude,longitude\n01101010,Hokkai-do,43.06,141.35\n44201010,Oita-ken,33.24,131.61\n"
)
MEANS = "station,date,pm25_mean\n"


def write(folder: Path, means: str, stations: str | None = STATIONS) -> Path:
    (folder / "means.csv").write_text(means)
    if stations is not None:
        (folder / "stations.csv").write_text(stations)
    return folder


def test_days_stations_and_their_places(tmp_path) -> None:
    rows = [
        "01101010,2011-04-01,10",
        "01101010,2011-04-03,20",
        "01101010,2011-04-03,99",
        "44201010,2011-04-01,-7",
        "9,2011-04-02,5",
    ]
    daily = read_daily_means(write(tmp_path, MEANS + "\n".join(rows) + "\n"))
    assert daily["pm25"].dims == ("day", "station") and daily.sizes["day"] == 3
    np.testing.assert_array_equal(daily["pm25"].sel(station="01101010"), [10, np.nan, 20])
    assert daily["prefecture"].values.tolist() == ["Hokkai-do", "Oita-ken", ""]
    assert [daily.attrs[f"count_{name}"] for name in ("duplicate_rows", "impossible", "unknown_stations")] == [1, 1, 1]
    assert level_at(daily, 43.1, 141.4) == 15
    assert np.isnan(level_at(daily, 33.24, 131.61)) and np.isnan(level_at(daily, 35.7, 139.7))


@pytest.mark.parametrize(
    ("means", "stations", "message"),
    [
        (MEANS + "1,2011-04-01,10\n", None, "station_code"),
        (MEANS + "1,1.4.2011,10\n", STATIONS, "column date, row 0"),
        (MEANS + "1,2011-04-01,much\n", STATIONS, "pm25_mean.*much"),
        ("a,b\n1,2\n", STATIONS, "columns"),
    ],
)
def test_faulty_folders_are_named(tmp_path, means, stations, message) -> None:
    with pytest.raises(InputError, match=message):
        read_daily_means(write(tmp_path, means, stations))


def test_with_the_table_of_stations_as_published(shared_data, tmp_path) -> None:
    shutil.copy(shared_data / "japan-daily" / "stations_all.csv", tmp_path)
    # 1101010,Hokkai-do,1,43.0622,141.3542,...
    daily = read_daily_means(write(tmp_path, MEANS + "1101010,2011-04-01,12.5\n", None))
    assert daily["prefecture"].values.tolist() == ["Hokkai-do"] and float(daily["latitude"][0]) == 43.0622
