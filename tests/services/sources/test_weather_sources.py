"""Each weather source against a server that speaks its publisher's protocol."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from pydantic import ValidationError

from hazecast.grids.contract import HISTORY_HOURS, LEAD_HOURS, WEATHER, check
from hazecast.grids.derived import relative_humidity
from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import load_registry
from hazecast.grids.weather.files import read_weather
from hazecast.grids.weather.regular_grid import EAST_ASIA
from hazecast.grids.weather.sampling import at_cities
from hazecast.services.core.input_settings import GFS_PATHS, PublisherSettings
from hazecast.services.sources.weather.ecmwf import EcmwfOpenData
from hazecast.services.sources.weather.folder import Folder
from hazecast.services.sources.weather.gfs import Gfs, choose, parse_index
from hazecast.services.sources.weather.grib import merge_ranges
from hazecast.services.sources.weather.interface import HORIZON_HOURS, NoCycleError, Wanted
from hazecast.services.sources.weather.open_meteo import OpenMeteo
from tests.support.source_server import QUICK, Reply, json_reply
from tests.support.weather_publishers import (
    OpenMeteoServer,
    gfs_file,
    gfs_path,
    publish_ecmwf,
    publish_gfs,
    truth,
)
from tests.support.weather_samples import write_era5

CYCLE = datetime(2026, 11, 24, 0, tzinfo=UTC)
NOW = datetime(2026, 11, 24, 9, 20, tzinfo=UTC)
CITIES = tuple(load_registry().cities.values())
WANTED = Wanted(CITIES, hours=30)
HUMIDITIES = ("dew_point_2m", "relative_humidity_2m")


def check_against_truth(at_places, hours, cities=CITIES, absent=()) -> None:
    for name in WEATHER:
        if name in absent:
            assert name not in at_places
            continue
        for hour in hours:
            time = np.datetime64(CYCLE.replace(tzinfo=None), "ns") + np.timedelta64(hour, "h")
            found = at_places[name].sel(time=time).values
            expected = [truth(name, hour, city.latitude, city.longitude) for city in cities]
            np.testing.assert_allclose(found, expected, rtol=2e-3, atol=2e-2, err_msg=f"{name} at {hour} h")


def test_gfs_from_the_bucket_to_the_cities(source_server, tmp_path, closed_after) -> None:
    publish_gfs(source_server, CYCLE, WANTED.hours)
    source = closed_after(Gfs(source_server.url, QUICK))
    cycle = source.newest_cycle(NOW, WANTED)
    assert cycle.init_time == CYCLE and not cycle.late
    grid = check(source.fetch(cycle, WANTED, tmp_path), "weather_grid")
    assert grid["latitude"].min() >= 15 and grid["latitude"].max() <= 55
    assert grid["longitude"].min() >= 95 and grid["longitude"].max() <= 150
    assert grid.attrs["init_time"] == "2026-11-24T00:00:00Z" and grid.attrs["absent_variables"] == ""
    assert grid.sizes["time"] == 11
    check_against_truth(at_cities(grid, CITIES), [3, 6, 9, 24, 30])
    whole = sum(len(source_server.answer(seen).body) for seen in source_server.asked(".f003") if seen.method == "GET")
    assert 0 < whole < len(source_server._files["/gfs.20261124/00/atmos/gfs.t00z.pgrb2.0p25.f003"][0])


def test_ecmwf_from_its_files_to_the_cities(source_server, tmp_path, closed_after) -> None:
    publish_ecmwf(source_server, CYCLE, WANTED.hours)
    source = closed_after(EcmwfOpenData(source_server.url, QUICK))
    cycle = source.newest_cycle(NOW, WANTED)
    assert cycle.init_time == CYCLE and not cycle.late
    grid = check(source.fetch(cycle, WANTED, tmp_path), "weather_grid")
    assert grid.attrs["absent_variables"] == "blh" and grid.attrs["unexpectedly_absent"] == ""
    assert "CC BY 4.0" in grid.attrs["attribution"]
    check_against_truth(at_cities(grid, CITIES), [3, 6, 24, 30], absent=("blh",))


def test_open_meteo_to_the_cities(source_server, tmp_path, closed_after) -> None:
    OpenMeteoServer(source_server, CYCLE)
    source = closed_after(OpenMeteo(source_server.url, source_server.url, patience=QUICK))
    cycle = source.newest_cycle(NOW, WANTED)
    weather = check(source.fetch(cycle, WANTED, tmp_path), "city_weather")
    assert cycle.init_time == CYCLE and weather.attrs["init_time"] == "2026-11-24T00:00:00Z"
    assert weather.sizes["time"] == HISTORY_HOURS + 30 + 1
    check_against_truth(weather, [-60, 0, 7, 30])
    assert len(source_server.asked("/v1/forecast")) == -(-len(CITIES) // 50)


def test_open_meteo_archive(source_server, closed_after) -> None:
    OpenMeteoServer(source_server, CYCLE)
    source = closed_after(OpenMeteo(source_server.url, source_server.url, patience=QUICK))
    weather = check(source.archive(CITIES[:1], date(2026, 11, 24), date(2026, 11, 25)), "city_weather")
    assert weather.sizes == {"time": 48, "city": 1} and "init_time" not in weather.attrs
    check_against_truth(weather, [0, 47], CITIES[:1])
    assert source_server.asked("/v1/archive")[0].query["models"] == "era5"


def test_the_forecast_horizon_is_asked_for_and_nothing_beyond(source_server, closed_after) -> None:
    publish_gfs(source_server, CYCLE, WANTED.hours - 3)
    with pytest.raises(NoCycleError, match="2026-11-24T06Z, 2026-11-24T00Z.*the step 30 h"):
        closed_after(Gfs(source_server.url, QUICK)).newest_cycle(NOW, WANTED)
    assert Wanted(CITIES).hours == HORIZON_HOURS > LEAD_HOURS


def test_no_cycle_after_the_time_asked_for(source_server, closed_after) -> None:
    for hours in (0, 6):
        publish_gfs(source_server, CYCLE + timedelta(hours=hours), WANTED.hours)
    source = closed_after(Gfs(source_server.url, QUICK))
    assert source.newest_cycle(CYCLE + timedelta(hours=5, minutes=59), WANTED).init_time == CYCLE
    OpenMeteoServer(source_server, CYCLE)
    with pytest.raises(NoCycleError, match="the run of 2026-11-24T00Z; expected one by 2026-11-23T23:00Z"):
        closed_after(OpenMeteo(source_server.url, patience=QUICK)).newest_cycle(CYCLE - timedelta(hours=1), WANTED)


def test_of_spans_that_end_alike_the_shortest_is_taken() -> None:
    lines = [
        "1:0:d=2026112400:TMP:850 mb:24 hour fcst:",
        "2.1:100:d=2026112400:UGRD:10 m above ground:24 hour fcst:",
        "2.2:100:d=2026112400:VGRD:10 m above ground:24 hour fcst:",
        "3:200:d=2026112400:APCP:surface:18-24 hour acc fcst:",
        "4:300:d=2026112400:APCP:surface:0-1 day acc fcst:",
        "5:400:d=2026112400:TCDC:entire atmosphere:18-24 hour ave fcst:",
        "6:500:d=2026112400:TCDC:entire atmosphere:24 hour fcst:",
    ]
    chosen = choose(parse_index("\n".join(lines), CYCLE, "here"), 24)
    assert {name: record.start for name, record in chosen.items()} == {"u10": 100, "v10": 100, "tp": 200, "tcc": 500}
    spans = [(record.start, record.end) for record in chosen.values()]
    assert merge_ranges(spans) == [(100, 299), (500, None)]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1;0;d=2026112400;TMP", "here: found '1;0;d=2026112400;TMP'"),
        ("1:0:d=2026112318:TMP:surface:anl:", "here: d: found 2026112318; expected 2026112400"),
        ("1:9:d=2026112400:A:b:anl:\n2:3:d=2026112400:A:b:anl:", "here: first bytes: found not ascending"),
        ("", "here: found ''"),
    ],
)
def test_an_index_of_another_form_is_named(line, message) -> None:
    with pytest.raises(InputError) as caught:
        parse_index(line, CYCLE, "here")
    assert message in str(caught.value)


def test_a_bad_line_of_an_index_costs_its_own_message_alone(source_server, tmp_path, closed_after) -> None:
    publish_gfs(source_server, CYCLE, WANTED.hours)
    path = gfs_path(CYCLE, 6) + ".idx"
    lines = source_server._files[path][0].splitlines(keepends=True)
    bad = next(number for number, line in enumerate(lines) if b":UGRD:" in line)
    lines[bad] = b"?\n"
    source_server.file(path, b"".join(lines))
    source = closed_after(Gfs(source_server.url, patience=QUICK))
    weather = source.fetch(source.newest_cycle(NOW, WANTED), WANTED, tmp_path)
    assert weather.attrs["unexpectedly_absent"] == "u10: no UGRD:10 m above ground in the index of step 6 h"
    # The message before the bad line ends where its own head says.
    assert int(np.isnan(weather["u10"]).all(dim=("latitude", "longitude")).sum()) == 1
    assert not np.isnan(weather[["t2m", "d2m", "v10"]].to_array()).any()


def test_a_cut_index_is_asked_for_again(source_server, tmp_path, closed_after) -> None:
    publish_gfs(source_server, CYCLE, WANTED.hours)
    path = gfs_path(CYCLE, 6) + ".idx"
    whole = source_server._files[path][0]
    answers = iter([b"".join(whole.splitlines(keepends=True)[:3]), whole])
    source_server.route(path, lambda seen: Reply(next(answers)))
    source = closed_after(Gfs(source_server.url, patience=QUICK))
    weather = source.fetch(source.newest_cycle(NOW, WANTED), WANTED, tmp_path)
    assert weather.attrs["unexpectedly_absent"] == "" and len(source_server.asked("f006.idx$")) == 2


def test_gfs_is_found_in_the_layout_to_come_and_in_one_from_the_settings(source_server, tmp_path, closed_after) -> None:
    publish_gfs(source_server, CYCLE, WANTED.hours)
    own = "mine/{init_time:%Y%m%d%H}/f{step:03d}"
    for step in range(0, WANTED.hours + 1, 3):
        for ending in ("", ".idx"):
            body = source_server._files[gfs_path(CYCLE, step) + ending][0]
            source_server.remove(gfs_path(CYCLE, step) + ending)
            for path in (GFS_PATHS[1], own):
                source_server.file(f"/{path.format(init_time=CYCLE, step=step)}{ending}", body)
    for number, paths in enumerate((GFS_PATHS, (own,))):
        scratch = tmp_path / str(number)
        scratch.mkdir()
        source = closed_after(Gfs(source_server.url, patience=QUICK, paths=paths))
        weather = source.fetch(source.newest_cycle(NOW, WANTED), WANTED, scratch)
        assert weather.attrs["unexpectedly_absent"] == "" and not np.isnan(weather["t2m"]).any()
    with pytest.raises(ValidationError, match="the same for every step"):
        PublisherSettings(gfs_paths=("gfs.{init_time:%Y}",))


def test_nomads_filter_is_asked_for_the_box_and_the_levels(source_server, tmp_path, closed_after) -> None:
    publish_gfs(source_server, CYCLE, WANTED.hours)
    asked: list[dict[str, str]] = []

    def filtered(seen):
        asked.append(seen.query)
        return Reply(source_server._files[f"{seen.query['dir']}/{seen.query['file']}"][0])

    source_server.route("/cgi-bin/filter", filtered)
    source = closed_after(Gfs(source_server.url, patience=QUICK, filter_url=source_server.url + "/cgi-bin/filter"))
    weather = source.fetch(source.newest_cycle(NOW, WANTED), WANTED, tmp_path)
    assert not np.isnan(weather["t2m"]).any() and weather.attrs["unexpectedly_absent"] == ""
    first = min(asked, key=lambda query: query["file"])
    assert first["dir"] == f"/gfs.{CYCLE:%Y%m%d/%H}/atmos" and first["file"].endswith("f000")
    assert {"toplat": "55", "bottomlat": "15", "leftlon": "95", "rightlon": "150"}.items() <= first.items()
    assert first["var_TMP"] == first["lev_2_m_above_ground"] == first["lev_surface"] == "on" and "subregion" in first


def test_a_dew_point_that_is_lacking_is_derived_and_said(source_server, tmp_path, closed_after) -> None:
    publisher = OpenMeteoServer(source_server, CYCLE)

    def without(place) -> None:
        for name in ("dew_point_2m", "boundary_layer_height"):
            place["hourly"][name] = [None] * len(place["hourly"]["time"])
            place["hourly_units"][name] = "undefined"

    publisher.change = without
    source = closed_after(OpenMeteo(source_server.url, patience=QUICK))
    weather = source.fetch(source.newest_cycle(NOW, WANTED), WANTED, tmp_path)
    assert weather.attrs["derived_variables"] == "d2m" and weather.attrs["absent_variables"] == "blh"
    humidity = relative_humidity(weather["t2m"], weather["d2m"])
    np.testing.assert_allclose(humidity, 60.0, atol=0.1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: p.pop("hourly_units"), "beijing hourly_units: found absent"),
        (lambda p: p.update(latitude=10.0), "beijing latitude: found 10.0; expected within 0.5 degrees of"),
        (lambda p: p["hourly"]["cloud_cover"].pop(), "beijing hourly.cloud_cover"),
        (lambda p: p["hourly"]["cloud_cover"].__setitem__(0, "many"), "beijing hourly.cloud_cover"),
        (lambda p: p["hourly"]["cloud_cover"].__setitem__(0, 200), "tcc: found 1 values outside"),
        (lambda p: p["hourly"]["time"].__setitem__(3, 0), "beijing hourly.time: found gaps; expected every hour"),
        (lambda p: p["hourly"].update(time=["2026-11-24T00:00"]), "beijing hourly.time"),
        (lambda p: p["hourly"]["wind_speed_10m"].__setitem__(5, -3.0), "wind_speed_10m: found 1 values below 0"),
        (
            lambda p: p["hourly"]["wind_direction_10m"].__setitem__(5, 720.0),
            "wind_direction_10m: found 1 values outside",
        ),
        (
            lambda p: p["hourly"].update(time=[at + 72 * 3600 for at in p["hourly"]["time"]]),
            "found 2026-11-24T00:00:00Z to 2026-11-27T06:00:00Z; expected 2026-11-21T00:00:00Z to 2026-11-24T06:00:00Z",
        ),
        (
            lambda p: p["hourly"].update(temperature_2m=[10.0] * len(p["hourly"]["time"])),
            "t2m: found 283.15 K at all 79 places and times; expected values that vary",
        ),
        (
            lambda p: p["hourly"].update(dew_point_2m=[t + 9.0 for t in p["hourly"]["temperature_2m"]]),
            "d2m: found 79 of 79 values more than 1 K above the temperature, at most 9.0 K",
        ),
        (
            lambda p: p["hourly"].update({name: [None if name[:3] == "dew" else 500.0] * 79 for name in HUMIDITIES}),
            "d2m: found 79 of 79 values more than 1 K above the temperature",
        ),
        (lambda p: p.update(hourly=[]), "beijing hourly: found list"),
    ],
)
def test_a_changed_answer_names_the_field(source_server, tmp_path, change, message, closed_after) -> None:
    OpenMeteoServer(source_server, CYCLE).change = change
    source, wanted = closed_after(OpenMeteo(source_server.url, patience=QUICK)), Wanted(CITIES[:1], hours=6)
    assert CITIES[0].id == "beijing"
    with pytest.raises(InputError) as caught:
        source.fetch(source.newest_cycle(NOW, wanted), wanted, tmp_path)
    assert message in str(caught.value)


@pytest.mark.parametrize("answer", [{"error": True, "reason": "Minutely API request limit exceeded."}, "sorry", None])
def test_an_answer_of_open_meteo_that_is_no_weather_is_quoted(source_server, tmp_path, closed_after, answer) -> None:
    OpenMeteoServer(source_server, CYCLE)
    source = closed_after(OpenMeteo(source_server.url, patience=QUICK))
    cycle = source.newest_cycle(NOW, WANTED)
    source_server._handlers.insert(0, ("/v1/forecast", lambda seen: json_reply(answer)))
    quoted = "found an error: Minutely API request limit exceeded." if isinstance(answer, dict) else f"found {answer!r}"
    with pytest.raises(InputError, match=quoted):
        source.fetch(cycle, WANTED, tmp_path)


def test_places_in_another_order_than_asked_for_are_refused(source_server, tmp_path, closed_after) -> None:
    publisher, numbers = OpenMeteoServer(source_server, CYCLE), iter([0, 2, 1])
    publisher.change = lambda place: place.update(location_id=next(numbers))
    source, wanted = closed_after(OpenMeteo(source_server.url, patience=QUICK)), Wanted(CITIES[:3], hours=6)
    with pytest.raises(InputError, match=f"{CITIES[1].id}: location_id: found 2; expected 1, the order of the request"):
        source.fetch(source.newest_cycle(NOW, wanted), wanted, tmp_path)


def test_an_archive_of_open_meteo_is_checked_as_forecasts_are(source_server, closed_after) -> None:
    publisher = OpenMeteoServer(source_server, CYCLE)
    source = closed_after(OpenMeteo(source_server.url, source_server.url, patience=QUICK))
    days = date(2026, 11, 24), date(2026, 11, 25)
    publisher.change = lambda p: p["hourly"].update(temperature_2m=[t + 273.15 for t in p["hourly"]["temperature_2m"]])
    with pytest.raises(InputError, match="archive: t2m: found 48 values outside; expected 180 to 340 K"):
        source.archive(CITIES[:1], *days)
    publisher.change = lambda p: p["hourly"].update(time=[at + 86_400 for at in p["hourly"]["time"]])
    with pytest.raises(InputError, match="found 2026-11-25T00:00:00Z to 2026-11-26T23:00:00Z"):
        source.archive(CITIES[:1], *days)


def test_many_places_of_one_cell_may_share_its_weather(source_server, tmp_path, closed_after) -> None:
    publisher, first = OpenMeteoServer(source_server, CYCLE), {}

    def same(place: dict) -> None:
        first.setdefault("hourly", place["hourly"])
        place["hourly"] = first["hourly"]

    publisher.change = same
    source = closed_after(OpenMeteo(source_server.url, patience=QUICK))
    places = tuple(CITIES[0].model_copy(update={"id": f"place{number}"}) for number in range(50))
    wanted = Wanted(places, hours=6)
    assert source.fetch(source.newest_cycle(NOW, wanted), wanted, tmp_path).sizes["city"] == 50


def test_a_run_that_comes_in_meanwhile_is_not_taken_for_the_older_one(source_server, tmp_path, closed_after) -> None:
    publisher = OpenMeteoServer(source_server, CYCLE)
    source = closed_after(OpenMeteo(source_server.url, patience=QUICK))
    cycle = source.newest_cycle(NOW, WANTED)
    publisher.run = CYCLE + timedelta(hours=6)
    assert source.fetch(cycle, WANTED, tmp_path).attrs["init_time"] == "2026-11-24T06:00:00Z"


def test_a_folder_of_cycles(tmp_path) -> None:
    folder, source = tmp_path / "in", Folder(tmp_path / "in")
    folder.mkdir()
    with pytest.raises(NoCycleError, match="nothing"):
        source.newest_cycle(NOW, WANTED)
    for name, cycle in (("20261123T18.grib2", CYCLE - timedelta(hours=6)), ("20261124T00.grib2", CYCLE)):
        (folder / name).write_bytes(b"".join(gfs_file(cycle, step)[0] for step in (0, 3, 6)))
    assert source.newest_cycle(NOW, WANTED).init_time == CYCLE
    assert source.newest_cycle(CYCLE - timedelta(hours=1), WANTED).init_time == CYCLE - timedelta(hours=6)
    grid = check(source.fetch(source.newest_cycle(NOW, WANTED), WANTED, tmp_path), "weather_grid")
    check_against_truth(at_cities(grid, CITIES), [3, 6])
    assert grid.attrs["source"] == "GFS from 20261124T00.grib2"
    whole = (folder / "20261124T00.grib2").read_bytes()
    (folder / "20261124T00.grib2").write_bytes(whole[: len(whole) // 2])
    late = source.newest_cycle(NOW, WANTED)
    assert late.init_time == CYCLE - timedelta(hours=6) and late.late


def test_zeros_that_a_model_writes_at_its_first_time_cost_no_cycle_of_the_folder(tmp_path) -> None:
    (tmp_path / "cycle.grib2").write_bytes(b"".join(gfs_file(CYCLE, step)[0] for step in (0, 3)))
    grid = read_weather(tmp_path / "cycle.grib2", box=EAST_ASIA)
    grid["blh"][0] = 0.0
    (tmp_path / "in").mkdir()
    grid.to_netcdf(tmp_path / "in" / "20261124T00.nc")
    source = Folder(tmp_path / "in")
    read = source.fetch(source.newest_cycle(NOW, WANTED), WANTED, tmp_path)
    check_against_truth(at_cities(read, CITIES), [3])


# As a user writes it: zarr warns that other readers may not know where it keeps its metadata.
@pytest.mark.filterwarnings("ignore:Consolidated metadata is currently not part")
@pytest.mark.parametrize("suffix", [".nc", ".zarr"])
def test_a_cycle_of_the_folder_may_be_netcdf_or_zarr(tmp_path, suffix) -> None:
    (tmp_path / "cycle.grib2").write_bytes(b"".join(gfs_file(CYCLE, step)[0] for step in (0, 3)))
    grid = read_weather(tmp_path / "cycle.grib2", box=EAST_ASIA)
    entry = tmp_path / "in" / f"20261124T00{suffix}"
    entry.parent.mkdir()
    grid.to_zarr(entry) if suffix == ".zarr" else grid.to_netcdf(entry)
    source = Folder(tmp_path / "in")
    read = source.fetch(source.newest_cycle(NOW, WANTED), WANTED, tmp_path)
    check_against_truth(at_cities(check(read, "weather_grid"), CITIES), [3])
    assert read.attrs["source"] == f"GFS from 20261124T00{suffix}"


def test_an_analysis_in_the_folder_is_refused(tmp_path) -> None:
    write_era5(tmp_path / "era5.nc")
    with pytest.raises(NoCycleError, match="init_time: found absent; expected a forecast"):
        Folder(tmp_path).newest_cycle(NOW, WANTED)
