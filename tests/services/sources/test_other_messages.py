"""Answers of the GRIB2 sources that are whole and decode, but hold something else than was asked for."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import xarray as xr

from hazecast.grids.places.cities import load_registry
from hazecast.grids.weather.codec import eccodes
from hazecast.services.sources.weather.ecmwf import EcmwfOpenData
from hazecast.services.sources.weather.gfs import Gfs
from hazecast.services.sources.weather.interface import Wanted
from hazecast.services.store.weather_cycles import WeatherStore
from hazecast.services.work.ingest.weather import ingest_newest
from tests.support.source_server import QUICK, Reply
from tests.support.weather_publishers import (
    TRUTH,
    ecmwf_path,
    gfs_file,
    gfs_message,
    gfs_path,
    gfs_total,
    plane,
    publish_ecmwf,
    publish_gfs,
    put_message,
)

NEWEST = datetime(2026, 11, 24, 0, tzinfo=UTC)
EARLIER = NEWEST - timedelta(hours=6)
NOW = datetime(2026, 11, 24, 9, 20, tzinfo=UTC)
WANTED = Wanted(tuple(load_registry().cities.values())[:4], hours=6)
TEMPERATURE, DEW_POINT = ":TMP:2 m", ":DPT:2 m"


@pytest.fixture
def store(tmp_path):
    return WeatherStore(tmp_path / "weather")


def with_holes(share: float) -> bytes:
    """The temperature with a share of its values missing, from the north."""
    message = gfs_message("t2m", NEWEST, 6)
    handle = eccodes.codes_new_from_message(message)
    values = eccodes.codes_get_values(handle)
    values[: int(share * values.size)] = 9999.0
    for key, value in {"packingType": "grid_simple", "bitmapPresent": 1, "missingValue": 9999.0}.items():
        eccodes.codes_set(handle, key, value)
    eccodes.codes_set_values(handle, values)
    message = eccodes.codes_get_message(handle)
    eccodes.codes_release(handle)
    return message


def ensemble(template: int, **keys: int) -> Callable[[], bytes]:
    return lambda: gfs_message("t2m", NEWEST, 6, productDefinitionTemplateNumber=template, **keys)


AT_850 = {"typeOfFirstFixedSurface": 100, "scaledValueOfFirstFixedSurface": 85_000}
OTHERS = {
    "another parameter": (DEW_POINT, lambda: gfs_message("t2m", NEWEST, 6), "variables: found", "no d2m"),
    "another level": (TEMPERATURE, lambda: gfs_message("t2m", NEWEST, 6, **AT_850), "variables: found", "no t2m"),
    "a member": (TEMPERATURE, ensemble(1, typeOfEnsembleForecast=3), "variables: found", "no t2m"),
    "an ensemble's mean": (TEMPERATURE, ensemble(2, derivedForecast=0), "variables: found", "no t2m"),
    "another span": (
        "10:", lambda: gfs_total("tp", NEWEST, 3, 6), "tp: found a value over 3 h", "one over 6 h, as asked for",
    ),
    "a mean": (
        ":TCDC:entire atmosphere:6 hour", lambda: gfs_total("tcc", NEWEST, 0, 6, mean=True),
        "tcc: found means over time alone", "values at a time, as asked for",
    ),
    "another run": (TEMPERATURE, lambda: gfs_message("t2m", EARLIER, 12), "found 2 forecast runs", ""),
    "one value": (
        TEMPERATURE, lambda: gfs_message("t2m", NEWEST, 6, plane(280.0)),
        "t2m: found 280 K at all 108 places and times", "values that vary",
    ),
    "no value": (TEMPERATURE, lambda: with_holes(1.0), "t2m: found 108 of 108 values missing", "a value at every point"),
    "holes": (TEMPERATURE, lambda: with_holes(0.3), "t2m: found 48 of 108 values missing", "a value at every point"),
    "damper than saturated": (
        DEW_POINT, lambda: gfs_message("d2m", NEWEST, 6, plane(*TRUTH["d2m"][:3]) + 16.0),
        "d2m: found 108 of 108 values more than 1 K above the temperature, at most 7.9 K", "a dew point",
    ),
    "0 K": (TEMPERATURE, lambda: gfs_message("t2m", NEWEST, 6, plane(0.0)), "t2m: found 108 values outside", "180 to 340 K"),
    "in Celsius": (TEMPERATURE, lambda: gfs_message("t2m", NEWEST, 6, plane(5.0, 0.1)), "t2m: found 108 values outside", ""),
}  # fmt: skip


@pytest.mark.parametrize("other", OTHERS)
def test_a_message_that_is_another_than_its_index_says_is_not_taken(source_server, store, closed_after, other) -> None:
    for cycle in (EARLIER, NEWEST):
        publish_gfs(source_server, cycle, WANTED.hours)
    line, message, found, expected = OTHERS[other]
    put_message(source_server, NEWEST, 6, line, message())
    source = closed_after(Gfs(source_server.url, QUICK))
    report = ingest_newest([source], WANTED, store, NOW)
    assert report.attempts[0].cycle.init_time == EARLIER
    assert found in report.reasons[0] and expected in report.reasons[0] and "f006" in report.reasons[0]
    assert report.reasons[1] == "weather: gfs is late, the newest cycle is of 2026-11-23T18Z"


def filtered(source_server, closed_after, answer: Callable[[str, int], Reply | None]) -> Gfs:
    """GFS by a filter that answers `answer` of a file's directory and step, by default the whole file."""
    for cycle in (EARLIER, NEWEST):
        publish_gfs(source_server, cycle, WANTED.hours)

    def reply(seen):
        path = f"{seen.query['dir']}/{seen.query['file']}"
        return answer(seen.query["dir"], int(path[-3:])) or Reply(source_server._files[path][0])

    address = source_server.route("/cgi-bin/filter", reply)
    return closed_after(Gfs(source_server.url, QUICK, filter_url=address))


def cut_out(step: int, leave_out: tuple[str, ...]) -> bytes:
    """The file of a step without the messages whose lines hold one of these texts."""
    body, index = gfs_file(NEWEST, step)
    starts = [int(line.split(":")[1]) for line in index.splitlines()] + [len(body)]
    return b"".join(
        body[start:end]
        for line, start, end in zip(index.splitlines(), starts, starts[1:], strict=False)
        if not any(text in line for text in leave_out)
    )


def test_a_variable_that_one_filtered_file_lacks_is_said(source_server, store, closed_after) -> None:
    def answer(folder: str, step: int) -> Reply | None:
        return Reply(cut_out(step, (":DPT:", ":RH:"))) if step == 3 else None

    report = ingest_newest([filtered(source_server, closed_after, answer)], WANTED, store, NOW)
    with xr.open_dataset(report.path) as weather:
        assert weather.attrs["init_time"] == "2026-11-24T00:00:00Z"
        assert weather.attrs["unexpectedly_absent"] == "d2m: no DPT:2 m above ground in the filtered file of step 3 h"
        assert int(np.isnan(weather["d2m"]).all(dim=("latitude", "longitude")).sum()) == 1


FILTERED = {
    "another step": (lambda: gfs_file(NEWEST, 3)[0], "found 2026-11-24T03:00:00Z; expected 2026-11-24T06:00:00Z, as asked for"),
    "another run": (lambda: gfs_file(EARLIER, 12)[0], "init_time: found 2026-11-23T18:00:00Z; expected 2026-11-24T00:00:00Z"),
    "a page": (lambda: b"<html><body>data file is not present</body></html>", "found an HTML page; expected an undamaged file"),
}  # fmt: skip


def test_a_filtered_mean_in_place_of_an_instant_is_said(source_server, store, closed_after) -> None:
    def answer(folder: str, step: int) -> Reply | None:
        return Reply(cut_out(step, ("TCDC:entire atmosphere:6 hour",))) if step == 6 else None

    report = ingest_newest([filtered(source_server, closed_after, answer)], WANTED, store, NOW)
    with xr.open_dataset(report.path) as weather:
        said = "tcc: no TCDC:entire atmosphere in the filtered file of step 6 h"
        assert weather.attrs["unexpectedly_absent"] == said


def test_a_forecast_of_an_earlier_run_is_no_analysis(source_server, store, closed_after) -> None:
    def answer(folder: str, step: int) -> Reply | None:
        return Reply(gfs_file(EARLIER, 6)[0]) if step == 0 and "20261124" in folder else None

    report = ingest_newest([filtered(source_server, closed_after, answer)], WANTED, store, NOW)
    assert report.attempts[0].cycle.init_time == EARLIER
    assert "f000.grib2.part: init_time: found 2026-11-23T18:00:00Z; expected 2026-11-24T00:00:00Z" in report.reasons[0]


@pytest.mark.parametrize("fault", FILTERED)
def test_a_filtered_file_of_something_else_is_not_taken(source_server, store, closed_after, fault) -> None:
    body, message = FILTERED[fault]

    def answer(folder: str, step: int) -> Reply | None:
        return Reply(body()) if step == 6 and "20261124" in folder else None

    report = ingest_newest([filtered(source_server, closed_after, answer)], WANTED, store, NOW)
    assert report.attempts[0].cycle.init_time == EARLIER and message in report.reasons[0]
    assert "index" not in report.reasons[0]


def test_a_filtered_file_of_another_area_is_not_taken(source_server, store, closed_after) -> None:
    elsewhere = Wanted(WANTED.cities, box=WANTED.box._replace(south=-40.0), hours=6)

    def answer(folder: str, step: int) -> Reply | None:
        return Reply(northern(step))

    def northern(step: int) -> bytes:
        handle = eccodes.codes_new_from_message(gfs_message("t2m", NEWEST, step))
        for key, value in {"Nj": 19, "latitudeOfLastGridPointInDegrees": 0.0, "packingType": "grid_simple"}.items():
            eccodes.codes_set(handle, key, value)
        eccodes.codes_set_values(handle, np.linspace(250.0, 300.0, 19 * 72))
        message: bytes = eccodes.codes_get_message(handle)
        eccodes.codes_release(handle)
        return message

    report = ingest_newest([filtered(source_server, closed_after, answer)], elsewhere, store, NOW)
    assert report.path is None
    assert "latitude: found 0 to 55 degrees; expected -40 to 55 degrees, as asked for" in report.reasons[0]


def changed(line: str, **values: object) -> str:
    return json.dumps(json.loads(line) | values)


def of(param: str, line: str) -> bool:
    return json.loads(line)["param"] == param


# What becomes of each line of the index of step 6; what the source then lacks.
HARMLESS = {
    "twice": lambda line: [line, line],
    "with carriage returns": lambda line: [line + "\r"],
    "with empty lines": lambda line: [line, ""],
    "with lines of no JSON": lambda line: [line, "garbage", "[1, 2]", "12", '{"param": "2t"}'],
    "on levels too": lambda line: [line, changed(line, levtype="pl", levelist="850", _offset=0, _length=9)],
    "of members too": lambda line: [line, changed(line, type="pf", number="3", _offset=0, _length=9)],
    "of other steps too": lambda line: [line, changed(line, step="9", _offset=0, _length=9)],
}
LACKING = {
    "without a line": lambda line: [] if of("2d", line) else [line],
    "with a line that can't be read": lambda line: ["{" if of("2d", line) else line],
    "with a first byte as text": lambda line: [changed(line, _offset="0") if of("2d", line) else line],
    "with a name of its own": lambda line: [line.replace('"2d"', '"2D"')],
}
REFUSED = {
    "of another run": (
        lambda line: [changed(line, date="20261123")],
        ".index: date: found 20261123; expected 20261124",
    ),
    "of another step": (lambda line: [changed(line, step="9")], ".index: found no field of the contract"),
    "of other messages": (
        lambda line: [changed(line, param="2t")] if of("msl", line) else [] if of("2t", line) else [line],
        "variables: found d2m, u10, v10, sp, tp, tcc, ssrd, no t2m",
    ),
    "with two places for one": (lambda line: [line, changed(line, _offset=0)], ".index: 2t: found bytes at "),
    "empty": (lambda line: [], ".index: found ''; expected JSON lines with param"),
}


def ecmwf_with_index(source_server, closed_after, edit: Callable[[str], list[str]]) -> EcmwfOpenData:
    for cycle in (EARLIER, NEWEST):
        publish_ecmwf(source_server, cycle, WANTED.hours)
    path = ecmwf_path(NEWEST, 6) + ".index"
    lines = source_server._files[path][0].decode().splitlines()
    source_server.file(path, "\n".join(one for line in lines for one in edit(line)).encode())
    return closed_after(EcmwfOpenData(source_server.url, QUICK))


@pytest.mark.parametrize("index", HARMLESS | LACKING)
def test_an_index_of_ecmwf_costs_what_it_lacks_alone(source_server, store, closed_after, index) -> None:
    source = ecmwf_with_index(source_server, closed_after, (HARMLESS | LACKING)[index])
    report = ingest_newest([source], WANTED, store, NOW)
    assert report.reasons == ()
    with xr.open_dataset(report.path) as weather:
        assert weather.attrs["init_time"] == "2026-11-24T00:00:00Z"
        said = "d2m: no param 2d in the index of step 6 h" if index in LACKING else ""
        assert weather.attrs["unexpectedly_absent"] == said
        assert np.isnan(weather["d2m"].values[-1]).all() == (index in LACKING)
        assert not np.isnan(weather[["t2m", "u10", "v10", "sp"]].to_array()).any()


@pytest.mark.parametrize("index", REFUSED)
def test_an_index_of_ecmwf_for_something_else_is_refused_by_name(source_server, store, closed_after, index) -> None:
    edit, message = REFUSED[index]
    report = ingest_newest([ecmwf_with_index(source_server, closed_after, edit)], WANTED, store, NOW)
    assert report.attempts[0].cycle.init_time == EARLIER and message in report.reasons[0]


def test_a_cut_index_of_ecmwf_is_asked_for_again(source_server, store, closed_after) -> None:
    publish_ecmwf(source_server, NEWEST, WANTED.hours)
    path = ecmwf_path(NEWEST, 6) + ".index"
    whole = source_server._files[path][0]
    answers = iter([whole[: len(whole) // 2], whole])
    source_server.route(path, lambda seen: Reply(next(answers)))
    report = ingest_newest([closed_after(EcmwfOpenData(source_server.url, QUICK))], WANTED, store, NOW)
    with xr.open_dataset(report.path) as weather:
        assert weather.attrs["unexpectedly_absent"] == ""


@pytest.mark.parametrize("name", ["gfs", "ecmwf"])
def test_bytes_that_are_no_text_cost_an_index_nothing_else(source_server, store, closed_after, name) -> None:
    publish, path, made = {
        "gfs": (publish_gfs, gfs_path(NEWEST, 6) + ".idx", Gfs),
        "ecmwf": (publish_ecmwf, ecmwf_path(NEWEST, 6) + ".index", EcmwfOpenData),
    }[name]
    publish(source_server, NEWEST, WANTED.hours)
    source_server.file(path, source_server._files[path][0] + b"\xff\xfe\x00\n")
    report = ingest_newest([closed_after(made(source_server.url, QUICK))], WANTED, store, NOW)
    assert report.reasons == ()
    with xr.open_dataset(report.path) as weather:
        assert weather.attrs["unexpectedly_absent"] == "" and not weather["t2m"].isnull().any()


@pytest.mark.parametrize("swapped", [(":TMP:2 m", ":DPT:2 m"), (":UGRD:10 m", ":VGRD:10 m")])
def test_names_that_an_index_swaps_don_t_swap_values(source_server, store, closed_after, swapped) -> None:
    publish_gfs(source_server, NEWEST, WANTED.hours)
    right = ingest_newest([closed_after(Gfs(source_server.url, QUICK))], WANTED, store, NOW).path.read_bytes()
    one, other = (text.encode() for text in swapped)
    for step in range(0, WANTED.hours + 1, 3):
        path = gfs_path(NEWEST, step) + ".idx"
        index = source_server._files[path][0]
        source_server.file(path, index.replace(one, b"?").replace(other, one).replace(b"?", other))
    again = WeatherStore(store.folder.parent / "again")
    report = ingest_newest([closed_after(Gfs(source_server.url, QUICK))], WANTED, again, NOW)
    (store.folder / "right.nc").write_bytes(right)
    with xr.open_dataset(store.folder / "right.nc") as expected, xr.open_dataset(report.path) as found:
        xr.testing.assert_allclose(found, expected)
