"""Weather for the training collections that have none."""

from __future__ import annotations

import numpy as np
import pytest
from typer.testing import CliRunner

from hazecast.grids.contract import WEATHER
from hazecast.grids.observations.isd import read_isd
from hazecast.services.cli.app import app
from hazecast.services.research.experiments import read_series
from tests.tools.fuzz.collections import write_isd, write_us_posts


def test_a_collection_without_weather_takes_that_of_its_city(tmp_path) -> None:
    for name, write in (("posts", write_us_posts), ("isd", write_isd)):
        (tmp_path / name).mkdir()
        write(tmp_path / name / "a.csv")
    station = read_isd(tmp_path / "isd")
    series = read_series(tmp_path / "posts", {"beijing": station, "tokyo": station})
    assert series.places.tolist() == ["beijing"]
    u10 = series.weather[0, :, list(WEATHER).index("u10")]
    hour = int(np.flatnonzero(series.times == np.datetime64("2013-03-01T01"))[0])
    assert u10[hour] == 4 and np.isnan(u10[: hour - 1]).all()
    assert np.isnan(read_series(tmp_path / "posts").weather).all()


@pytest.mark.parametrize("option", ["beijing", "=folder", "beijing="])
def test_a_station_without_its_city_is_refused(tmp_path, option) -> None:
    result = CliRunner().invoke(
        app, ["train", "--observations", str(tmp_path), "--out", str(tmp_path / "out"), "--weather-of", option]
    )
    assert result.exit_code != 0 and "NAME=VALUE" in str(result.exception) + result.output
