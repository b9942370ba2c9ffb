"""The page as it is answered, without a browser: languages, addresses, states, headers, data, files."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from hazecast.alerts.messages.texts import LANGUAGES
from hazecast.grids.contract import LEAD_HOURS
from hazecast.services.core.settings import Settings
from hazecast.services.store.store import Store
from hazecast.services.web.app import create_app
from hazecast.services.web.page import answers
from hazecast.services.web.page.chart import HEIGHT, WIDTH, ChartLine, draw
from hazecast.services.web.page.colours import ink
from hazecast.services.web.page.outlook import _of_grade
from hazecast.services.web.page.words import preferred, words
from hazecast.services.work.cycle import run_cycle
from tests.support.catalogs import fields_of

INIT = datetime(2026, 1, 15, 10, tzinfo=UTC)


@pytest.fixture(scope="module")
def settings(sample_settings, sample_init) -> Settings:
    assert sample_init == INIT
    return sample_settings


@pytest.fixture(scope="module")
def client(settings) -> TestClient:
    return TestClient(create_app(settings, clock=lambda: INIT + timedelta(minutes=20)))


@pytest.mark.parametrize(
    ("header", "asked", "language"),
    [
        ("zh-CN,zh;q=0.9,en;q=0.8", None, "zh"),
        ("fr, ja;q=0.4, en;q=0.3", None, "ja"),
        ("fr-FR", None, "en"),
        ("", None, "en"),
        ("zh;q=0, ja;q=0.1", None, "ja"),
        ("ja;q=wrong, zh;q=0.2", None, "zh"),
        ("ja", "zh", "zh"),
        ("ja", "fr", "ja"),
    ],
)
def test_language_is_the_one_requested_else_the_one_the_browser_prefers(header, asked, language) -> None:
    assert preferred(header, asked) == language


@given(st.text(max_size=60))
def test_any_language_header_is_answered(header) -> None:
    assert preferred(header) in LANGUAGES


def test_the_languages_say_the_same_things() -> None:
    folder = Path(answers.__file__).with_name("messages")

    every = [fields_of(folder / f"{language}.toml") for language in LANGUAGES]
    assert every[0].keys() == every[1].keys() == every[2].keys()
    for key in every[0]:
        assert every[0][key] == every[2][key] and every[1][key] == every[2][key], key


@pytest.mark.parametrize(
    ("language", "name", "tag"), [("zh", "沈阳", "zh-CN"), ("ja", "瀋陽", "ja-JP"), ("en", "Shenyang", "en-US")]
)
def test_a_view_is_complete_in_each_language(client, language, name, tag) -> None:
    said = words(language)
    page = client.get("/", params={"city": "shenyang", "lang": language}).text
    assert f'<html lang="{tag}">' in page and f'id="city-title" tabindex="-1">{name}<' in page
    assert said.say("state.simulated") in page and said.say("warning.advice") in page
    assert {"zh": "川崎", "ja": "川崎", "en": "Kawasaki"}[language] in page and page.count("<figure") == 4
    rows = re.findall(r'<tr data-time="([^"]+)">', page)
    assert len(rows) == 2 * LEAD_HOURS and rows[0] == "2026-01-15T11:00Z"


def test_an_address_that_is_wrong_shows_what_it_can(client) -> None:
    for query in (
        "layer=nothing",
        "time=yesterday",
        "time=9999-99-99",
        "hour=x",
        f"hour={10**40}",
        "partner=beijing&city=beijing",
    ):
        assert client.get(f"/?{query}").status_code == 200, query
    early = client.get("/?time=1999-01-01T00:00Z").text
    assert 'value="1">' in early
    last = client.get("/?time=2099-01-01T00:00%2B09:00").text
    assert f'max="{LEAD_HOURS}" value="{LEAD_HOURS}"' in last


def test_an_unknown_city_is_not_found_and_named_harmlessly(client) -> None:
    answer = client.get("/", params={"city": "<script>alert(1)</script>", "lang": "en"})
    assert answer.status_code == 404 and "<script>alert" not in answer.text and "&lt;script&gt;" in answer.text
    assert client.get("/embed/nowhere").status_code == 404
    assert client.get("/embed/nowhere.png").status_code == 404


def test_an_address_that_leads_nowhere_is_a_page_for_people_and_a_problem_for_programs(client) -> None:
    for language, said in (("zh", "没有这个页面"), ("ja", "そのページはありません"), ("en", "There is no such page")):
        seen = client.get("/nothing", headers={"Accept": "text/html,*/*;q=0.8", "Accept-Language": language})
        assert seen.status_code == 404 and said in seen.text and 'href="/"' in seen.text
        assert seen.headers["content-type"].startswith("text/html") and seen.headers["cache-control"] == "no-store"
    for address, accepted in (("/nothing", "*/*"), ("/v1/nothing", "text/html")):
        told = client.get(address, headers={"Accept": accepted})
        assert told.status_code == 404 and told.headers["content-type"] == "application/problem+json"
    refused = client.get("/warnings.rss?citty=beijing")
    assert refused.status_code == 422 and "expected city?" in refused.json()["detail"]


def test_nothing_is_inline_but_the_page_s_own_style_and_the_policy_forbids_it(client) -> None:
    for path in ("/", "/?city=beijing", "/embed/beijing", "/?city=nowhere"):
        answer = client.get(path)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy
        [style] = re.findall(r"<style>(.*?)</style>", answer.text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        assert f"style-src 'self' 'sha256-{digest}';" in policy
        rest = answer.text.replace(style, "")
        assert re.search(r"<script(?![^>]*\bsrc=)|<style>(?!<)|\sstyle=|\son\w+=|javascript:", rest) is None, path
        outside = {a for a in re.findall(r'(?:src|href)="(https?://[^"]+)"', answer.text)}
        assert all(a.startswith("http://testserver/") for a in outside), outside
    assert "frame-ancestors 'self'" in client.get("/").headers["content-security-policy"]
    assert "frame-ancestors *" in client.get("/embed/beijing").headers["content-security-policy"]


@pytest.mark.parametrize(
    "path", ["/", "/?city=beijing", "/page/map.json", "/page/shapes.json", "/embed/beijing", "/embed/beijing.png"]
)
def test_answers_can_be_revalidated(client, path) -> None:
    first = client.get(path)
    assert first.status_code == 200 and "max-age" in first.headers["cache-control"]
    again = client.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 304 and again.content == b""
    assert client.get(path, headers={"If-None-Match": 'W/"other"'}).status_code == 200
    # Compared weakly, as a cache that knows the strong form may ask; "*" is any.
    for offered in (first.headers["etag"].removeprefix("W/"), f'"other", {first.headers["etag"]}', "*"):
        assert client.get(path, headers={"If-None-Match": offered}).status_code == 304


def test_map_data_agrees_with_the_api(client) -> None:
    data = client.get("/page/map.json").json()
    assert data["hours"] == LEAD_HOURS and len(data["cities"]) == 40
    forecast = client.get("/v1/cities/beijing/forecast").json()
    beijing = next(city for city in data["cities"] if city["id"] == "beijing")
    assert datetime.fromisoformat(data["first"]) == datetime.fromisoformat(forecast["hours"][0]["time"])
    for hour, pm25, o3 in zip(forecast["hours"], beijing["pm25"], beijing["o3"], strict=True):
        assert abs(hour["pm25"]["q50"] - pm25) <= 0.6 and abs(hour["o3"]["q50"] - o3) <= 0.6
    at = INIT + timedelta(minutes=20)
    standing = client.get("/v1/warnings", params={"at": at.isoformat()}).json()["features"]
    assert {w["id"] for w in data["warnings"]} == {f["id"] for f in standing} and standing
    page = client.get("/?lang=en").text
    assert {w["id"] for w in data["warnings"]} == set(re.findall(r'<li id="w-([^"]+)"', page))


def test_what_a_first_view_weighs(client) -> None:
    for path in ("/", "/?city=shanghai&lang=zh"):
        page = client.get(path)
        static = set(re.findall(r'(?:src|href)="(/page/static/[^"]+)"', page.text))
        parts = {path: len(gzip.compress(client.get(path).content)) for path in static}
        assert len(static) > 7 and not any("leaflet" in one for one in static)
        # The library of the map comes when the map is about to be seen.
        assert len(gzip.compress(page.content)) + sum(parts.values()) < 120_000, parts


def test_files_of_the_page_last_and_are_compressed(client) -> None:
    path = f"{answers.static_prefix()}/app.js"
    answer = client.get(path, headers={"Accept-Encoding": "gzip"})
    assert "immutable" in answer.headers["cache-control"] and answer.headers["content-encoding"] == "gzip"
    assert client.get(f"{answers.static_prefix()}/../routes.py").status_code == 404
    assert client.get("/page/static/0000000000000000/app.js").status_code == 404


def test_the_library_is_the_one_that_was_checked_in() -> None:
    vendor = answers.STATIC / "vendor"
    listed = dict(reversed(line.split("  ")) for line in (vendor / "SHA256SUMS").read_text().splitlines())
    found = {p.relative_to(vendor).as_posix() for p in vendor.rglob("*") if p.is_file()} - {"SHA256SUMS"}
    assert found == set(listed)
    for name, digest in listed.items():
        assert hashlib.sha256((vendor / name).read_bytes()).hexdigest() == digest, name
    pinned = json.loads((answers.STATIC.parent / "package.json").read_text())["dependencies"]["leaflet"]
    assert f'version="{pinned}"' in (vendor / "leaflet" / "leaflet.js").read_text()


def test_states_are_shown(settings, tmp_path) -> None:
    old = TestClient(create_app(settings, clock=lambda: INIT + timedelta(hours=30))).get("/?lang=en").text
    assert "Out of date" in old and "15 January 2026" in old and "hours ago" not in old
    ancient = TestClient(create_app(settings, clock=lambda: INIT + timedelta(days=5066)))
    assert "up to January 19, 2026, are over" in ancient.get("/?city=beijing&lang=en").text
    fresh = TestClient(create_app(settings, clock=lambda: INIT)).get("/?lang=en").text
    assert "Out of date" not in fresh and "Simulated sample" in fresh
    empty = TestClient(create_app(Settings(data_dir=tmp_path / "empty")))
    for path in ("/?lang=en", "/?city=beijing&lang=en", "/embed/beijing?lang=en"):
        assert empty.get(path).status_code == 200, path
    assert "not known whether there is anything to warn of" in empty.get("/?city=beijing&lang=en").text
    assert "No forecast is available yet" in empty.get("/?lang=en").text
    assert empty.get("/page/map.json").json()["cities"] == []
    assert empty.get("/embed/beijing.png").status_code == 200


def test_a_degraded_run_says_what_was_missing(tmp_path) -> None:
    settings = Settings(data_dir=tmp_path)
    run_cycle(settings, init_time=INIT, cities=("beijing", "kitakyushu"))
    store = Store(settings.database_url)
    with store.engine.begin() as connection:
        connection.exec_driver_sql("update forecast_run set degraded = 1")
        connection.exec_driver_sql(
            "update cycle_run set report = ?", (json.dumps({"reasons": ["no <weather> at all"]}),)
        )
    page = TestClient(create_app(settings, clock=lambda: INIT)).get("/?city=shanghai&lang=en").text
    assert "Limited" in page and "no &lt;weather&gt; at all" in page
    assert "has no values for this city" in page


def test_the_card_is_a_picture_of_its_size(client) -> None:
    for language in LANGUAGES:
        answer = client.get("/embed/beijing.png", params={"lang": language})
        image = Image.open(io.BytesIO(answer.content))
        assert answer.headers["content-type"] == "image/png" and image.size == (720, 400)
        assert len(image.convert("L").getcolors(256) or []) > 8


@given(st.integers(0, 0xFFFFFF))
def test_ink_contrasts_with_every_colour(number) -> None:
    def luminance(colour: str) -> float:
        linear = [
            c / 12.92 if (c := int(colour[i : i + 2], 16) / 255) <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4
            for i in (1, 3, 5)
        ]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    paper = f"#{number:06x}"
    high, low = sorted((luminance(paper), luminance(ink(paper))), reverse=True)
    assert (high + 0.05) / (low + 0.05) >= 4.5


@given(
    observed=st.lists(st.one_of(st.floats(0, 1500), st.just(np.nan)), max_size=72),
    medians=st.lists(st.one_of(st.floats(0, 1500), st.just(np.nan)), min_size=1, max_size=LEAD_HOURS),
    zone=st.sampled_from(["Asia/Shanghai", "Asia/Tokyo", "America/New_York"]),
)
def test_a_chart_stays_in_its_frame_and_breaks_at_gaps(observed, medians, zone) -> None:
    quantiles = np.array(medians)[:, None] * np.array([0.5, 0.8, 1.0, 1.2, 1.5])
    times = tuple(INIT - timedelta(hours=len(observed) - 1 - n) for n in range(len(observed)))
    data = ChartLine(INIT, times, np.array(observed, dtype=float), quantiles)
    chart = draw(data, data.highest, zone)
    for path in (chart.most, chart.half, chart.median, chart.observed):
        numbers = np.array([float(x) for x in re.findall(r"[\d.]+", path)])
        assert (numbers[::2] <= WIDTH).all() and (numbers[1::2] <= HEIGHT).all()
    runs = np.diff(np.concatenate([[0], np.isfinite(observed).astype(int), [0]]))
    assert chart.observed.count("M") == int((runs == 1).sum())
    assert 3 <= len(chart.ticks) <= 5 and len(chart.days) in (8, 9)


@pytest.mark.parametrize(
    ("visibility", "grade", "shown"), [(650.0, 5, 650.0), (700.0, 3, None), (12_000.0, 0, 12_000.0)]
)
def test_a_day_shows_no_visibility_that_contradicts_its_grade(visibility, grade, shown) -> None:
    assert _of_grade(visibility, grade) == shown


def test_pages_are_compressed_for_who_takes_it(client) -> None:
    plain = client.get("/", headers={"Accept-Encoding": "identity"})
    packed = client.get("/", headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in plain.headers and packed.headers["content-encoding"] == "gzip"
    assert packed.text == plain.text and packed.headers["etag"] == plain.headers["etag"]
    assert int(packed.headers["content-length"]) < int(plain.headers["content-length"]) / 2
    for one in (plain, packed):
        assert {"Accept-Encoding", "Accept-Language"} <= set(one.headers["vary"].split(", "))
