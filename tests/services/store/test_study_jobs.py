"""Studies as jobs in both databases: each is claimed once, ended once, and kept for its days."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from hazecast.grids.errors import ConflictError
from hazecast.services.accounts.accounts import add_account
from hazecast.services.store.study_jobs import Asked, ahead_of, cancel, file_of, job_of, jobs_of, submit
from hazecast.services.store.study_places import Places, TooManyJobsError
from hazecast.services.store.study_records import prune_jobs, states_since
from hazecast.services.store.study_runs import (
    STOPPED,
    body_of_running,
    claim,
    fail,
    finish,
    give_up,
    running_slots,
)

NOW = datetime(2026, 1, 15, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
PLACES = Places(open=4, of_account=3, kept=2, at_once=1)


def asked(key: str | None = None, digest: str = "d") -> Asked:
    return Asked("bureau", "key", "budget", b"{}", digest, False, key)


def test_a_job_is_claimed_once_ended_once_and_kept_for_its_days(databases, tmp_path, closed_after) -> None:
    store = closed_after(databases.store(tmp_path))
    add_account(store.sessions, "bureau", name="bureau", role="subscriber", at=NOW)
    jobs = [submit(store, asked(str(n)), PLACES, NOW + n * HOUR)[0] for n in range(3)]
    again, new = submit(store, asked("1"), PLACES, NOW)
    assert again.id == jobs[1].id and not new
    with pytest.raises(ConflictError):
        submit(store, asked("1", "another"), PLACES, NOW)
    with pytest.raises(TooManyJobsError, match="of the account"):
        submit(store, asked(), PLACES, NOW)
    assert [ahead_of(store, job) for job in jobs] == [0, 1, 2]
    first, second = claim(store, 0, NOW), claim(store, 1, NOW)
    assert first is not None and second is not None and [first.id, second.id] == [jobs[0].id, jobs[1].id]
    assert body_of_running(store, first.id) == b"{}" and body_of_running(store, jobs[2].id) is None
    assert sorted(running_slots(store)) == [0, 1]

    assert finish(store, first.id, {"a": b"\x00\xff", "b": b"x"}, NOW + HOUR)
    assert not finish(store, first.id, {"a": b""}, NOW) and not fail(store, first.id, NOW, "late")
    assert file_of(store, first.id, "a") == b"\x00\xff" and body_of_running(store, first.id) is None
    assert give_up(store, 1, NOW + HOUR) == 1 and give_up(store, 1, NOW) == 0
    stopped = job_of(store, "bureau", second.id)
    assert stopped is not None and (stopped.state, stopped.error) == ("failed", STOPPED)
    assert job_of(store, "other", second.id) is None
    assert cancel(store, jobs[2].id, "key", NOW + HOUR) and claim(store, 0, NOW) is None
    assert [job.state for job in jobs_of(store, "bureau", 9)] == ["cancelled", "failed", "done"]
    assert [job.id for job in jobs_of(store, "bureau", 9, (jobs[1].created_at, jobs[1].id))] == [jobs[0].id]
    assert states_since(store, NOW) == {"queued": 0, "running": 0, "done": 1, "failed": 1, "cancelled": 1}
    assert states_since(store, NOW + 2 * HOUR)["done"] == 0

    assert prune_jobs(store, NOW, NOW) == {}
    assert prune_jobs(store, NOW + 2 * HOUR, NOW) == {"study_file": 2}
    kept = job_of(store, "bureau", first.id)
    assert kept is not None and kept.state == "done" and not kept.has_results
    assert prune_jobs(store, NOW + 2 * HOUR, NOW + 2 * HOUR) == {"study_job": 3}


def test_results_beyond_an_accounts_places_must_go_first(databases, tmp_path, closed_after) -> None:
    store = closed_after(databases.store(tmp_path))
    add_account(store.sessions, "bureau", name="bureau", role="subscriber", at=NOW)
    for n in range(2):
        job, _ = submit(store, asked(), PLACES, NOW)
        claim(store, 0, NOW)
        finish(store, job.id, {"a": b"x"}, NOW + n * HOUR)
    with pytest.raises(TooManyJobsError, match="results of 2 jobs"):
        submit(store, asked(), PLACES, NOW)
    assert not cancel(store, job.id, "key", NOW)
    assert submit(store, asked(), PLACES, NOW)[1]
