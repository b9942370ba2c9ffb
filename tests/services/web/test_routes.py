"""Routes are functions: called with the parts of an app that a test makes itself, without an app or a server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi import HTTPException, Request, Response

from hazecast.alerts.engine.lifecycle import advance
from hazecast.alerts.rules.book import RuleBook
from hazecast.grids.times import to_datetime64
from hazecast.services.core.places import CurrentCities
from hazecast.services.core.settings import Settings
from hazecast.services.store.store import Store
from hazecast.services.web.dependencies import Service
from hazecast.services.web.places import CityPage, Places
from hazecast.services.web.problems import InvalidArgument
from hazecast.services.web.routes import cities, operation, products, warnings
from hazecast.services.web.schemas.daily import DailyOut
from hazecast.services.web.schemas.forecasts import ReadyOut
from hazecast.services.web.times import Period
from tests.support.forecasts import forecast_of, observations_of
from tests.support.warning_cases import assessed

# 06:00 in Beijing.
INIT = datetime(2013, 1, 11, 22, tzinfo=UTC)
BOOK = RuleBook.shipped()
# What the routes under test must not touch.
UNUSED: Any = None


class FixedClock:
    """A clock that a test sets."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(INIT + timedelta(minutes=30))


@pytest.fixture
def service(tmp_path, clock) -> Iterator[Service]:
    """A store in which Beijing's forecast is 100 ug m-3 after 50 observed, with one warning."""
    settings = Settings(data_dir=tmp_path)
    store = Store(settings.database_url, clock)
    store.migrate()
    save(store, tmp_path)
    yield Service(
        store=store,
        settings=settings,
        cities=CurrentCities(settings),
        book=BOOK,
        clock=clock,
        pool=UNUSED,
        studies=UNUSED,
        study_runner=UNUSED,
        queue=UNUSED,
        public_feed=UNUSED,
        stream_places=UNUSED,
        shared=UNUSED,
        changes=UNUSED,
        sign=UNUSED,
        of_cities=UNUSED,
    )
    store.close()


def save(store: Store, folder: Path) -> None:
    rules, init = BOOK.rule_set("cma_haze"), to_datetime64(INIT)
    forecast = forecast_of(100.0, init=init)
    forecast = forecast.assign(relative_humidity=(("lead_time", "city"), np.full((120, 1), 50.0)))
    file = folder / "forecast.nc"
    forecast.to_netcdf(file)
    (folder / "map.png").write_bytes(b"\x89PNG")
    store.save_run(
        forecast,
        observations_of(np.full(24, 50.0), init),
        advance([], [assessed(rules, "beijing", INIT, (0.9, 0.8, 0.0))], INIT, ruleset=rules),
        netcdf_path=file,
        map_path=folder / "map.png",
        cycle_id=store.begin_cycle(INIT, simulated=False),
    )


def get(**headers: str) -> Request:
    """Return a request as a route receives it, without the middleware of an app."""
    return Request(
        {
            "type": "http", "method": "GET", "path": "/", "query_string": b"",
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }
    )  # fmt: skip


def content(response: Response) -> Any:
    return json.loads(bytes(response.body))


def test_cities_come_as_asked_for(service) -> None:
    everywhere = content(cities.cities(service, get(), Places(), CityPage()))
    assert [city["id"] for city in everywhere["items"]] == list(service.registry.cities)
    japan = content(cities.cities(service, get(accept="application/geo+json"), Places(country="JP"), CityPage()))
    assert {f["properties"]["country"] for f in japan["features"]} == {"JP"}
    table = cities.cities(service, get(), Places(city=["beijing"]), CityPage(), form="csv")
    header, row = bytes(table.body).decode().split()
    assert header.startswith("id,name_zh") and row.startswith("beijing,北京")
    with pytest.raises(HTTPException, match="406"):
        cities.cities(service, get(accept="image/png"), Places(), CityPage())
    with pytest.raises(InvalidArgument, match="bejing"):
        cities.cities(service, get(), Places(city=["bejing"]), CityPage())


def test_warnings_are_in_force_by_the_clock(service, clock) -> None:
    (feature,) = content(warnings.warnings(service, get(), Places(), Period()))["features"]
    found = feature["properties"]
    assert (found["city"], found["rule_set"]) == ("beijing", "cma_haze")

    def count(places: Places | None = None, **given: Any) -> int:
        answer = warnings.warnings(service, get(), places or Places(), Period(), **given)
        return len(content(answer)["features"])

    assert count(level=[found["level"]]) == count(places=Places(city=["beijing"])) == 1
    assert count(places=Places(country="JP")) == count(simulated=True) == 0
    with pytest.raises(InvalidArgument, match="level"):
        count(level=["blue"])
    clock.now = datetime.fromisoformat(found["expires"])
    assert count() == 0 and count(state="all") == 1
    assert count(at=clock.now - timedelta(seconds=1)) == 1


def test_readiness_goes_by_the_clock(service, clock) -> None:
    ready = operation.readyz(service)
    assert isinstance(ready, ReadyOut) and ready.age_hours == 0.5
    # No scheduler has run on this store.
    assert {check.name: check.status for check in ready.checks if check.status != "ok"} == {"scheduler": "degraded"}
    clock.now = INIT + timedelta(hours=service.settings.answers.stale_after_hours, minutes=6)
    unready = operation.readyz(service)
    assert isinstance(unready, Response) and unready.status_code == 503
    assert "forecast" in content(unready)["detail"] and len(content(unready)["checks"]) == 9


def test_days_are_the_citys_own(service) -> None:
    found = DailyOut.model_validate_json(bytes(products.daily(service, get(), "beijing").body))
    assert (found.time_zone, found.simulated, found.init_time) == ("Asia/Shanghai", False, INIT)
    first, second = found.days[:2]
    assert (first.date, first.observed_hours) == (date(2013, 1, 12), 6)
    # Six observed hours of 50 and 18 forecast ones of 100 ug m-3.
    assert (first.pm25_mean.q50, second.pm25_mean.q50) == pytest.approx((87.5, 100.0), abs=0.5)
    # What was observed is certain: today's range is narrower.
    today, tomorrow = (day.pm25_mean.q90 - day.pm25_mean.q10 for day in (first, second))
    assert today < 0.85 * tomorrow
    assert second.index is not None and second.index.id == "light"
    with pytest.raises(HTTPException, match="no values for tianjin"):
        products.daily(service, get(), "tianjin")
    with pytest.raises(HTTPException, match="404"):
        products.daily(service, get(), "nowhere")
