"""With approval on, what nobody has approved is in no public product, and what was approved is in all of them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from shapely.geometry import shape

from hazecast.alerts.bulletin.content import HazeOutlook
from hazecast.alerts.engine.lifecycle import advance
from hazecast.alerts.engine.warning import HazeWarning
from hazecast.grids.contract import LEAD_HOURS
from hazecast.grids.places.cities import load_registry
from hazecast.services.core.rules import rule_book
from hazecast.services.core.settings import Settings
from hazecast.services.store.drafts import decide_draft
from hazecast.services.store.run_files import products_folder
from hazecast.services.store.store import Store
from hazecast.services.web.app import create_app
from hazecast.services.work import cycle_products, haze_maps
from hazecast.services.work.bulletin import Bulletins
from hazecast.services.work.native_work import haze_polygons
from hazecast.services.work.public_haze import areas_name, haze_name, shown_warnings
from hazecast.services.work.stored_forecast import Look, write_netcdf
from tests.support.forecasts import forecast_of, observations_of
from tests.support.warning_cases import assessed

# 06:00 in Beijing; the window is 08 to 08.
INIT = datetime(2013, 1, 31, 22, tzinfo=UTC)
LOOK = Look("en", "phone")


class World:
    """A run whose forecast is thick haze in Beijing, with an orange draft of it; `now` is the time of its clock."""

    def __init__(self, folder: Path, approval: tuple[str, ...]) -> None:
        self.now = INIT + timedelta(minutes=10)
        self.settings = Settings(data_dir=folder, warnings={"approval": approval})
        self.store = Store(self.settings.database_url, lambda: self.now, folder)
        self.store.migrate()
        self.book, self.registry = rule_book(self.settings), load_registry()
        cities = ("beijing", "tianjin")
        init = np.datetime64(INIT.replace(tzinfo=None), "ns")
        moist = np.full((LEAD_HOURS, len(cities)), 50.0)
        forecast = forecast_of(400.0, init=init, cities=cities)
        forecast = forecast.assign(relative_humidity=(("lead_time", "city"), moist))
        self.file = folder / "forecasts" / "run.nc"
        write_netcdf(forecast, self.file)
        self.draft = self._draft()
        cycle = self.store.begin_cycle(INIT, False)
        self.store.save_run(
            forecast, observations_of(np.full(24, 50.0), init, cities), [] if approval else [self.draft],
            netcdf_path=self.file, map_path=folder / "m.png", cycle_id=cycle,
            proposals=[self.draft] if approval else [], drafted={("cma_haze", city) for city in cities},
        )  # fmt: skip

    def _draft(self) -> HazeWarning:
        rules = self.book.haze_signal
        (draft,) = advance([], [assessed(rules, "beijing", INIT, (0.9, 0.8, 0.0))], INIT, ruleset=rules)
        return draft

    @property
    def run(self):
        return self.store.latest_run()

    def areas(self) -> dict:
        shown = shown_warnings(self.store, self.run, self.book)
        return json.loads(haze_polygons(self.settings, str(self.file), shown))

    def bulletin(self) -> HazeOutlook:
        bulletins = Bulletins(self.store, self.settings, self.registry, self.book)
        haze = bulletins.edition(["beijing"], "en", self.now).bulletin.haze
        assert haze is not None
        return haze

    def names(self) -> tuple[str, str]:
        shown = shown_warnings(self.store, self.run, self.book)
        return haze_name(self.settings, shown, LOOK), areas_name(self.settings, shown)

    def decide(self, action: str, **changes: str) -> None:
        self.now += timedelta(hours=1)
        decide_draft(
            self.store.sessions, self.book, self.draft.id, False, action, by="Li Na", reason="seen", at=self.now, **changes
        )  # fmt: skip


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path, ("cma_haze",))
    yield made
    made.store.close()


@pytest.fixture
def drawn(monkeypatch):
    """Return what the haze map of a world is drawn from: its areas and its cities with their ranks."""

    def of(world: World):
        given = []
        monkeypatch.setattr(haze_maps, "draw_haze_map", lambda *args, **_: given.append(args) or b"")
        haze_maps.haze_of_run(world.settings, world.store, world.run, world.registry, LOOK)
        return given[0][:2]

    return of


def test_nothing_of_a_draft_is_in_a_public_product(world, drawn) -> None:
    found = world.areas()
    assert found["features"] == []
    assert found["bulletin"]["en"].endswith("no haze warning is in force.")
    assert "没有生效中的霾预警" in found["bulletin"]["zh"] and "発表中の煙霧警報はありません" in found["bulletin"]["ja"]
    assert world.bulletin().provinces == [] and world.bulletin().warned
    areas, cities = drawn(world)
    assert areas.warned and list(areas.ranks) == [] and {rank for _, rank, _ in cities} == {0}


def test_what_is_approved_is_in_all_of_them(world, drawn) -> None:
    before = world.names()
    world.decide("amend", level="red")
    found = world.areas()
    (feature,) = found["features"]
    assert feature["properties"]["level"] == "red"
    (warning,) = TestClient(create_app(world.settings, clock=lambda: world.now)).get("/v1/warnings").json()["features"]
    assert shape(feature["geometry"]).equals(shape(warning["geometry"])), "the area of the warning itself"
    assert "Beijing" in found["bulletin"]["en"]
    assert [(province.name_en, rank) for province, rank, _ in world.bulletin().provinces] == [("Beijing", 3)]
    after = world.names()
    assert before[0] != after[0] and before[1] != after[1], "a stored product of before is not shown any more"
    areas, cities = drawn(world)
    assert list(areas.ranks) == [3] and {city.id: rank for city, rank, _ in cities} == {"beijing": 3, "tianjin": 0}


def test_what_is_rejected_stays_out(world) -> None:
    world.decide("reject")
    assert world.areas()["features"] == [] and world.bulletin().provinces == []


def test_the_products_that_a_cycle_stores_show_nothing_of_a_draft(world, monkeypatch) -> None:
    monkeypatch.setattr(cycle_products, "LANGUAGES", ("en",))
    monkeypatch.setattr(cycle_products, "SIZES", ("phone",))
    faults: list[str] = []
    cycle_products._make_maps(world.settings, world.store, world.run, faults)
    assert faults == []
    stored = {path.name.split(".")[0]: path.read_bytes() for path in products_folder(world.file).iterdir()}
    assert [name[:13] for name in stored if name.startswith("haze")] == ["haze-en-phone"]
    (areas,) = (content for name, content in stored.items() if name.startswith("areas"))
    assert json.loads(areas)["features"] == []
    # Approved, it is drawn from what is in force, and no longer read from what the cycle stored.
    world.decide("approve")
    assert not {name.split(".")[0] for name in world.names()} & set(stored)


def test_without_approval_the_areas_are_those_of_the_forecast(tmp_path) -> None:
    world = World(tmp_path, ())
    try:
        found = world.areas()
        assert {f["properties"]["level"] for f in found["features"]} >= {"orange"}
        assert areas_name(world.settings, ()) == "areas.json"
    finally:
        world.store.close()


def test_what_is_stored_without_approval_is_not_shown_once_it_is_asked_for(tmp_path) -> None:
    open_, asked = (Settings(data_dir=tmp_path, warnings={"approval": a}) for a in ((), ("cma_haze",)))
    assert haze_name(open_, (), LOOK) != haze_name(asked, (), LOOK)
    assert areas_name(open_, ()) != areas_name(asked, ())
