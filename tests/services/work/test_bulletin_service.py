"""The bulletin of stored runs: from the store to documents, through the API and on the command line."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import xarray as xr
from fastapi.testclient import TestClient
from pypdf import PdfReader
from typer.testing import CliRunner

from hazecast.alerts.rules.book import RuleBook
from hazecast.grids.errors import InputError
from hazecast.grids.observations.tables.findings import Fault
from hazecast.grids.places.cities import load_registry
from hazecast.grids.quality import DISTRUSTED, DUPLICATE, MODELLED
from hazecast.services.cli.app import app
from hazecast.services.core.settings import Settings
from hazecast.services.store.observations import observed_hours
from hazecast.services.store.store import Store
from hazecast.services.web.app import create_app
from hazecast.services.web.routes.bulletins import preferred_form
from hazecast.services.work import maps
from hazecast.services.work.bulletin import Bulletins
from hazecast.services.work.bulletin_edition import FORMATS, places_label
from hazecast.services.work.bulletin_reasons import as_reason
from hazecast.services.work.cycle import run_cycle
from hazecast.services.work.inputs import FUTURE_HOURS, CycleInputs
from hazecast.services.work.shortcomings import shortcomings
from tests.support.settings import make_settings

REGISTRY = load_registry()
NOW = datetime(2013, 1, 11, 22, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def simulated(tmp_path_factory) -> Settings:
    settings = Settings(data_dir=tmp_path_factory.mktemp("simulated"))
    run_cycle(settings, cities=("beijing", "kitakyushu"))
    return settings


@pytest.fixture(scope="module")
def client(simulated) -> TestClient:
    return TestClient(create_app(simulated), raise_server_exceptions=False)


@pytest.fixture(scope="module")
def episode(shared_data, tmp_path_factory) -> Settings:
    """Beijing and Shenyang in January 2013: a forecast from before the 11th, and one of the morning of the 12th."""
    settings = make_settings(
        data_dir=tmp_path_factory.mktemp("episode"), observations_dir=shared_data / "five-cities", weather="observed"
    )
    for init_time in (datetime(2013, 1, 10, 10, tzinfo=UTC), datetime(2013, 1, 11, 22, tzinfo=UTC)):
        run_cycle(settings, init_time=init_time, cities=("beijing", "shenyang"))
    return settings


@pytest.fixture
def bulletins(episode):
    store = Store(episode.database_url)
    yield Bulletins(store, episode, REGISTRY, RuleBook.shipped())
    store.close()


def test_real_episode_is_told_and_verified(bulletins, episode) -> None:
    edition = bulletins.edition(["beijing", "shanghai"], "en", NOW)
    beijing = REGISTRY.city("beijing")
    assert [c.id for c in edition.bulletin.missing] == ["shanghai"] and "Shanghai" in edition.text
    assert edition.bulletin.notices_of(beijing)[0].warning.level in ("orange", "red")
    today = edition.bulletin.days[beijing][0]
    assert today.observed_hours == 6 and str(today.date)[:10] == "2013-01-12" and today.pm25[1] > 150
    (check,) = edition.bulletin.checks
    assert check.init_time == np.datetime64("2013-01-10T10:00") and check.outcome == "hit"
    # As the collection itself has it: the mean of the 24 hours of Beijing's 11 January.
    store = Store(episode.database_url)
    seen = observed_hours(
        store, datetime(2013, 1, 10, 17, tzinfo=UTC), datetime(2013, 1, 11, 16, tzinfo=UTC), False, "beijing"
    )
    store.close()
    assert check.pm25_observed == pytest.approx(float(seen["pm25"].mean()))
    rows = list(csv.DictReader(io.StringIO(edition.document("csv").content.decode("utf-8-sig"))))
    assert rows[0]["kind"] == "verification" and rows[-1]["city"] == "shanghai"
    text = "".join(p.extract_text() for p in PdfReader(io.BytesIO(edition.document("pdf").content)).pages)
    assert "haze warning" in text and f"{check.pm25_observed:.0f}" in text and "Shanghai" in text
    assert not re.search("SIMULATED|OUTDATED", text) and "beijing-pm25" in edition.pictures


def test_one_rendering_serves_all_until_something_changes(bulletins, monkeypatch) -> None:
    drawn: list[str] = []
    original = maps.fan_of_run
    monkeypatch.setattr(maps, "fan_of_run", lambda *a: drawn.append(a[3]) or original(*a))
    first = bulletins.edition(["beijing"], "zh", NOW)
    document = first.document("html")
    for _ in range(50):
        again = bulletins.edition(["beijing"], "zh", NOW + timedelta(minutes=5))
        assert again is first and again.document("html") is document
    assert len(drawn) == len(first.pictures) - 1
    tomorrow = bulletins.edition(["beijing"], "zh", NOW + timedelta(days=1))
    assert tomorrow.key != first.key and tomorrow.bulletin.state.stale
    assert tomorrow.title.startswith("[预报已过时]")
    assert bulletins.edition(["beijing"], "ja", NOW).key != first.key
    html, parts = first.mail()
    assert b"data:image" not in html and all(f"cid:{name}".encode() in html for name in parts)
    assert all(part.startswith(b"\x89PNG") for part in parts.values())


def test_warning_that_ends_changes_the_bulletin(bulletins) -> None:
    first = bulletins.edition(["beijing"], "en", NOW)
    expires = max(n.warning.expires for n in first.bulletin.notices)
    later = bulletins.edition(["beijing"], "en", expires)
    assert later.key != first.key and "No warning is in force" in later.text


def test_before_any_forecast_there_is_none(bulletins) -> None:
    with pytest.raises(InputError, match="no forecast"):
        bulletins.edition(["beijing"], "en", datetime(2012, 1, 1, tzinfo=UTC))
    with pytest.raises(InputError, match="language: found fr"):
        bulletins.edition(["beijing"], "fr", NOW)


def test_simulated_bulletin_says_so_in_every_form(client) -> None:
    media = {
        "html": "text/html",
        "pdf": "application/pdf",
        "csv": "text/csv",
        "nc": "application/x-netcdf",
        "txt": "text/plain",
    }
    for form in FORMATS:
        answer = client.get(f"/v1/bulletins/latest.{form}?language=en&city=beijing")
        assert answer.status_code == 200 and answer.headers["content-type"].startswith(media[form]), form
        assert (
            f'.{form}"' in answer.headers["content-disposition"]
            and "simulated" in answer.headers["content-disposition"]
        )
        content = answer.content
        if form == "pdf":
            pages = PdfReader(io.BytesIO(content)).pages
            assert all("SIMULATED DATA" in page.extract_text() for page in pages)
        elif form == "csv":
            rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))
            assert rows and {row["simulated"] for row in rows} == {"1"}
        elif form == "nc":
            assert content[1:4] == b"HDF" and b"SIMULATED" in content
        else:
            assert content.count(b"SIMULATED DATA") >= 2 and b"Not verified" in content


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("*/*", "html"), ("text/html,application/xhtml+xml,*/*;q=0.8", "html"), ("application/pdf", "pdf"),
        ("text/csv;q=0.5, application/x-netcdf", "nc"), ("text/*;q=0.3, text/csv", "csv"), ("text/plain", "txt"),
        ("application/json", None), ("text/html;q=0, application/pdf;q=x", None),
    ],
)  # fmt: skip
def test_the_form_follows_accept(accept, form) -> None:
    assert preferred_form(accept) == form


def test_content_is_negotiated_and_cached(client) -> None:
    first = client.get("/v1/bulletins/latest?region=kitakyushu&language=ja", headers={"Accept": "text/html"})
    assert (
        first.headers["vary"] == "Accept, Accept-Encoding"
        and first.headers["content-language"] == "ja"
        and 'lang="ja-JP"' in first.text
    )
    assert "default-src 'none'" in first.headers["content-security-policy"] and "北九州" in first.text
    again = client.get(
        "/v1/bulletins/latest?region=kitakyushu&language=ja", headers={"If-None-Match": first.headers["etag"]}
    )
    assert again.status_code == 304
    assert client.get("/v1/bulletins/latest", headers={"Accept": "application/json"}).status_code == 406


@pytest.mark.parametrize(
    ("query", "status", "word"),
    [
        ("city=bejing", 422, "beijing"), ("city=", 422, "city"), ("region=atlantis", 422, "region"),
        ("city=beijing&region=kitakyushu", 422, "region"), ("language=fr", 422, "language"),
    ],
)  # fmt: skip
def test_wrong_questions_get_clear_answers(client, query, status, word) -> None:
    answer = client.get(f"/v1/bulletins/latest.txt?{query}")
    assert answer.status_code == status and word in answer.json()["detail"]
    assert client.get("/v1/bulletins/latest.doc").status_code in (404, 422)


def test_no_forecast_is_404(tmp_path) -> None:
    empty = TestClient(create_app(Settings(data_dir=tmp_path)))
    answer = empty.get("/v1/bulletins/latest.pdf")
    assert answer.status_code == 404 and "no forecast" in answer.json()["detail"]


def test_command_writes_the_forms_asked_for(episode, tmp_path) -> None:
    arguments = [
        "bulletin", "--city", "beijing", "--language", "ja", "--format", "csv", "--format", "nc", "--at",
        NOW.isoformat(), "--out", str(tmp_path / "new"), "--data-dir", str(episode.data_dir),
    ]  # fmt: skip
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    late = CliRunner().invoke(app, [*arguments[:7], *arguments[9:], "--at", "2013-01-13T22:30Z"])
    assert late.exit_code == 3, "outdated"
    stem = tmp_path / "new" / "hazecast-bulletin-beijing-20130111T2200Z-ja"
    assert done.output.split() == [f"{stem}.csv", f"{stem}.nc"]
    assert {path.suffix for path in (tmp_path / "new").iterdir()} == {".csv", ".nc"}
    with xr.open_dataset(f"{stem}.nc", decode_timedelta=True) as dataset:
        assert list(dataset["city"].values) == ["beijing"] and dataset.attrs["simulated"] == 0


def test_a_files_name_says_which_places_it_is_of() -> None:
    def label(*ids: str, whole: bool = False) -> str:
        return places_label([REGISTRY.city(name) for name in ids], REGISTRY, whole)

    large = next(r for r in REGISTRY.regions.values() if len(r.cities) > 3)
    assert label("beijing") == "beijing" and label("beijing", "kitakyushu") == "beijing-kitakyushu"
    assert label(*large.cities) == large.id and label("beijing", whole=True) == ""
    assert label("beijing", "himeji", "kobe", "tianjin") == "beijing-and-3-others"


def test_every_reason_of_a_degraded_run_has_words() -> None:
    init = datetime(2013, 1, 1, tzinfo=UTC)
    times = np.datetime64("2013-01-01", "ns") - np.arange(71, -1, -1) * np.timedelta64(3600 * 10**9, "ns")
    pm25 = np.full((72, 1), 50.0)
    pm25[-10:] = np.nan

    flags = np.full((72, 1), MODELLED)
    flags[0], flags[1:3] = DISTRUSTED, DUPLICATE

    class Monitors:
        counts = {FUTURE_HOURS: 3}  # noqa: RUF012
        silent = ("tianjin",)
        faults = (Fault("a.csv, line 3, PM2.5", "1O", "a number"),)
        doubts = ("a.csv: no offset of its times: taken for the city's own",)
        observations = xr.Dataset(
            {"pm25": (("time", "city"), pm25), "pm25_flag": (("time", "city"), flags)},
            coords={"time": times, "city": ["beijing"]},
        )

    ahead = times[-1] + np.arange(1, 101) * np.timedelta64(3600 * 10**9, "ns")
    warm = np.where(np.arange(100) == 3, np.nan, 280.0)[:, None]
    weather = xr.Dataset({"t2m": (("time", "city"), warm)}, coords={"time": ahead, "city": ["beijing"]})
    inputs = CycleInputs(Monitors(), None, weather, "test", False, ("weather: no cycle issued by 2013-01-01T00Z",))  # type: ignore[arg-type]
    inputs = replace(inputs, init_age=timedelta(hours=9))
    found = shortcomings(inputs, [REGISTRY.city("beijing")], init, skipped=["tianjin", "dalian"])
    said = [as_reason(text) for text in found]
    assert [reason.key for reason in said] == [
        "weather_missing", "late", "old", "silent", "distrusted", "repeating", "future", "modelled", "assumed", "left_out", "weather_gaps", "weather_gaps", "weather_short",
    ]  # fmt: skip
    assert dict(said[1].values) == {"city": "beijing", "hours": "10"} and dict(said[7].values) == {"n": "1"}
    assert [dict(one.values) for one in said[2:6]] == [{"hours": "9"}, {"n": "1", "all": "2"}, {"n": "1"}, {"n": "2"}]
    assert as_reason("something new").key == "other" and dict(as_reason("something new").values) == {
        "text": "something new"
    }
