"""CAP, feed, areas and maps through the API, on a store that a simulated cycle filled."""

from __future__ import annotations

import io
import shutil
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from fastapi.testclient import TestClient
from lxml import etree
from PIL import Image
from shapely import get_coordinates
from shapely.geometry import shape

from hazecast.alerts.messages.cap import parse
from hazecast.alerts.messages.signature import verify
from hazecast.grids.contract import LEAD_HOURS
from hazecast.grids.errors import InputError
from hazecast.services.core.settings import Settings
from hazecast.services.store.reads import WarningFilter, warnings_page
from hazecast.services.store.store import Store
from hazecast.services.store.tables.forecasts import ForecastRun
from hazecast.services.store.withdrawal import all_runs, withdraw_run
from hazecast.services.web.app import create_app
from hazecast.services.work.cycle import run_cycle
from tests.support.cap_messages import NS, schema, texts_at
from tests.support.certificates import key_and_certificate
from tests.support.settings import changed, make_settings


@pytest.fixture(scope="module")
def settings(simulated_run) -> Settings:
    return changed(simulated_run, sender="haze@bureau.example")


@pytest.fixture(scope="module")
def client(settings) -> TestClient:
    return TestClient(create_app(settings), raise_server_exceptions=False)


def first_id(client: TestClient) -> str:
    return client.get("/v1/warnings").json()["features"][0]["id"]


def test_a_warning_answers_by_what_is_accepted(client) -> None:
    address = f"/v1/warnings/{first_id(client)}"
    plain = client.get(address)
    assert plain.headers["content-type"] == "application/geo+json" and "Accept" in plain.headers["vary"].split(", ")
    cap = client.get(address, headers={"Accept": "application/cap+xml, application/json;q=0.5"})
    assert cap.headers["content-type"] == "application/cap+xml" and cap.headers["etag"] != plain.headers["etag"]
    root = parse(cap.content)
    schema().assertValid(root)
    assert texts_at(root, "sender") == ["haze@bureau.example"] and texts_at(root, "status") == ["Test"]
    assert client.get(f"{address}.cap").content == cap.content
    assert client.get(f"/v1/warnings/{texts_at(root, 'identifier')[0]}").json()["id"] == first_id(client)
    assert client.get("/v1/warnings/nothing.cap").status_code == 404
    again = client.get(address, headers={"Accept": "application/cap+xml", "If-None-Match": cap.headers["etag"]})
    assert again.status_code == 304


def test_whoever_has_a_message_that_was_withdrawn_is_sent_its_cancel(settings, tmp_path) -> None:
    shutil.copytree(settings.data_dir, tmp_path / "copy")
    here = make_settings(data_dir=tmp_path / "copy", sender="haze@bureau.example")
    service = TestClient(create_app(here))
    before = service.get("/v1/warnings/feed.atom?language=en").content
    name = first_id(service)
    alert = parse(service.get(f"/v1/warnings/{name}.cap").content)
    store = Store(here.database_url)
    (run,) = all_runs(store)
    columns = {
        column.name: getattr(run, column.name) for column in ForecastRun.__table__.columns if column.name != "id"
    }
    with store.sessions.begin() as session:
        # An earlier run, of which the service goes on to speak.
        session.add(ForecastRun(**columns | {"init_time": run.init_time - timedelta(hours=12)}))
    withdraw_run(store, run.id, by="duty desk", why="a sensor was wrong")
    store.close()
    # At its own address, which messages name, and at that of the Cancel, which the feed names.
    for address in (f"{name}.cap", f"{name}.simulated.cap", f"{name}.simulated.withdrawn.cap"):
        cancel = parse(service.get(f"/v1/warnings/{address}").content)
        schema().assertValid(cancel)
        assert texts_at(cancel, "msgType") == ["Cancel"] and texts_at(cancel, "status") == ["Test"]
        (triplet,) = texts_at(cancel, "references")
        assert triplet == ",".join(texts_at(alert, part)[0] for part in ("sender", "identifier", "sent"))
        assert texts_at(cancel, "incidents") == texts_at(alert, "incidents")
        assert texts_at(cancel, "identifier") == [f"{name}.simulated.withdrawn"]
        assert texts_at(cancel, "sent")[0] > texts_at(alert, "sent")[0]
    for language, word in (("en", "Withdrawn:"), ("zh", "撤回"), ("ja", "取り消し")):
        feed = etree.fromstring(service.get(f"/v1/warnings/feed.atom?language={language}").content)
        entries = feed.findall("a:entry", NS)
        assert len(entries) == len(etree.fromstring(before).findall("a:entry", NS)) > 1
        assert all(word in entry.findtext("a:title", "", NS) for entry in entries)
        assert all(entry.find("a:category", NS).get("term") == "Cancel" for entry in entries)
        for entry in entries[:2]:
            link = entry.find("a:link", NS).get("href").removeprefix("http://testserver")
            schema().assertValid(parse(service.get(link).content))
        assert feed.findtext("a:updated", "", NS) == entries[0].findtext("a:updated", "", NS)
    assert service.get(f"/v1/warnings/{name}").status_code == 404
    assert service.get("/v1/warnings/nothing.withdrawn.cap").status_code == 404


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("*/*", False),
        ("application/cap+xml", True),
        ("Application/CAP+XML;q=0.9, application/json;q=0.2", True),
        ("application/cap+xml;q=0.1, application/geo+json", False),
        ("application/cap+xml;q=0", None),
        ("text/html,application/xml;q=0.9,*/*;q=0.8", False),
    ],
)
def test_accept_is_weighed(client, accept, expected) -> None:
    answer = client.get(f"/v1/warnings/{first_id(client)}", headers={"Accept": accept})
    kind = "application/cap+xml" if expected else "application/geo+json"
    assert answer.headers["content-type"] == kind if expected is not None else answer.status_code == 406


def test_cap_and_geojson_say_the_same(client) -> None:
    properties = client.get(f"/v1/warnings/{first_id(client)}").json()["properties"]
    infos = parse(client.get(f"/v1/warnings/{first_id(client)}.cap").content).findall("c:info", NS)
    for info, language in zip(infos, ("zh", "ja", "en"), strict=True):
        for name in ("headline", "description", "instruction", "event"):
            assert texts_at(info, name) == [properties[name][language]]
        assert texts_at(info, "severity") == [properties["severity"]]


def test_pages_of_the_feed_join_to_the_whole(client) -> None:
    """Each names itself and the next (RFC 5005, section 3)."""
    from lxml import etree

    def read(address: str) -> tuple[list[str], dict[str, str]]:
        root = etree.fromstring(client.get(address).content)
        links = {link.get("rel"): link.get("href") for link in root.findall("a:link", NS)}
        return [str(entry.findtext("a:id", namespaces=NS)) for entry in root.findall("a:entry", NS)], links

    whole, links = read("/v1/warnings/feed.atom?language=en")
    assert "next" not in links
    joined, address = [], "/v1/warnings/feed.atom?language=en&limit=7"
    while address:
        entries, links = read(address)
        assert len(entries) <= 7 and links["self"].endswith(address.removeprefix("http://testserver"))
        joined, address = joined + entries, links.get("next", "")
    assert joined == whole and len(set(whole)) == len(whole) > 7


def test_every_entry_of_the_feed_leads_to_a_valid_message(client) -> None:
    answer = client.get("/v1/warnings/feed.atom?language=en")
    assert answer.headers["content-type"].startswith("application/atom+xml")
    from lxml import etree

    root = etree.fromstring(answer.content)
    pages = [e.get("href") for e in root.findall("a:entry/a:link[@type='text/html']", NS)]
    assert pages and all(client.get(page).status_code == 200 for page in pages)
    links = [e.get("href") for e in root.findall("a:entry/a:link[@type='application/cap+xml']", NS)]
    assert len(links) == len(client.get("/v1/warnings?state=all").json()["features"]) > 0
    for link in links:
        schema().assertValid(parse(client.get(link).content))
    later = (datetime.now(UTC) + timedelta(days=9)).isoformat()
    assert b"<entry" not in client.get("/v1/warnings/feed.atom", params={"at": later}).content
    assert client.get("/v1/warnings/feed.atom?language=fr").status_code == 422


def test_areas_come_with_provinces_and_bulletin(client, caplog) -> None:
    with caplog.at_level("INFO"):
        content = client.get("/v1/areas").json()
    # A cycle by itself stores them; and no figure is finer than an area is known.
    assert "made on demand" not in caplog.text
    points = get_coordinates([shape(feature["geometry"]) for feature in content["features"]])
    assert np.array_equal(points, np.round(points, 4))
    assert content["simulated"] is True and content["features"] and content["bulletin"]["zh"].startswith("预计")
    for feature in content["features"]:
        assert shape(feature["geometry"]).is_valid and feature["properties"]["provinces"]


@pytest.mark.parametrize(
    ("path", "width"),
    [
        ("haze.png", 1200),
        ("haze.png?language=ja&size=phone", 720),
        ("pm25.png?lead_time=24&size=phone", 720),
        ("o3.png?language=en", 1200),
        ("aqi.png?lead_time=30", 1200),
        ("fan/beijing.png?pollutant=o3&size=phone", 720),
    ],
)
def test_maps_are_drawn(client, path, width) -> None:
    answer = client.get(f"/v1/maps/{path}")
    assert answer.headers["content-type"] == "image/png" and answer.headers["cache-control"].startswith("public")
    assert Image.open(io.BytesIO(answer.content)).width == width


def test_a_day_moves(client) -> None:
    answer = client.get("/v1/maps/day/pm25.webp")
    assert answer.headers["content-type"] == "image/webp" and Image.open(io.BytesIO(answer.content)).n_frames == 24


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"pm25.png?lead_time={LEAD_HOURS + 1}", 422),
        ("pm25.png?lead_time=0", 422),
        ("smoke.png", 422),
        ("haze.png?language=fr", 422),
        ("haze.png?size=watch", 422),
        ("fan/bejing.png", 404),
        ("day/pm25.avi", 422),
    ],
)
def test_bad_arguments_of_maps_are_problems(client, path, status) -> None:
    answer = client.get(f"/v1/maps/{path}")
    assert answer.status_code == status and answer.headers["content-type"] == "application/problem+json"


def test_messages_are_signed_where_there_is_a_key(settings, tmp_path) -> None:
    key, certificate = key_and_certificate()
    (tmp_path / "key.pem").write_bytes(key)
    (tmp_path / "certificate.pem").write_bytes(certificate)
    files = {"cap_key_file": tmp_path / "key.pem", "cap_certificate_file": tmp_path / "certificate.pem"}
    client = TestClient(create_app(changed(settings, **files)))
    content = client.get(f"/v1/warnings/{first_id(client)}.cap").content
    assert texts_at(verify(content, certificate), "sender") == ["haze@bureau.example"]
    with pytest.raises(InputError, match="both"):
        create_app(changed(settings, cap_key_file=tmp_path / "key.pem"))
    (tmp_path / "key.pem").write_bytes(b"no key")
    with pytest.raises(InputError, match="CAP signature"):
        create_app(changed(settings, **files))


def test_every_message_of_january_2013_validates(shared_data, tmp_path) -> None:
    settings = make_settings(data_dir=tmp_path, observations_dir=shared_data / "five-cities", weather="observed")
    for step in range(6):
        run_cycle(
            settings, init_time=datetime(2013, 1, 11, 10, tzinfo=UTC) + timedelta(hours=12 * step), cities=("beijing",)
        )
    client = TestClient(create_app(settings))
    store = Store(settings.database_url)
    history = warnings_page(store, False, WarningFilter(), after=None, limit=500)
    store.close()
    kinds = {w.kind for w in history}
    assert len(history) >= 6 and "issue" in kinds and kinds - {"issue"}
    for warning in history:
        root = parse(client.get(f"/v1/warnings/{warning.id}.cap").content)
        schema().assertValid(root)
        assert texts_at(root, "status") == ["Actual"]
        triplets = texts_at(root, "references")[0].split(" ") if warning.references else []
        assert [t.split(",")[1] for t in triplets] == list(warning.references)
    # Calm and humid, as that week was observed: the reasons are given, of the same messages in every language.
    told = [
        texts_at(parse(client.get(f"/v1/warnings/{warning.id}.cap").content), "info/description") for warning in history
    ]
    for zh, ja, en in (("风小", "風が弱く", "winds are light"), ("潮湿", "湿って", "humid")):
        said = [(zh in texts[0], ja in texts[1], en in texts[2]) for texts in told]
        assert (True, True, True) in said and set(said) <= {(True, True, True), (False, False, False)}
