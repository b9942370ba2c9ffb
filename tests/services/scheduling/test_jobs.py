"""Scheduled jobs: when they are due, what happens to missed runs, and how each run ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.exc import SQLAlchemyError

from hazecast.alerts.rules.book import RuleBook
from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import load_registry
from hazecast.services.core.settings import Settings
from hazecast.services.scheduling.due import DueTimes, NextRun, passed_due_times
from hazecast.services.scheduling.executor import RunExecutor, run_now
from hazecast.services.scheduling.fence import Fence
from hazecast.services.scheduling.history import JobHistory
from hazecast.services.scheduling.jobs import all_jobs, cycle_job, job_named
from hazecast.services.scheduling.process import JobProcess
from hazecast.services.scheduling.service import Leadership, Scheduler
from hazecast.services.scheduling.spec import Cron, Every, Job, schedule_from
from hazecast.services.scheduling.tasks import CycleBusy, cycle_lock
from hazecast.services.scheduling.worker import job_lock, resolve
from hazecast.services.store.locks import LockLost, store_lock
from hazecast.services.store.store import Store
from tests.support.settings import changed, make_settings
from tests.support.waiting import until

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)


def job(function: str = "fine", **given) -> Job:
    values = {"limit_seconds": 60.0, "grace_seconds": 60.0} | given
    return Job("job", f"tests.support.job_functions:{function}", Every(3_600.0), "A test.", **values)


@pytest.fixture
def settings(tmp_path) -> Settings:
    settings = Settings(data_dir=tmp_path)
    store = Store(settings.database_url)
    store.migrate()
    store.close()
    return settings


@pytest.fixture
def store(settings):
    store = Store(settings.database_url)
    yield store
    store.close()


@pytest.fixture
def history(store) -> JobHistory:
    return JobHistory(store.engine.begin)


@pytest.fixture
def due_times(store) -> DueTimes:
    return DueTimes(store.engine.begin)


def test_cycles_are_due_at_the_set_beijing_hours(tmp_path) -> None:
    given = make_settings(data_dir=tmp_path, schedule_hours="5,17", schedule_decisions=False)
    fire = cycle_job(given).schedule.trigger().get_next_fire_time(None, datetime(2026, 1, 1, tzinfo=UTC))
    assert fire.astimezone(UTC) == datetime(2026, 1, 1, 9, 40, tzinfo=UTC)


def test_by_default_a_cycle_follows_every_decision_of_every_rule_set(tmp_path) -> None:
    job_ = cycle_job(make_settings(data_dir=tmp_path))
    assert isinstance(job_.schedule, Cron) and job_.schedule.time_zone == "Asia/Shanghai"
    due = {int(hour) for hour in job_.schedule.hour.split(",")}
    assert {5, 17} <= due
    cities = load_registry().cities.values()
    for rules, ids in RuleBook.shipped().of_cities(cities, NOW):
        for hour in rules.decision_hours:  # hours of Japan, one ahead of Beijing
            assert ids and (hour - 1) % 24 in due, (rules.id, hour)
    # A bureau's own rule set brings its hours along.
    own = tmp_path / "rules"
    own.mkdir()
    (own / "jp_pm25_oita.toml").write_text(
        'extends = "jp_pm25_oita"\nid = "jp_pm25_oita"\nregions = ["oita"]\n[[levels]]\nid = "alert"\n[[levels.conditions]]\n'
        'number = 1\nsource = "the mean of 01 to 04"\ntests = [{ variable = "pm25", mean_hours = [1, 4], comparator = "gt",'
        ' value = 85.0, units = "ug m-3" }]\n'
    )
    schedule = cycle_job(make_settings(data_dir=tmp_path, rules_dir=own)).schedule
    assert isinstance(schedule, Cron) and "3" in schedule.hour.split(",") and 3 not in due


@pytest.mark.parametrize("weather", ["none", "live"])
def test_every_job_names_a_function_that_is_there(tmp_path, weather) -> None:
    settings = make_settings(data_dir=tmp_path, weather=weather)
    jobs = all_jobs(settings)
    assert len({one.name for one in jobs}) == len(jobs) and all(callable(resolve(one.function)) for one in jobs)
    assert ("ingest" in {one.name for one in jobs}) == (weather == "live")
    with pytest.raises(InputError, match="expected one of cycle"):
        job_named("nothing", settings)


@given(
    st.lists(st.integers(-7_200, 0), min_size=1, unique=True).map(sorted),
    st.integers(1, 3_600),
    st.sampled_from(["latest", "each"]),
)
def test_what_is_due_is_run_or_missed_and_nothing_is_lost(seconds, grace, catch_up) -> None:
    due = [NOW + timedelta(seconds=s) for s in seconds]
    to_run, missed = job(grace_seconds=grace, catch_up=catch_up).plan(due, NOW)
    assert missed + to_run == due
    assert all(NOW - time <= timedelta(seconds=grace) for time in to_run)
    assert all(NOW - time > timedelta(seconds=grace) for time in missed)


@pytest.mark.parametrize("schedule", [Every(5.0), Cron("40", "5,17", "Asia/Shanghai"), Cron("10", "*/6")])
def test_a_stored_job_is_json_and_comes_back_as_it_was(store, due_times, schedule) -> None:
    due = schedule.trigger().get_next_fire_time(None, datetime.now(UTC))
    due_times.put("cycle", schedule, due)
    with store.engine.connect() as connection:
        state = connection.exec_driver_sql("select job_state from scheduled_job").scalar()
    kept = json.loads(state)
    # No name of a function: nothing that the database holds is called.
    assert set(kept) == {"schedule"} and schedule == schedule_from(kept["schedule"])
    found = due_times.all()["cycle"]
    assert found.schedule == schedule and found.due == due == due_times.next_runs()["cycle"]
    due_times.remove("cycle")
    assert due_times.all() == {}


def test_due_times_that_an_earlier_version_stored_are_read(store, due_times) -> None:
    state = {"schedule": {"seconds": 5.0}, "func": "module:function", "next_run_time": NOW.isoformat(), "version": 1}
    with store.engine.begin() as connection:
        values = ("cycle", NOW.timestamp(), json.dumps(state))
        connection.exec_driver_sql("insert into scheduled_job (id, next_run_time, job_state) values (?, ?, ?)", values)
    assert due_times.all() == {"cycle": NextRun(Every(5.0), NOW)}


def test_missed_due_times_are_listed_up_to_now() -> None:
    trigger = Every(60.0).trigger()
    first = NOW - timedelta(minutes=2)
    passed, following = passed_due_times(trigger, first, NOW)
    assert passed == [first, first + timedelta(minutes=1), NOW] and following == NOW + timedelta(minutes=1)
    assert passed_due_times(trigger, following, NOW) == ([], following)
    assert passed_due_times(trigger, None, NOW) == ([], None)


def test_a_due_time_is_claimed_once_and_ends_once(history) -> None:
    run = history.claim("job", NOW)
    assert run is not None and history.claim("job", NOW) is None
    assert history.start(run) and not history.start(run)
    assert history.finish(run, "done", detail="d" * 9_000) and not history.finish(run, "failed", error="late")
    ended = history.run(run)
    assert (ended.status, ended.error, len(ended.detail)) == ("done", None, 4_000)
    again = history.claim("job", NOW, attempt=2)
    assert again is not None and [row.id for row in history.runs("job")] == [again, run]
    assert [row.id for row in history.runs("job", before=again)] == [run]


def test_the_history_is_cut_but_for_open_and_newest_runs(history) -> None:
    runs = [history.claim("job", NOW + timedelta(hours=hour)) for hour in range(4)]
    for run in runs[1:]:
        history.finish(run, "done")
    assert history.prune(datetime.now(UTC) + timedelta(days=1)) == 2
    assert [row.id for row in history.runs("job")] == [runs[3], runs[0]]


@pytest.mark.parametrize(
    ("function", "limit", "status", "error"),
    [
        ("fine", 60.0, "degraded", None),
        ("failing", 60.0, "failed", "RuntimeError: source is down"),
        ("endless", 1.0, "timeout", "stopped after 1 s"),
        ("dying", 60.0, "interrupted", "its process died"),
    ],
)
def test_how_a_run_ends_is_recorded(settings, store, history, function, limit, status, error) -> None:
    one = job(function, limit_seconds=limit)
    executor = RunExecutor(settings, {"job": one}, Fence(None, store.engine), history)
    now = datetime.now(UTC).replace(microsecond=0)
    due = [now - timedelta(seconds=s) for s in (120, 30, 0)]
    executor.start_due("job", due)
    assert executor.stop(60.0) == []
    run, missed = history.runs("job")
    if run.status == "missed":
        run, missed = missed, run
    assert (run.due, run.status, run.skipped) == (now, status, 1)
    assert run.started_at is not None and run.finished_at >= run.started_at
    assert (error is None) == (run.error is None) and (error or "") in (run.error or "")
    assert (missed.due, missed.status) == (due[0], "missed") and "60 s late" in missed.error
    if function == "fine":
        assert run.detail == f"due {now.isoformat()}"


def test_a_run_in_progress_is_stopped_with_its_scheduler(settings, store, history) -> None:
    executor = RunExecutor(settings, {"job": job("endless")}, Fence(None, store.engine), history)
    executor.start_due("job", [datetime.now(UTC)])
    until(lambda: history.runs("job")[0].status == "running")
    lock = store_lock(settings.database_url, job_lock("job"))
    assert not lock.acquire()
    assert executor.stop(0.0) == ["job"]
    assert history.runs("job")[0].status == "interrupted" and lock.acquire()
    lock.release()


def test_a_run_that_is_just_claimed_does_not_look_abandoned(settings, store, history, monkeypatch) -> None:
    claim, claimed = JobHistory.claim, threading.Event()

    def slow_claim(self: JobHistory, *given: object, **named: object) -> int | None:
        run = claim(self, *given, **named)
        claimed.set()
        time.sleep(0.3)
        return run

    monkeypatch.setattr(JobHistory, "claim", slow_claim)
    executor = RunExecutor(settings, {"job": job()}, Fence(None, store.engine), history)
    thread = threading.Thread(target=executor.start_due, args=("job", [datetime.now(UTC)]))
    thread.start()
    assert claimed.wait(60.0) and executor.owns(history.unfinished()[0].id)
    thread.join()
    assert executor.stop(60.0) == []


def test_a_run_whose_scheduler_gave_it_up_does_nothing(settings, history) -> None:
    run = history.claim("job", NOW)
    history.finish(run, "interrupted")
    process = JobProcess(settings, job("failing"))
    assert process.run(NOW, run) == ("interrupted", None) and not process.stop()
    assert history.run(run).started_at is None


def test_a_run_by_hand_waits_for_nobody(settings, monkeypatch) -> None:
    monkeypatch.setattr("hazecast.services.scheduling.executor.job_named", lambda name, _: job())
    made = run_now("job", settings)
    assert (made.status, made.manual, made.attempt) == ("degraded", True, 1)


@pytest.mark.parametrize(("late", "status"), [(30.0, "degraded"), (900.0, "missed")])
def test_what_came_due_while_no_scheduler_ran_is_caught_up_or_missed(
    settings, store, history, due_times, late, status
) -> None:
    one = job(grace_seconds=600.0)
    with led(settings, store, one):
        pass
    due = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=late)
    due_times.put("job", one.schedule, due)
    with led(settings, store, one):
        until(lambda: history.runs("job") and history.runs("job")[0].finished_at)
        run = history.runs("job")[0]
        assert (run.due, run.status) == (due, status)
        until(lambda: due_times.next_runs()["job"] > datetime.now(UTC))


def test_a_changed_schedule_starts_again_and_a_removed_job_goes(settings, store, due_times) -> None:
    first, second = job(), Job("other", "tests.support.job_functions:fine", Every(60.0), "Another.", 60.0, 60.0)
    with led(settings, store, first, second):
        assert set(due_times.next_runs()) == {"job", "other"}
    hourly = due_times.next_runs()["job"]
    with led(settings, store, Job("job", first.function, Cron("7", "3"), "A test.", 60.0, 60.0)):
        assert set(due_times.next_runs()) == {"job"} and due_times.next_runs()["job"].minute == 7
        assert hourly.minute == 0


@pytest.mark.parametrize(("rerun", "late", "attempts"), [(True, 0, 2), (True, 3_600, 1), (False, 0, 1)])
def test_a_run_whose_process_died_is_recorded_and_made_again_by_rule(
    settings, store, history, rerun, late, attempts
) -> None:
    due = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=late)
    run = history.claim("job", due)
    history.start(run)
    with led(settings, store, job(rerun=rerun)) as leader:
        assert history.run(run).status == "interrupted" and "died" in history.run(run).error
        leader.beat()
        until(lambda: all(row.finished_at for row in history.runs("job")))
    found = history.runs("job")
    assert [row.attempt for row in found] == list(range(attempts, 0, -1))
    assert found[0].status == ("degraded" if attempts == 2 else "interrupted")


@pytest.mark.parametrize(("rerun", "statuses"), [(True, ["done", "interrupted"]), (False, ["failed"])])
def test_a_run_that_could_not_use_the_store_is_made_again_later(
    settings, store, history, rerun, statuses, monkeypatch
) -> None:
    monkeypatch.setattr("hazecast.services.scheduling.service.STORE_RETRY_SECONDS", 3_600.0)
    one = Job("job", "tests.support.job_functions:locked_out", Every(3_600.0), "A test.", 60.0, 7_200.0, rerun=rerun)
    with led(settings, store, one) as leader:
        leader._executor.start_due("job", [datetime.now(UTC).replace(microsecond=0)])
        until(lambda: history.runs("job")[0].finished_at)
        leader.beat()
        (first,) = history.runs("job")
        assert first.error == "StoreError: database is locked" and first.status == statuses[-1]
        monkeypatch.setattr("hazecast.services.scheduling.service.STORE_RETRY_SECONDS", 0.0)
        # The thread of the first one may just be ending.
        until(lambda: leader.beat() or [row.status for row in history.runs("job")] == statuses)


def test_a_run_whose_process_lives_is_left_alone(settings, store, history) -> None:
    run = history.claim("job", NOW)
    history.start(run)
    lock = store_lock(settings.database_url, job_lock("job"))
    assert lock.acquire()
    with led(settings, store, job(rerun=True)):
        assert history.run(run).status == "running"
    lock.release()


def test_a_claim_that_fails_leaves_the_job_due(settings, store, due_times, monkeypatch) -> None:
    one = Job("job", "tests.support.job_functions:fine", Every(1.0), "A test.", 60.0, 60.0)
    monkeypatch.setattr(JobHistory, "claim", lambda *_, **__: 1 / 0)
    lock = store_lock(settings.database_url, "scheduler")
    assert lock.acquire()
    leader = Leadership(settings, [one], lock, store.engine)
    leader.start()
    before = due_times.next_runs()["job"]
    until(lambda: not leader.sound)
    leader.stop_starting()
    assert leader.end(0.0) == [] and due_times.next_runs()["job"] == before and before < datetime.now(UTC)
    lock.release()


def test_after_a_failure_the_fence_lets_nothing_through(settings, store) -> None:
    lock = store_lock(settings.database_url, "scheduler")
    fence = Fence(lock, store.engine)
    with pytest.raises(ZeroDivisionError), fence.begin():
        raise ZeroDivisionError
    with pytest.raises(LockLost), fence.begin():
        pass


def test_a_leader_whose_connection_dies_can_start_nothing(postgres, tmp_path) -> None:
    url = postgres.migrated_database()
    store, lock = Store(url), store_lock(url, "scheduler", hold_while_idle=False)
    second = store_lock(url, "scheduler")
    leader = Leadership(Settings(data_dir=tmp_path, database_url=url), [job()], lock, store.engine)
    assert lock.acquire() and not second.acquire()
    leader.start()
    fence = Fence(lock, store.engine)
    postgres.execute("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")
    with pytest.raises((SQLAlchemyError, LockLost)), fence.begin() as connection:
        connection.exec_driver_sql("SELECT 1")
    with pytest.raises(LockLost), fence.begin():
        pass
    assert not lock.still_held() and second.acquire()
    leader.stop_starting()
    assert leader.end(0.0) == [] and not lock.acquire()
    second.release()
    assert lock.acquire()
    lock.release()
    store.close()


def test_a_second_scheduler_stands_by_and_takes_over(settings, store, history, monkeypatch) -> None:
    monkeypatch.setattr("hazecast.services.scheduling.service.all_jobs", lambda _: (job(),))
    quick = changed(settings, scheduler_beat_seconds=0.1, stop_seconds=1.0)
    first, second = Scheduler(quick), Scheduler(quick)
    first.start()
    until(history.last_beat)
    since = history.last_beat().leading_since
    second.start()
    time.sleep(0.5)
    assert history.last_beat().leading_since == since
    assert first.stop() == []
    until(lambda: history.last_beat().leading_since > since)
    assert second.stop() == []


def test_only_one_cycle_at_a_time(settings) -> None:
    refused = []

    def second() -> None:
        try:
            with cycle_lock(settings):
                pass
        except CycleBusy as busy:
            refused.append(str(busy))

    with cycle_lock(settings):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
    assert refused == ["another process is running a cycle"]
    second()
    assert len(refused) == 1


def test_store_keeps_utc(databases, tmp_path) -> None:
    store = databases.store(tmp_path)
    cycle = store.begin_cycle(datetime.fromisoformat("2013-01-12T06:00+08:00"), simulated=False)
    store.finish_cycle(cycle, "done")
    row = store.cycles()[0]
    assert row.init_time == datetime(2013, 1, 11, 22, tzinfo=UTC) and row.init_time.tzinfo is UTC
    with pytest.raises(Exception, match="without zone"):
        store.begin_cycle(datetime(2013, 1, 12), simulated=False)
    store.close()


def test_killed_cycle_is_marked_and_stores_nothing(tmp_path) -> None:
    code = (
        "import os, signal, hazecast.services.work.cycle as c\n"
        "from hazecast.services.core.settings import Settings\n"
        "c.draw_haze = lambda *a, **k: os.kill(os.getpid(), signal.SIGKILL)\n"
        f"c.run_cycle(Settings(data_dir={str(tmp_path)!r}))\n"
    )
    killed = subprocess.run([sys.executable, "-c", code], env=os.environ | {"OMP_NUM_THREADS": "1"}, check=False)
    assert killed.returncode == -signal.SIGKILL
    store = Store(Settings(data_dir=tmp_path).database_url)
    assert store.latest_run() is None and store.cycles()[0].status == "running"
    assert len(list((tmp_path / "forecasts").glob("*.nc"))) == 1
    assert store.recover() == 1 and store.cycles()[0].status == "failed"
    assert not list((tmp_path / "forecasts").iterdir())
    store.close()


class led:  # noqa: N801 (reads as a phrase)
    """A leader of some jobs, for a while."""

    def __init__(self, settings: Settings, store: Store, *jobs: Job) -> None:
        self._lock = store_lock(settings.database_url, "scheduler")
        self._leader = Leadership(settings, jobs, self._lock, store.engine)

    def __enter__(self) -> Leadership:
        assert self._lock.acquire()
        self._leader.start()
        return self._leader

    def __exit__(self, *_: object) -> None:
        self._leader.stop_starting()
        self._lock.release()
        self._leader.end(60.0)
