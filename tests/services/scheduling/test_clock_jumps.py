"""The clock of the leader jumps: no job stands still, and none is run twice."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

from hazecast.services.cli.app import app
from hazecast.services.observability.health import examine
from hazecast.services.scheduling import service
from hazecast.services.scheduling.due import DueTimes, passed_due_times
from hazecast.services.scheduling.history import JobHistory
from hazecast.services.scheduling.spec import BEIJING, Cron, Every, Job
from hazecast.services.store.locks import store_lock
from hazecast.services.store.store import Store
from tests.support.delivery_world import Clock
from tests.support.settings import make_settings

NOW = datetime(2026, 1, 16, 3, 20, tzinfo=UTC)
JOB = Job("job", "tests.support.job_functions:fine", Every(3_600.0), "A test.", 60.0, 60.0)


class Executor:
    """Claims what is due, and runs nothing."""

    def __init__(self, settings, jobs, fence, history, clock) -> None:
        self._claims, self.claimed = JobHistory(fence.begin, clock), []

    def start_due(self, name, due_times) -> None:
        self.claimed += [due for due in due_times[-1:] if self._claims.claim(name, due) is not None]

    def owns(self, run_id) -> bool:
        return True

    def stop(self, seconds) -> list[str]:
        return []


@pytest.fixture
def store(tmp_path):
    made = Store(make_settings(data_dir=tmp_path).database_url)
    made.migrate()
    yield made
    made.close()


@pytest.fixture
def leader(store, tmp_path, monkeypatch):
    """A leader whose clock is set by hand, started at `NOW`."""
    monkeypatch.setattr(service, "RunExecutor", Executor)
    monkeypatch.setattr(service, "_LONGEST_WAIT_SECONDS", 0.01)
    settings, clock = make_settings(data_dir=tmp_path), Clock(NOW)
    lock = store_lock(settings.database_url, "scheduler")
    assert lock.acquire()
    leading = service.Leadership(settings, [JOB], lock, store.engine, clock)
    leading.start()
    yield leading, clock
    leading.stop_starting()
    lock.release()


def wait_for_due(store: Store, expected: datetime) -> None:
    end, due = time.monotonic() + 20.0, DueTimes(store.engine.connect)
    while due.next_runs()["job"] != expected:
        assert time.monotonic() < end, f"due {due.next_runs()['job']}, not {expected}"
        time.sleep(0.01)


def test_after_a_wrong_date_jobs_go_on_at_once_and_none_is_run_twice(leader, store) -> None:
    leading, clock = leader
    four, five = NOW.replace(hour=4, minute=0), NOW.replace(hour=5, minute=0)
    wait_for_due(store, four)
    # Weeks ahead for a moment.
    clock.now = NOW + timedelta(days=40)
    wait_for_due(store, four + timedelta(days=40))
    clock.now = NOW
    wait_for_due(store, four)
    clock.now = four + timedelta(seconds=1)
    wait_for_due(store, five)
    # An hour back: what was run then is not run again.
    clock.now = NOW
    wait_for_due(store, four)
    clock.now = four + timedelta(seconds=1)
    wait_for_due(store, five)
    # The late one of the wrong date, and one of four o'clock.
    assert leading._executor.claimed == [four + timedelta(days=40) - timedelta(hours=1), four]


def test_a_sign_of_life_of_the_future_is_a_fault(store, tmp_path) -> None:
    JobHistory(store.engine.begin, lambda: datetime.now(UTC) + timedelta(hours=2)).beat(NOW)
    settings = make_settings(data_dir=tmp_path)
    found = {check.name: check for check in examine(store, settings, datetime.now(UTC)).checks}
    assert found["scheduler"].status == "degraded" and "in the future" in found["scheduler"].detail
    check = CliRunner().invoke(app, ["jobs", "check", "--data-dir", str(tmp_path)])
    assert check.exit_code == 1 and "in the future" in check.output
    JobHistory(store.engine.begin).beat(NOW)
    assert CliRunner().invoke(app, ["jobs", "check", "--data-dir", str(tmp_path)]).exit_code == 0


def test_whoever_asks_for_a_scheduler_learns_it_by_the_exit_code(store, tmp_path) -> None:
    def check(*more: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, ["jobs", "check", "--data-dir", str(tmp_path), *more])
        return done.exit_code, done.output

    assert check() == (1, "no scheduler leads: none has run on this store\n")
    late = datetime.now(UTC) - timedelta(seconds=90)
    JobHistory(store.engine.begin, lambda: late).beat(NOW)
    code, said = check()
    assert code == 1 and "silent for 9" in said
    assert check("--seconds", "600")[0] == 0
    store.close()
    for path in tmp_path.glob("hazecast.db*"):
        path.write_bytes(b"no database at all, " * 512)
    assert check()[0] == 1


@pytest.mark.parametrize(
    ("start", "days"),
    [
        ((2028, 2, 27, 21), ["02-28", "02-29", "03-01"]),
        ((2027, 2, 27, 21), ["02-28", "03-01", "03-02"]),
        ((2026, 12, 30, 21), ["12-31", "01-01", "01-02"]),
    ],
)
def test_leap_days_and_the_end_of_the_year(start, days) -> None:
    trigger = Cron("40", "17", BEIJING).trigger()
    begin = datetime(*start, tzinfo=UTC)
    first = trigger.get_next_fire_time(None, begin).astimezone(UTC)
    passed, following = passed_due_times(trigger, first, begin + timedelta(days=3))
    assert [f"{due:%m-%d}" for due in passed] == days and {f"{due:%H:%M}" for due in passed} == {"09:40"}
    assert following == passed[-1] + timedelta(days=1)
