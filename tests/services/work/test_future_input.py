"""Input that is stamped in the future: left out, counted, and said."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace

import numpy as np
import pytest

from hazecast.grids.errors import InputError
from hazecast.grids.observations.collections import MonitorData
from hazecast.grids.observations.station_cities import NetworkStation
from hazecast.grids.places.cities import load_registry
from hazecast.grids.quality import Reporting
from hazecast.services.sources.monitors.interface import Batch, Reading
from hazecast.services.work import inputs
from hazecast.services.work.ingest.doubts import leave_out_future
from hazecast.services.work.shortcomings import shortcomings
from tests.support.forecasts import observations_of

NOW = datetime(2026, 1, 16, 3, 20, tzinfo=UTC)
YEARS_AHEAD = np.datetime64("2028-01-01T00", "ns")


def load(monkeypatch, tmp_path, until: np.datetime64, hours: int):
    observations = observations_of(np.full(hours, 50.0), until)
    found = MonitorData(observations, None, None, None, {}, "made")
    monkeypatch.setattr(inputs, "_observed", lambda *_: found)
    weather = SimpleNamespace(past=None, future=None, source="none", reasons=())
    return inputs.load_inputs(
        load_registry(), tmp_path, "live", None, tmp_path, lambda _: found, lambda *_: weather, lambda *_: None, now=NOW
    )


def test_a_collection_that_ends_in_the_future_is_read_up_to_now(monkeypatch, tmp_path) -> None:
    given, init = load(monkeypatch, tmp_path, np.datetime64("2026-01-16T08", "ns"), 48)
    assert init == NOW.replace(minute=0) and given.monitors.counts["future_hours"] == 5
    beijing = [load_registry().city("beijing")]
    assert any("5 hours are stamped in the future" in reason for reason in shortcomings(given, beijing, init))


def test_a_collection_of_the_future_alone_makes_no_forecast(monkeypatch, tmp_path) -> None:
    with pytest.raises(InputError, match="not in the future"):
        load(monkeypatch, tmp_path, YEARS_AHEAD, 48)


def test_observations_that_end_hours_ago_make_a_degraded_forecast(monkeypatch, tmp_path) -> None:
    given, init = load(monkeypatch, tmp_path, np.datetime64("2026-01-15T18", "ns"), 48)
    assert init == datetime(2026, 1, 15, 18, tzinfo=UTC) and given.init_age == NOW - init
    beijing = [load_registry().city("beijing")]
    assert "observations end 9 h before now" in shortcomings(given, beijing, init)


@pytest.mark.parametrize(("modelled", "problems"), [(False, 1), (True, 0)])
def test_readings_of_the_future_are_counted_and_a_measurement_is_a_fault(modelled, problems) -> None:
    station = NetworkStation("x", "1", "one", "beijing")
    times = [NOW.replace(minute=0), NOW.replace(year=2028)]
    batch = Batch({station.id: station}, [Reading(station.id, time, "pm25", 5.0, "ug/m3") for time in times])
    leave_out_future(batch, SimpleNamespace(reporting=Reporting(modelled=modelled)), NOW)
    assert [reading.time for reading in batch.readings] == times[:1] and batch.counts["future_values"] == 1
    assert len(batch.problems) == problems
