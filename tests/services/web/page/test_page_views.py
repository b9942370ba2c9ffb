"""What a reader is told: time, places by name, the index of choice, a warning's own page, the days past, the installed page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from fastapi.testclient import TestClient
from lxml import etree

from hazecast.alerts.messages.texts import LANGUAGES, catalog
from hazecast.grids.contract import FORECAST_POLLUTANTS
from hazecast.grids.observations.station_cities import NetworkStation
from hazecast.grids.places.cities import load_registry
from hazecast.grids.quality import MEASURED_ZERO
from hazecast.services.core.settings import Settings
from hazecast.services.sources.monitors.interface import Batch
from hazecast.services.store.monitors import save_readings
from hazecast.services.store.past_forecasts import pm25_of_runs, runs_between
from hazecast.services.store.store import Store
from hazecast.services.web.app import create_app
from hazecast.services.web.page import snapshot, warning_page
from hazecast.services.web.page.history import WIDTH, history
from hazecast.services.web.page.index_choice import index_of_hour, us_hours
from hazecast.services.web.page.place_search import meant, nearest, search
from hazecast.services.web.page.warning_page import state_of
from hazecast.services.web.page.warning_view import begins, first_sentence
from hazecast.services.web.page.words import words


class Network:
    """A source made up of nothing but its name."""

    name, kind, reporting = "net", "measurement", MEASURED_ZERO


INIT = datetime(2026, 1, 15, 10, tzinfo=UTC)
NOW = INIT + timedelta(minutes=20)
REGISTRY = load_registry()


@pytest.fixture(scope="module")
def settings(sample_settings, sample_init) -> Settings:
    assert sample_init == INIT
    return sample_settings


@pytest.fixture(scope="module")
def store(settings) -> Iterator[Store]:
    store = Store(settings.database_url)
    yield store
    store.close()


@pytest.fixture(scope="module")
def client(settings) -> TestClient:
    return TestClient(create_app(settings, clock=lambda: NOW))


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("北京", "beijing"),
        ("ＢＥＩＪＩＮＧ", "beijing"),
        ("kita kyu", "kitakyushu"),
        ("北九州", "kitakyushu"),
        ("瀋陽", "shenyang"),
        ("shang", "shanghai"),
    ],
)
def test_a_place_is_found_in_any_language(name, found) -> None:
    assert search(REGISTRY, name)[0].city.id == found
    assert meant(REGISTRY, name) == REGISTRY.city(found)


def test_a_name_that_several_places_share_is_none_of_them() -> None:
    assert meant(REGISTRY, "n") is None and len(search(REGISTRY, "n")) == 8
    assert search(REGISTRY, "  ") == [] and search(REGISTRY, "nowhere at all") == []


def test_the_nearest_place_is_found_with_its_distance() -> None:
    found = nearest(REGISTRY, 39.9, 116.4)
    assert found.city.id == "beijing" and found.distance is not None and found.distance < 10.0
    # One degree of latitude is 111 km everywhere.
    city = REGISTRY.city("kitakyushu")
    assert nearest(REGISTRY, city.latitude - 0.1, city.longitude).distance == pytest.approx(11.1, abs=0.1)


def test_the_search_answers_in_the_language_and_without_scripts_leads_to_the_place(client) -> None:
    assert [one["name"] for one in client.get("/page/places.json?q=beij&lang=zh").json()] == ["北京"]
    near = client.get("/page/places.json?lat=33.9&lon=130.9&lang=en").json()
    assert near[0]["id"] == "kitakyushu" and near[0]["distance"] < 20
    assert client.get("/page/places.json?lat=nan&lon=x&q=").json() == []
    assert 'id="city-title"' in client.get("/?q=北京&lang=zh").text
    several = client.get("/?q=n&lang=en")
    assert several.status_code == 200 and 'href="/?city=nanjing&amp;lang=en"' in several.text
    none = client.get("/", params={"q": "<b>x", "lang": "en"})
    assert none.status_code == 404 and "&lt;b&gt;x" in none.text


def test_a_warning_that_went_on_is_in_force_and_not_to_come(client, store) -> None:
    standing = store.warnings_in_force(NOW, True)
    assert standing
    ahead = standing[0].model_copy(update={"onset": NOW + timedelta(hours=5), "kind": "issue"})
    assert begins(ahead) > NOW
    assert begins(ahead.model_copy(update={"kind": "continue"})) == ahead.issued <= NOW
    for warning in client.get("/page/map.json").json()["warnings"]:
        stored = store.warning(warning["id"], True)
        assert datetime.fromisoformat(warning["from"]) == begins(stored)
        assert datetime.fromisoformat(warning["until"]) == stored.expires


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_pollutant_has_one_name_in_all_that_people_read(language) -> None:
    said, page = catalog(language), words(language)
    for item in FORECAST_POLLUTANTS:
        name = said.say(f"pollutant.{item}").lower()
        assert {page.say(f"{group}.{item}").lower() for group in ("layer", "chart")} == {name}
        for text in (said.say(f"map.{item}"), said.say(f"daily.column.{item}"), page.say(f"legend.{item}")):
            assert name in text.lower()
    for messages in (said.messages, page.messages):
        assert not re.search(r"O3|O₃", str(messages))


def test_a_warning_has_a_page_for_people_in_each_language(client, store) -> None:
    warning = store.warnings_in_force(NOW, True)[0]
    for language in LANGUAGES:
        page = client.get(f"/warnings/{warning.id}.simulated", params={"lang": language})
        assert page.status_code == 200 and f"/v1/warnings/{warning.id}.simulated.cap" in page.text
        assert "frame-ancestors 'self'" in page.headers["content-security-policy"]
    assert client.get(f"/v1/warnings/{warning.id}.simulated.cap").status_code == 200
    assert client.get("/warnings/nothing?lang=en").status_code == 404


def test_the_page_of_an_old_message_says_what_it_is_worth(store) -> None:
    warning = store.warnings_in_force(NOW, True)[0]
    newer = warning.model_copy(update={"id": "newer", "references": (*warning.references, warning.id)})
    assert state_of(warning, [warning], max(NOW, warning.onset)) == ("in_force", None)
    assert state_of(warning, [warning], warning.onset - timedelta(hours=1))[0] == "coming"
    assert state_of(warning, [newer], NOW) == ("replaced", newer)
    assert state_of(warning, [], NOW) == ("ended", None)
    assert state_of(warning.model_copy(update={"kind": "lift"}), [], NOW) == ("lifted", None)


def test_the_feed_links_to_the_pages_and_may_be_of_one_city(client) -> None:
    channel = etree.fromstring(client.get("/warnings.rss?lang=en").content).find("channel")
    links = channel.xpath("item/link/text()")
    assert links and all(client.get(link).status_code == 200 for link in links)
    own = etree.fromstring(client.get("/warnings.rss?lang=en&city=kitakyushu").content).find("channel")
    assert len(own.findall("item")) < len(channel.findall("item"))
    assert client.get("/warnings.rss?city=nowhere").status_code == 404


@pytest.mark.parametrize("city", ["kitakyushu", "beijing"])
def test_the_days_ahead_begin_today_also_after_midnight(settings, city) -> None:
    # 00:20 on 16 January in Japan, 23:20 on the 15th in Beijing; an hour later it is the 16th in both.
    for hours, first in ((5, 16 if city == "kitakyushu" else 15), (6, 16)):
        late = TestClient(create_app(settings, clock=lambda at=NOW + timedelta(hours=hours): at))
        table = late.get(f"/?city={city}&lang=en").text.split('class="days"')[1].split("</table>")[0]
        rows = re.findall(r'<th scope="row"[^>]*><span>(.+?)</span> <span class="date">(.+?)</span>', table)
        assert rows[0] == ("Today", f"Jan {first}") and rows[1] == ("Tomorrow", f"Jan {first + 1}")


def test_a_feed_of_more_warnings_than_a_page_holds_has_further_pages(client, monkeypatch) -> None:
    whole = etree.fromstring(client.get("/warnings.rss?lang=en").content).xpath("channel/item/guid/text()")
    monkeypatch.setattr(warning_page, "_MOST_ITEMS", 4)
    found, address = [], "/warnings.rss?lang=en"
    for _ in range(len(whole)):
        channel = etree.fromstring(client.get(address).content).find("channel")
        links = {link.get("rel"): link.get("href") for link in channel.findall("{http://www.w3.org/2005/Atom}link")}
        assert links["self"].endswith(address)
        found += channel.xpath("item/guid/text()")
        if "next" not in links:
            break
        address = links["next"].removeprefix("http://testserver")
    assert found == whole and len(whole) > 4
    assert client.get("/warnings.rss?cursor=nonsense").status_code == 422


def test_each_city_goes_by_its_own_index_unless_the_reader_chooses(client) -> None:
    own = client.get("/?city=kitakyushu&lang=en").text
    assert "by Japan&#39;s standards" in own and "AQI of China" not in own.split('class="map-box"')[0]
    assert "AQI of China" in client.get("/?city=beijing&lang=en").text
    chosen = client.get("/?city=kitakyushu&lang=en&index=us").text
    assert "AQI of the US" in chosen and "AQI (US)" in chosen
    europe = client.get("/?city=kitakyushu&lang=en&index=europe").text
    assert "by Europe&#39;s index" in europe and "European Environment Agency" in europe
    assert 'index=us">' in chosen or "index=us&amp;" in chosen


def test_the_index_of_an_hour_is_that_of_the_map() -> None:
    rng = np.random.default_rng(1)
    pm25, o3 = rng.uniform(5, 300, (48, 3)), rng.uniform(5, 250, (48, 3))
    pm25[30, 0] = np.nan
    city = REGISTRY.city("beijing")
    hours = us_hours(pm25, o3)
    for column in range(3):
        found = index_of_hour("us", city, NOW, pm25[-24:, column], o3[-24:, column])
        assert found is not None and found.value == hours[-1, column]
    assert index_of_hour("japan", city, NOW, np.full(24, np.nan), np.full(24, np.nan)) is None
    japan = index_of_hour("japan", city, NOW, np.full(24, 80.0), np.full(24, 20.0))
    assert japan is not None and japan.id == "alert_level" and japan.value is None
    # Europe rates the hour alone.
    europe = index_of_hour("europe", city, NOW, np.append(np.full(23, 200.0), 14.0), np.full(24, 70.0))
    assert europe is not None and (europe.standard, europe.id, europe.value) == ("EU-EEA-2025", "fair", None)


def test_the_days_past_are_beside_what_the_day_before_had_forecast(store) -> None:
    city = REGISTRY.city("beijing")
    found = history(store, REGISTRY, city, NOW + timedelta(days=2), True)
    assert found is not None and len(found.bars) == 30
    days = {f"{bar.day.date:%d}": bar for bar in found.bars}
    # Observed in the three days before the run; the run was there before the 16th began, eight hours of the 15th were over.
    assert days["14"].day.observed is not None and days["15"].day.forecast is None
    (run, at), *_ = runs_between(store, INIT, INIT, True)
    assert at == INIT
    hours = pm25_of_runs(store, [run], "beijing")[run][6:30]
    assert days["16"].day.forecast == pytest.approx(tuple(hours.mean(axis=0)))
    assert all(bar.x + bar.width <= WIDTH + 0.1 for bar in found.bars)
    assert found.compared == sum(b.day.observed is not None and b.day.forecast is not None for b in found.bars)
    assert history(store, REGISTRY, city, NOW + timedelta(days=90), True) is None


def test_the_stations_read_lately_are_dots_on_the_map(tmp_path) -> None:
    settings = Settings(data_dir=tmp_path)
    store = Store(settings.database_url)
    store.migrate()
    batch = Batch()
    for name, latitude, back in (("here", 39.9, 0), ("old", 39.8, 9), ("nowhere", None, 0)):
        place = NetworkStation("net", name, name, "beijing", latitude, None if latitude is None else 116.4)
        batch.add(place, INIT - timedelta(hours=back), [("pm25", 37.4, "ug/m3")])
    save_readings(store, Network(), batch, REGISTRY, NOW)  # type: ignore[arg-type]
    store.close()
    client = TestClient(create_app(settings, clock=lambda: NOW))
    assert client.get("/page/stations.json").json() == [
        {"name": "here", "at": [39.9, 116.4], "time": "2026-01-15T10:00:00Z", "pm25": 37}
    ]


def test_the_page_can_be_installed(client) -> None:
    manifest = client.get("/manifest.webmanifest?lang=ja")
    content = manifest.json()
    assert content["lang"] == "ja-JP" and content["start_url"] == "/" and content["display"] == "standalone"
    for icon in content["icons"]:
        picture = client.get(icon["src"])
        assert picture.headers["content-type"] == "image/png"
    worker = client.get("/service-worker.js")
    assert "javascript" in worker.headers["content-type"] and "VERSION" not in worker.text
    assert "manifest-src 'self'" in client.get("/").headers["content-security-policy"]


def test_the_first_sentence_ends_with_its_stop() -> None:
    assert (
        first_sentence("One. Two.") == "One."
        and first_sentence("一。二。") == "一。"
        and first_sentence("3.5 km") == "3.5 km"
    )


def test_of_very_many_cities_the_map_has_those_that_matter_and_says_how_many_it_leaves_out(client, monkeypatch) -> None:
    everything = client.get("/page/map.json").json()
    assert everything["left_out"] == 0
    monkeypatch.setattr(snapshot, "MOST_CITIES", 30)
    settings = client.app.state.service.settings
    fewer = TestClient(create_app(settings, clock=lambda: NOW)).get("/page/map.json").json()
    assert fewer["left_out"] == len(everything["cities"]) - 30 and len(fewer["cities"]) == 30
    kept = {one["id"] for one in fewer["cities"]}
    assert {one["city"] for one in everything["warnings"]} <= kept
    least = min(max(one["pm25"]) for one in fewer["cities"] if one["id"] not in {w["city"] for w in fewer["warnings"]})
    assert all(max(one["pm25"]) <= least for one in everything["cities"] if one["id"] not in kept)


def test_a_city_that_is_left_out_of_the_map_is_read_when_it_is_asked_for(client, monkeypatch) -> None:
    monkeypatch.setattr(snapshot, "MOST_CITIES", 30)
    fewer = TestClient(create_app(client.app.state.service.settings, clock=lambda: NOW))
    shown = [one["id"] for one in fewer.get("/page/map.json").json()["cities"]]
    for city in (shown[0], next(name for name in REGISTRY.cities if name not in shown)):
        for address in (f"/embed/{city}?lang=en", f"/?lang=en&city={city}"):
            # The table of all cities has fewer lines.
            one, other = (page.get(address).text.split(' data-slot="warnings"')[0] for page in (client, fewer))
            assert one == other
    table = fewer.get("/?lang=en").text.split(' data-slot="cities"')[1]
    assert table.count("<tr>") == 30 + 1 and f"{len(REGISTRY.cities) - 30} more places" in table
