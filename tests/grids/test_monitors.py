"""Readers of the two collections: units, time, and every fault counted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hazecast.grids.contract import check
from hazecast.grids.errors import InputError
from hazecast.grids.observations.collections import read_observations
from hazecast.grids.places.cities import load_registry
from hazecast.grids.quality import DISTRUSTED, IMPOSSIBLE, MISSING, STUCK, flag_series

FIVE = "No,year,month,day,hour,season,PM_US Post,PM_Xuhui,DEWP,HUMI,PRES,TEMP,cbwd,Iws,precipitation,Iprec"
MULTI = "No,year,month,day,hour,PM2.5,PM10,SO2,NO2,CO,O3,TEMP,PRES,DEWP,RAIN,wd,WSPM,station"


def five_row(hour: int, pm: object = 50, direction: str = "NE", cumulated: float = 2.0, rain: float = 0) -> str:
    return f"{hour},2013,1,{1 + hour // 24},{hour % 24},4,{pm},NA,-10,60,1020,-2,{direction},{cumulated},{rain},0"


def write(folder: Path, name: str, header: str, rows: list[str]) -> Path:
    (folder / name).write_text("\n".join([header, *rows]) + "\n")
    return folder


def test_wind_is_taken_apart_again(tmp_path) -> None:
    rows = [
        five_row(0, cumulated=3.0),
        five_row(1, cumulated=5.0),
        five_row(2, direction="NW", cumulated=4.0),
        five_row(3, direction="cv", cumulated=0.9),
        five_row(5, direction="cv", cumulated=1.8),
    ]
    data = read_observations(write(tmp_path, "shanghai.csv", FIVE, rows), load_registry())
    speed = np.hypot(data.weather["u10"], data.weather["v10"])[:, 0]
    # The axis is that of the concentrations: it begins with the end of the first hour.
    np.testing.assert_allclose(speed, [2, 4, 0, np.nan, 0, np.nan], atol=1e-5)
    assert data.weather["u10"][0, 0] < 0 and data.weather["v10"][0, 0] < 0  # from the north-east
    assert data.weather["u10"][1, 0] > 0 and data.weather["v10"][1, 0] < 0  # from the north-west
    assert data.counts["missing_hours"] == 1 and data.counts["calm_wind"] == 2


def test_time_is_utc_and_gaps_are_put_back(tmp_path) -> None:
    rows = [five_row(0), five_row(1), five_row(1, pm=99), five_row(4, pm=60)]
    data = read_observations(write(tmp_path, "beijing.csv", FIVE, rows), load_registry())
    times = data.observations["time"].values
    assert times[0] == np.datetime64("2012-12-31T17:00") and len(times) == 5
    np.testing.assert_allclose(data.observations["pm25"][:, 0], [50, 50, np.nan, np.nan, 60])
    assert data.counts["duplicate_rows"] == 1 and data.counts["missing_hours"] == 2


def test_the_stamp_of_five_cities_is_the_start_of_the_hour_and_the_instant_of_the_weather(tmp_path) -> None:
    rows = [five_row(0, pm=40), five_row(1, pm=50)]
    rows[1] = rows[1].replace("1020,-2,", "1020,7,")
    data = read_observations(write(tmp_path, "beijing.csv", FIVE, rows), load_registry())
    at = data.observations["pm25"].sel(time="2012-12-31T17:00", city="beijing")
    assert float(at) == 40 and float(data.weather["t2m"].sel(time="2012-12-31T17:00")[0]) == pytest.approx(280.15)


def test_the_weather_of_multisite_is_that_of_the_hour_after_its_stamp(tmp_path) -> None:
    row = "1,2013,3,1,{hour},{pm},11,3,17,300,89,{temperature},1024.5,-21.4,0.3,N,5.0,Dongsi"
    rows = [row.format(hour=0, pm=9, temperature=-0.5), row.format(hour=1, pm=8, temperature=1.5)]
    data = read_observations(write(tmp_path, "Dongsi.csv", MULTI, rows), load_registry())
    assert data.observations["pm25"].values.ravel().tolist() == [9, 8]
    np.testing.assert_allclose(data.weather["t2m"][:, 0], [np.nan, 272.65], atol=1e-3)


def test_impossible_and_stuck_values_are_flagged_and_kept_raw(tmp_path) -> None:
    rows = [five_row(h, pm=p) for h, p in enumerate([40, -5, 9999, 0, 41, *[77] * 9, 50])]
    rows[5] = five_row(5, pm=77, rain=999_990)
    data = read_observations(write(tmp_path, "beijing.csv", FIVE, rows), load_registry())
    flags = data.stations["pm25_flag"].sel(station="beijing_us_post").values
    assert flags.tolist() == [0, 2, 2, 2, 0, *[3] * 9, 0]
    assert data.stations["pm25_raw"].sel(station="beijing_us_post").values[2] == 9999
    assert np.isfinite(data.observations["pm25"].values).sum() == 3
    assert data.counts["impossible"] == 3 and data.counts["stuck"] == 9 and data.counts["impossible_weather"] == 1


def test_multisite_units_and_wind(tmp_path) -> None:
    row = "1,2013,3,1,0,9,11,3,17,300,89,-0.5,1024.5,-21.4,0.3,N,5.0,Dongsi"
    later = row.replace("2013,3,1,0", "2013,3,1,1")
    data = read_observations(write(tmp_path, "Dongsi.csv", MULTI, [row, later]), load_registry())
    here = {name: float(data.weather[name][1, 0]) for name in data.weather}
    assert here == pytest.approx(
        {"t2m": 272.65, "d2m": 251.75, "u10": 0.0, "v10": -5.0, "sp": 102_450, "tp": 0.3}, abs=0.01
    )
    assert float(data.observations["co"][0, 0]) == 300


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("beijing.csv", FIVE.replace("TEMP,", "") + "\n", "TEMP"),
        ("beijing.csv", FIVE + "\n" + five_row(0, pm="much"), "PM_US Post.*much"),
        ("beijing.csv", FIVE + "\n" + five_row(0).replace("2013,1,1", "2013,13,1"), "month"),
        ("beijing.csv", FIVE + "\n" + five_row(0, direction="UP"), "cbwd.*UP"),
        ("atlantis.csv", FIVE + "\n" + five_row(0), "atlantis"),
        ("other.csv", "a,b\n1,2\n", "columns"),
        ("empty.csv", "", "empty.csv"),
        ("cut.csv.gz", "not gzip at all", "cut.csv.gz"),
    ],
)
def test_bad_files_are_named(tmp_path, name, text, message) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=message):
        read_observations(tmp_path, load_registry())


def test_a_wrong_year_asks_for_no_axis_of_millions_of_hours(tmp_path) -> None:
    rows = [five_row(0), five_row(1).replace("2013", "2213"), five_row(2)]
    with pytest.raises(
        InputError, match="hours: found 2012-12-31 17:00:00 to 2212-12-31 18:00:00 UTC; expected .*40 years"
    ):
        read_observations(write(tmp_path, "shanghai.csv", FIVE, rows), load_registry())


def test_empty_folder_is_named(tmp_path) -> None:
    with pytest.raises(InputError, match="no CSV"):
        read_observations(tmp_path, load_registry())


def test_five_cities_as_published(shared_data) -> None:
    data = read_observations(shared_data / "five-cities", load_registry())
    check(data.observations, "observations")
    check(data.weather, "city_weather")
    assert list(data.observations["city"].values) == ["beijing", "shanghai", "shenyang"]
    assert data.observations.sizes["time"] == 17_520
    assert data.counts["missing_hours"] == 17_520 - 16_842
    assert "o3" not in data.observations
    peak = data.observations["pm25"].sel(city="beijing").max()
    assert 800 < float(peak) < 1000
    # January 2013, when Beijing rose from 50 to 880, and fireworks are believed.
    assert not (data.stations["pm25_flag"] == DISTRUSTED).any()


def test_beijing_multisite_as_published(shared_data) -> None:
    data = read_observations(shared_data / "beijing-multisite", load_registry())
    assert data.stations.sizes == {"time": 26_304, "station": 12}
    missing = (data.stations["pm25_flag"] == MISSING).mean(dim="time")
    assert ((missing > 0.01) & (missing < 0.04)).all()
    valid = np.isfinite(data.stations["pm25"]).sum("station")
    np.testing.assert_array_equal(data.observations["pm25_stations"][:, 0], valid)
    np.testing.assert_allclose(
        data.observations["pm25"][:, 0], data.stations["pm25"].mean("station"), rtol=1e-5, equal_nan=True
    )


def test_flags_of_a_series() -> None:
    values = np.array([np.nan, 0.0, 2001.0, *[5.0] * 8, 6.0, *[7.0] * 7])
    flags = flag_series(values, "pm25")
    assert flags.tolist() == [MISSING, IMPOSSIBLE, IMPOSSIBLE, *[STUCK] * 8, 0, *[0] * 7]
