"""Studies asked for as jobs: queued, run once, read by the account that asked alone, cancelled, and honest about a kill."""

from __future__ import annotations

import io
import threading
import time
import zipfile
from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient

from hazecast.services.accounts.accounts import add_account
from hazecast.services.core.errors import StoreError
from hazecast.services.research.studies import job as jobs
from hazecast.services.research.studies.job import run_job
from hazecast.services.research.studies.runner import StudyRunner
from hazecast.services.store.retention import prune
from hazecast.services.store.store import Store
from hazecast.services.store.study_runs import STOPPED, claim, finish, note_progress, running_slots
from hazecast.services.web.app import create_app
from hazecast.services.web.study_examples import BODIES
from tests.support.accounts import bearer
from tests.support.run_inside import run_inside
from tests.support.settings import changed, make_settings
from tests.support.waiting import until

NOW = datetime(2026, 1, 15, 9, tzinfo=UTC)
BUDGET = BODIES["budget"]


class Desk:
    """A service without a server, whose jobs run when told to."""

    def __init__(self, folder) -> None:
        self.settings = make_settings(data_dir=folder, study_jobs_account=2, study_jobs_open=3)
        self.store = Store(self.settings.database_url)
        self.store.migrate()
        for name in ("bureau", "other"):
            add_account(self.store.sessions, name, name=name, role="subscriber", at=datetime.now(UTC))
        self.bureau, self.other = (bearer(self.store, name, scopes=["studies:run"]) for name in ("bureau", "other"))
        self.client = TestClient(create_app(self.settings), raise_server_exceptions=False)
        for pool in (self.client.app.state.service.pool, self.client.app.state.service.studies):
            pool.submit = run_inside

    def ask(self, name: str = "budget", body: dict | None = None, head: dict | None = None):
        return self.client.post(f"/v1/studies/{name}/jobs", json=body or BODIES[name], headers=head or self.bureau)

    def get(self, address: str, head: dict | None = None):
        return self.client.get(address, headers=head or self.bureau)

    def run(self) -> str:
        """Run the job that has waited longest, in this process; return its address."""
        taken = claim(self.store, 0, datetime.now(UTC))
        assert taken is not None
        run_job(self.settings, taken.id, taken.study, taken.simulated)
        return f"/v1/study-jobs/{taken.id}"


@pytest.fixture
def desk(tmp_path):
    made = Desk(tmp_path)
    yield made
    made.client.app.state.service.close()
    made.store.close()


def forms(answered) -> dict[str, bytes]:
    """Return small results in place of drawn ones."""
    return {"result.json": jobs.as_content(answered), "report.html": b"<html>", "tables.zip": b"PK"}


def test_a_job_is_asked_for_run_and_read(desk, monkeypatch) -> None:
    monkeypatch.setattr(jobs, "_made", forms)
    asked = desk.ask()
    address = asked.headers["Location"]
    assert asked.status_code == 202 and asked.json()["state"] == "queued" and asked.json()["ahead"] == 0
    assert desk.ask().json()["ahead"] == 1
    waiting = desk.get(address)
    assert waiting.json()["results"] is None and int(waiting.headers["Retry-After"]) > 0
    refused = desk.get(f"{address}/result")
    assert refused.status_code == 409 and "is queued" in refused.json()["detail"]
    assert desk.run() == address
    done = desk.get(address).json()
    assert done["state"] == "done" and done["finished_at"] < done["results_until"] and done["ahead"] is None
    found = desk.get(done["results"]["result"])
    assert found.json() == desk.client.post("/v1/studies/budget", json=BUDGET, headers=desk.bureau).json()
    report = desk.get(done["results"]["report_html"])
    assert (
        report.headers["content-type"].startswith("text/html")
        and "script" not in report.headers["content-security-policy"]
    )
    # Without its extra there is no PDF, and the answer says so.
    assert desk.get(done["results"]["report_pdf"]).status_code == 501
    listed = desk.get("/v1/study-jobs?limit=1")
    assert [job["state"] for job in listed.json()["items"]] == ["queued"]
    assert [job["state"] for job in desk.get(listed.links["next"]["url"]).json()["items"]] == ["done"]


def test_only_the_account_that_asked_may_read_or_end_it(desk, monkeypatch) -> None:
    monkeypatch.setattr(jobs, "_made", forms)
    desk.ask()
    address = desk.run()
    for what in ("", "/result", "/report.html", "/tables.zip"):
        assert desk.get(address + what).status_code == 200
        assert desk.get(address + what, desk.other).status_code == 404
        assert desk.client.get(address + what).status_code == 401
    assert desk.client.delete(address, headers=desk.other).status_code == 404
    assert desk.get("/v1/study-jobs", desk.other).json()["items"] == []
    narrow = bearer(desk.store, "bureau", scopes=["account:read"])
    assert desk.ask(head=narrow).status_code == 403


def test_a_wrong_body_is_refused_at_once_and_unusable_values_when_it_runs(desk) -> None:
    refused = desk.ask(body={"tabel": "x"})
    assert refused.status_code == 422 and {one["field"] for one in refused.json()["errors"]} == {"table", "tabel"}
    assert desk.ask("budget", {"table": "component,kind,value\na,standard,x\n"}).status_code == 202
    failed = desk.get(desk.run()).json()
    assert failed["state"] == "failed" and failed["errors"][0]["field"] == "table, line 2, column value"
    assert "found x" in failed["error"] and failed["results"] is None and "tmp" not in str(failed)
    assert desk.client.post("/v1/studies/bugdet/jobs", json={}, headers=desk.bureau).status_code == 404


def test_a_repeated_request_is_the_same_job(desk) -> None:
    head = desk.bureau | {"Idempotency-Key": "once"}
    first, again = desk.ask(head=head), desk.ask(head=head)
    assert first.json()["id"] == again.json()["id"] and len(desk.get("/v1/study-jobs").json()["items"]) == 1
    another = desk.ask("duplicates", head=head)
    assert another.status_code == 422 and another.json()["errors"][0]["in"] == "header"
    # Another account's key is another key.
    assert desk.ask(head=desk.other | {"Idempotency-Key": "once"}).json()["id"] != first.json()["id"]


def test_more_than_there_are_places_for_is_a_429(desk) -> None:
    assert [desk.ask().status_code for _ in range(3)] == [202, 202, 429]
    full = desk.ask()
    assert int(full.headers["Retry-After"]) > 0 and "of the account" in full.json()["detail"]
    assert [desk.ask(head=desk.other).status_code for _ in range(2)] == [202, 429]
    assert "the service takes" in desk.ask(head=desk.other).json()["detail"]


def test_a_job_is_cancelled_and_its_results_are_removed(desk, monkeypatch) -> None:
    monkeypatch.setattr(jobs, "_made", forms)
    address = desk.ask().headers["Location"]
    assert desk.client.delete(address, headers=desk.bureau).status_code == 204
    assert desk.get(address).json()["state"] == "cancelled" and claim(desk.store, 0, NOW) is None
    desk.ask()
    running = claim(desk.store, 0, NOW)
    assert running is not None and note_progress(desk.store, running.id, "start 1 of 2")
    assert desk.get(f"/v1/study-jobs/{running.id}").json()["progress"] == "start 1 of 2"
    desk.client.delete(f"/v1/study-jobs/{running.id}", headers=desk.bureau)
    # Its subprocess sees that and ends; were it done just then, nothing of it would be stored.
    assert not note_progress(desk.store, running.id, "start 2 of 2") and not note_progress(desk.store, running.id, None)
    assert not finish(desk.store, running.id, {"result.json": b"{}"}, NOW)
    assert desk.get(f"/v1/study-jobs/{running.id}/result").json()["detail"].endswith("is cancelled")
    desk.ask()
    done = desk.run()
    desk.client.delete(done, headers=desk.bureau)
    gone = desk.get(f"{done}/result")
    assert gone.status_code == 404 and "removed" in gone.json()["detail"]
    assert desk.get(done).json()["state"] == "done" and desk.get(done).json()["results_until"] is None


def test_what_ran_at_a_kill_has_failed_and_what_waited_is_run(desk, monkeypatch) -> None:
    # Of a service that had a second runner.
    killed = [desk.ask(head=head).headers["Location"] for head in (desk.bureau, desk.other)]
    for slot in (0, 1):
        assert claim(desk.store, slot, NOW) is not None
    assert sorted(running_slots(desk.store)) == [0, 1]
    waited = desk.ask().headers["Location"]
    ran = []
    monkeypatch.setattr(
        "hazecast.services.research.studies.runner.call_elsewhere",
        lambda function, _, job, *more, **__: ran.append(job),
    )
    runner = StudyRunner(desk.store, desk.settings, lambda: NOW)
    runner.start()
    until(lambda: desk.get(waited).json()["state"] == "failed")
    runner.stop()
    runner.join()
    assert [desk.get(a, h).json()["error"] for a, h in zip(killed, (desk.bureau, desk.other), strict=True)] == [
        STOPPED
    ] * 2
    # Its subprocess did nothing here: a job without a result is not said to run.
    assert waited.endswith(ran[0]) and desk.get(waited).json()["error"] == "it ended without a result"


def test_two_runners_share_no_slot(desk, monkeypatch) -> None:
    ran = []
    monkeypatch.setattr(
        "hazecast.services.research.studies.runner.call_elsewhere",
        lambda function, _, job, *more, **__: ran.append(job),
    )
    runners = [StudyRunner(desk.store, desk.settings, lambda: NOW) for _ in range(2)]
    for runner in runners:
        runner.start()
    address = desk.ask().headers["Location"]
    for runner in runners:
        runner.wake()
    until(lambda: desk.get(address).json()["state"] == "failed")
    for runner in runners:
        runner.stop()
        runner.join()
    assert len(ran) == 1


def test_a_service_whose_database_is_gone_stops(desk, monkeypatch, caplog) -> None:
    begun, end = threading.Event(), threading.Event()

    def running(*_: object, **__: object) -> None:
        begun.set()
        assert end.wait(60)

    def gone(*_: object) -> bool:
        raise StoreError("the database does not answer")

    monkeypatch.setattr("hazecast.services.research.studies.runner.call_elsewhere", running)
    runner = StudyRunner(desk.store, desk.settings, lambda: NOW)
    runner.start()
    desk.ask()
    runner.wake()
    assert begun.wait(60)
    monkeypatch.setattr("hazecast.services.research.studies.runner.fail", gone)
    runner.stop()
    end.set()
    runner.join()
    assert "could not be noted" in caplog.text


def test_results_that_are_too_large_are_refused(desk, monkeypatch) -> None:
    monkeypatch.setattr(jobs, "_made", lambda answered: {"result.json": b" " * (2**20 + 1)})
    desk.settings = changed(desk.settings, study_result_mb=1)
    desk.ask()
    failed = desk.get(desk.run()).json()
    assert failed["state"] == "failed" and "1 MB at most" in failed["error"]


def test_results_go_after_their_days_and_the_record_later(desk, monkeypatch) -> None:
    monkeypatch.setattr(jobs, "_made", forms)
    desk.ask()
    address = desk.run()
    now = datetime.now(UTC)
    assert prune(desk.settings, now).rows == {}
    assert prune(desk.settings, now + timedelta(days=15), dry_run=True).rows == {"study_file": 3}
    assert prune(desk.settings, now + timedelta(days=15)).rows == {"study_file": 3}
    assert desk.get(f"{address}/result").status_code == 404 and desk.get(address).json()["state"] == "done"
    assert prune(desk.settings, now + timedelta(days=91)).rows == {"study_job": 1}
    assert desk.get(address).status_code == 404


def test_a_report_is_answered_by_the_header_accept_or_the_format(desk) -> None:
    asked = {"url": "/v1/studies/oxidation", "json": BODIES["oxidation"]}
    page = desk.client.post(**asked, headers=desk.bureau | {"Accept": "text/html"})
    assert page.status_code == 200 and page.headers["content-type"].startswith("text/html")
    assert "own table of 1 rows" in page.text and "<h2>Limits</h2>" in page.text
    assert desk.client.post(**asked, headers=desk.bureau | {"Accept": "image/png"}).status_code == 406
    assert desk.client.post(**asked, headers=desk.bureau).headers["content-type"] == "application/json"


@pytest.mark.slowest
def test_a_served_job_runs_in_a_subprocess_with_all_its_forms(tmp_path) -> None:
    desk = Desk(tmp_path)
    with TestClient(create_app(desk.settings)) as client:
        address = client.post("/v1/studies/budget/jobs", json=BUDGET, headers=desk.bureau).headers["Location"]
        long = client.post(
            "/v1/studies/sources/jobs", json=BODIES["sources"] | {"starts": 100_000}, headers=desk.bureau
        ).headers["Location"]
        end = time.monotonic() + 120
        while (job := client.get(address, headers=desk.bureau).json())["state"] != "done" and time.monotonic() < end:
            time.sleep(0.2)
        found = {name: client.get(where, headers=desk.bureau).content for name, where in job["results"].items()}
        assert found["report_pdf"].startswith(b"%PDF") and found["report_html"].startswith(b"<!doctype html>")
        assert {"components.csv", "summary.json"} <= set(zipfile.ZipFile(io.BytesIO(found["tables"])).namelist())
        while not (job := client.get(long, headers=desk.bureau).json())["progress"] and time.monotonic() < end:
            time.sleep(0.2)
        assert "start" in job["progress"]
    assert desk.get(long).json()["error"] == STOPPED
    desk.client.app.state.service.close()
    desk.store.close()
