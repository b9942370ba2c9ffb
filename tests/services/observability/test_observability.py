"""The service observed: log lines, metrics, readiness, jobs."""

from __future__ import annotations

import io
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import insert

from hazecast.services.accounts.accounts import add_account
from hazecast.services.accounts.keys import add_key
from hazecast.services.core.logs import WithContext, configure_logging, json_formatter, log_context
from hazecast.services.core.settings import Settings
from hazecast.services.scheduling.history import JobHistory
from hazecast.services.store.store import Store
from hazecast.services.store.tables.forecasts import MonitorStation, StationObservation
from hazecast.services.web.app import create_app
from hazecast.services.work.cycle import run_cycle
from tests.support.settings import changed, make_settings

NOW = datetime.now(UTC).replace(microsecond=0)


def samples(client: TestClient) -> dict[tuple[str, tuple[str, ...]], float]:
    """All samples of a scrape, by name and the values of their labels."""
    answer = client.get("/metrics")
    assert answer.status_code == 200 and answer.headers["cache-control"] == "no-store"
    families = text_string_to_metric_families(answer.text)
    return {(s.name, tuple(s.labels.values())): s.value for family in families for s in family.samples}


@pytest.fixture(scope="module")
def settings(tmp_path_factory) -> Settings:
    settings = Settings(data_dir=tmp_path_factory.mktemp("observed"))
    run_cycle(settings)
    return settings


@pytest.fixture(scope="module")
def store(settings):
    store = Store(settings.database_url)
    yield store
    store.close()


@pytest.fixture(scope="module")
def client(settings) -> TestClient:
    return TestClient(create_app(settings), raise_server_exceptions=False)


def formatted(formatter: logging.Formatter, as_text: bool, **context: object) -> str:
    record = logging.LogRecord("services.x", logging.WARNING, __file__, 1, "%d files: 霾", (3,), None)
    with log_context(**context):
        WithContext(as_text).filter(record)
    return formatter.format(record)


def test_json_lines_name_what_they_belong_to() -> None:
    line = json.loads(formatted(json_formatter(), False, job="cycle", job_run=7))
    assert (line["message"], line["level"], line["logger"]) == ("3 files: 霾", "WARNING", "services.x")
    assert (line["job"], line["job_run"]) == ("cycle", 7)
    assert datetime.fromisoformat(line["time"]).utcoffset() == timedelta(0)
    assert "job" not in json.loads(formatted(json_formatter(), False))


def test_a_cycle_names_itself_in_its_log_lines(tmp_path, monkeypatch) -> None:
    def broken(*_: object, **__: object) -> None:
        logging.getLogger("inside").warning("here")
        raise ZeroDivisionError

    monkeypatch.setattr("hazecast.services.work.cycle.load_inputs", broken)
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.addFilter(WithContext(as_text=False))
    handler.setFormatter(json_formatter())
    logging.getLogger().addHandler(handler)
    try:
        run_cycle(Settings(data_dir=tmp_path))
    except ZeroDivisionError:
        logging.getLogger("outside").exception("failed")
    inside, outside = (json.loads(line) for line in written.getvalue().strip().splitlines()[-2:])
    assert (inside["message"], inside["cycle"]) == ("here", 1)
    assert "cycle" not in outside and "ZeroDivisionError" in outside["exc_info"]


def test_every_request_has_an_id_a_line_and_its_counts(client, caplog) -> None:
    caplog.set_level(logging.INFO, "hazecast.access")
    before = samples(client).get(("hazecast_http_requests_total", ("GET", "/v1/cities/{city_id}", "404")), 0.0)
    answer = client.get("/v1/cities/nowhere", headers={"X-Request-ID": "from-the-proxy.1"})
    assert answer.headers["x-request-id"] == "from-the-proxy.1"
    record = next(record for record in caplog.records if record.name == "hazecast.access" and record.status == 404)
    assert (record.method, record.path, record.route) == ("GET", "/v1/cities/nowhere", "/v1/cities/{city_id}")
    assert record.duration_ms > 0
    for bad in ("with space", "x" * 65, "line\\nbreak", ""):
        assert client.get("/v1/healthz", headers={"X-Request-ID": bad}).headers["x-request-id"] not in (bad, "")
    found = samples(client)
    assert found["hazecast_http_requests_total", ("GET", "/v1/cities/{city_id}", "404")] == before + 1
    assert found["hazecast_http_request_duration_seconds_count", ("GET", "/v1/healthz")] >= 4


def test_paths_and_methods_that_clients_invent_make_no_series(client) -> None:
    for number in range(5):
        client.get(f"/v1/none/{number}")
        client.request(f"INVENT{number}", "/v1/cities")
    routes = {labels for name, labels in samples(client) if name == "hazecast_http_requests_total"}
    assert ("GET", "(none)", "404") in routes and not any("none/" in label for labels in routes for label in labels)
    assert {labels[0] for labels in routes} <= {"GET", "other"}


def test_an_unexpected_error_can_be_found_in_the_log_by_its_id(settings, monkeypatch, caplog) -> None:
    app = create_app(settings)
    monkeypatch.setattr("hazecast.services.store.store.Store.latest_run", lambda *_: 1 / 0)
    client = TestClient(app, raise_server_exceptions=False)
    answer = client.get("/v1/maps/haze.png", headers={"X-Request-ID": "abc"})
    assert answer.status_code == 500 and answer.headers["x-request-id"] == "abc"
    assert samples(client)["hazecast_http_requests_total", ("GET", "/v1/maps/haze.png", "500")] == 1


def test_metrics_come_from_the_store_and_any_process_gives_the_same(settings, client, store) -> None:
    with store.engine.begin() as connection:
        station = {name: "" for name in ("source_kind", "name", "siting", "licence", "attribution")}
        station |= {"id": "cnemc:1", "source": "cnemc", "code": "1", "city": "beijing"}
        connection.execute(insert(MonitorStation), [station])
        value = {"station_id": "cnemc:1", "pollutant": "pm25", "units": "ug m-3", "flag": 0, "revision": 0}
        times = [NOW - timedelta(hours=hours) for hours in (1, 3)]
        connection.execute(insert(StationObservation), [value | {"time": t, "retrieved_at": NOW} for t in times])
    history = JobHistory(store.engine.begin)
    run = history.claim("cycle", NOW - timedelta(seconds=5))
    history.start(run)
    history.finish(run, "failed", error="source is down")
    history.beat(NOW)
    found, others = samples(client), samples(TestClient(create_app(settings)))
    newest = store.latest_run()
    assert found["hazecast_forecast_init_timestamp_seconds", ("true",)] == newest.init_time.timestamp()
    assert found["hazecast_observation_timestamp_seconds", ("cnemc",)] == times[0].timestamp()
    assert found["hazecast_city_observation_timestamp_seconds", ("true",)] == newest.init_time.timestamp()
    assert found["hazecast_job_last_outcome", ("cycle", "failed")] == 1
    assert found["hazecast_job_last_outcome", ("cycle", "done")] == 0
    assert found["hazecast_job_recent_runs", ("cycle", "failed")] == 1
    assert found["hazecast_job_last_lateness_seconds", ("cycle",)] >= 5
    assert abs(found["hazecast_scheduler_beat_timestamp_seconds", ()] - time.time()) < 60
    assert found["hazecast_store_size_bytes", ()] > 1e5 and found["hazecast_data_free_bytes", ()] > 0
    assert not any(value for (name, _), value in found.items() if name == "hazecast_scrape_fault")
    stored = ("hazecast_forecast", "hazecast_observation", "hazecast_job", "hazecast_drafts")
    for key, value in found.items():
        if key[0].startswith(stored):
            assert others[key] == value


def test_what_can_not_be_read_is_said_and_keeps_nothing_else_back(settings, monkeypatch) -> None:
    client = TestClient(create_app(settings))
    monkeypatch.setattr("hazecast.services.store.store.Store.latest_run", lambda *_: 1 / 0)
    found = samples(client)
    assert found["hazecast_scrape_fault", ("forecast",)] == 1 and found["hazecast_scrape_fault", ("jobs",)] == 0


def checks(answer) -> dict[str, str]:
    return {check["name"]: check["status"] for check in answer.json()["checks"]}


def test_readiness_names_every_check(client, store, settings) -> None:
    JobHistory(store.engine.begin).beat(NOW)
    answer = client.get("/v1/readyz")
    assert answer.status_code == 200 and answer.json()["status"] == "ready"
    assert checks(answer) == dict.fromkeys(
        ("database", "schema", "scheduler", "tables", "forecast", "files", "cities", "writing", "disk"), "ok"
    )


def test_a_silent_scheduler_is_degraded_and_a_stale_forecast_unready(client, store, settings) -> None:
    late = datetime.now(UTC) - timedelta(minutes=5)
    with store.engine.begin() as connection:
        connection.exec_driver_sql("update scheduler_beat set beat_at = ?", (late.strftime("%Y-%m-%d %H:%M:%S.0"),))
    answer = client.get("/v1/readyz")
    assert answer.status_code == 200 and answer.json()["status"] == "degraded"
    assert checks(answer)["scheduler"] == "degraded"
    stale = TestClient(create_app(changed(settings, stale_after_hours=1e-6))).get("/v1/readyz")
    assert stale.status_code == 503 and stale.headers["content-type"] == "application/problem+json"
    assert checks(stale)["forecast"] == "failed" and checks(stale)["database"] == "ok"
    assert "h old" in stale.json()["detail"] and stale.headers["cache-control"] == "no-store"


def test_without_database_or_on_another_schema_it_is_unready_but_alive(settings, tmp_path) -> None:
    other = Settings(data_dir=tmp_path)
    client = TestClient(create_app(other))
    store = Store(other.database_url)
    with store.engine.begin() as connection:
        connection.exec_driver_sql("update alembic_version set version_num = '0001'")
    answer = client.get("/v1/readyz")
    assert answer.status_code == 503 and checks(answer) == {"database": "ok", "schema": "failed"}
    store.close()
    for path in tmp_path.glob("hazecast.db*"):
        path.write_bytes(b"not a database, " * 512)
    answer = client.get("/v1/readyz")
    assert answer.status_code == 503 and checks(answer)["database"] == "failed"
    assert str(tmp_path) not in answer.text
    assert client.get("/v1/healthz").status_code == 200
    assert samples(client)["hazecast_scrape_fault", ("store",)] in (0.0, 1.0)


def test_jobs_are_shown_to_those_who_may_see_them(client, store) -> None:
    history = JobHistory(store.engine.begin)
    runs = [history.claim("janitor", NOW + timedelta(hours=hour)) for hour in range(3)]
    history.start(runs[0])
    history.finish(runs[0], "done", detail="removed: nothing")
    history.finish(runs[1], "timeout", error="stopped after 3600 s")
    assert client.get("/v1/jobs").status_code == 401
    reader = {"Authorization": f"Bearer {key_with(store, 'forecaster')}"}
    jobs = {job["name"]: job for job in client.get("/v1/jobs", headers=reader).json()["items"]}
    assert set(jobs) == {"cycle", "verification", "janitor"}
    janitor = jobs["janitor"]
    assert janitor["last_run"]["status"] == "due" and janitor["last_error"] == "stopped after 3600 s"
    assert janitor["last_success"] is not None and janitor["limit_seconds"] == 3600
    shown = client.get("/v1/jobs/janitor/runs?limit=2", headers=reader)
    assert [run["id"] for run in shown.json()["items"]] == [runs[2], runs[1]] and shown.headers[
        "cache-control"
    ] == "no-store"
    page = client.get(shown.links["next"]["url"], headers=reader).json()["items"]
    assert [run["detail"] for run in page] == ["removed: nothing"]
    unknown = client.get("/v1/jobs/nothing/runs", headers=reader)
    assert unknown.status_code == 404 and "one of cycle" in unknown.json()["detail"]
    subscriber = {"Authorization": f"Bearer {key_with(store, 'subscriber')}"}
    assert client.get("/v1/jobs", headers=subscriber).status_code == 403


def test_serve_embeds_the_scheduler_and_stops_cleanly(tmp_path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "hazecast.services.cli.app",
        "serve",
        "--port",
        str(port),
        "--data-dir",
        str(tmp_path),
    ]
    environment = os.environ | {"HAZECAST_LOG_FORMAT": "json", "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        text, end = "", time.monotonic() + 120
        while "hazecast_scheduler_beat_timestamp_seconds 1" not in text and time.monotonic() < end:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
                    text = answer.read().decode()
            except OSError:
                assert process.poll() is None
                time.sleep(0.2)
        assert "hazecast_scheduler_beat_timestamp_seconds 1" in text
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0
    lines = [json.loads(line) for line in errors.splitlines() if line.startswith("{")]
    assert any(line.get("route") == "/metrics" and line["status"] == 200 and line["request_id"] for line in lines)
    assert any(line["message"] == "this process leads the schedule" for line in lines)


def key_with(store: Store, role: str) -> str:
    add_account(store.sessions, role, name=f"A {role}", role=role, at=NOW)
    return add_key(store.sessions, role, label="tests", lifetime=timedelta(days=1), at=NOW, by="tests")[1]


@pytest.fixture(autouse=True)
def _logging_as_before():
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level


def test_logging_can_be_configured_again(tmp_path) -> None:
    for form in ("json", "text"):
        configure_logging(make_settings(data_dir=tmp_path, log_format=form))
    assert len([h for h in logging.getLogger().handlers if type(h) is logging.StreamHandler]) == 1
