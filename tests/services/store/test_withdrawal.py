"""A run of the future hides no other, and a run that is withdrawn takes its warnings with it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from hazecast.alerts.engine.warning import HazeWarning
from hazecast.grids.errors import ConflictError, InputError, UnknownError
from hazecast.grids.times import to_datetime64
from hazecast.services.cli.app import app
from hazecast.services.cli.output import stamp
from hazecast.services.observability.health import examine
from hazecast.services.store.draft_reads import audit_trail, list_drafts
from hazecast.services.store.reads import newest_observed, public_version, runs_page
from hazecast.services.store.scores import runs_before
from hazecast.services.store.store import Store
from hazecast.services.store.tables.delivery import OutboxEvent
from hazecast.services.store.withdrawal import future_runs, withdraw_run
from tests.support.delivery_world import message
from tests.support.forecasts import forecast_of, observations_of

NOW = datetime(2026, 1, 16, 3, tzinfo=UTC)
INIT, WRONG = NOW - timedelta(hours=1), datetime(2028, 3, 1, tzinfo=UTC)


def save(store: Store, folder, init: datetime, warnings: list[HazeWarning], proposals: list[HazeWarning]) -> None:
    cycle = store.begin_cycle(init, False)
    at = to_datetime64(init)
    forecast = forecast_of(100.0, init=at)
    forecast = forecast.assign(relative_humidity=(("lead_time", "city"), np.full((120, 1), 50.0)))
    files = [folder / f"{cycle}.{kind}" for kind in ("nc", "png")]
    for file in files:
        file.write_bytes(b"x")
    store.save_run(
        forecast, observations_of(np.full(24, 50.0), at), warnings, netcdf_path=files[0], map_path=files[1],
        cycle_id=cycle, proposals=proposals, drafted={("jing_jin_ji", "beijing")},
    )  # fmt: skip
    store.finish_cycle(cycle, "done")


@pytest.fixture
def store(databases, tmp_path):
    """A store with a run of this hour and its warning, and one of 2028 that replaces the warning."""
    made = databases.store(tmp_path)
    made.clock = lambda: NOW
    first = message("beijing", INIT)
    save(made, tmp_path, INIT, [first], [])
    wrong = message("beijing", WRONG, kind="upgrade", level="red", references=(first.id,))
    later = wrong.model_copy(update={"issued": NOW})
    proposal = message("beijing", WRONG, rule_set="jing_jin_ji")
    save(made, tmp_path, WRONG, [later], [proposal])
    yield made
    made.close()


def test_a_run_of_the_future_is_never_the_latest(store, databases, tmp_path) -> None:
    assert store.latest_run().init_time == store.latest_run(False).init_time == INIT
    assert [run.init_time for run in page(store)] == [INIT]
    assert newest_observed(store, False) == newest_observed(store, False, "beijing") == INIT
    assert [run.init_time for run in future_runs(store)] == [WRONG]
    (check,) = [c for c in examine(store, databases.settings(tmp_path), NOW).checks if c.name == "forecast"]
    assert check.status == "degraded" and "2028-03-01" in check.detail and "runs withdraw" in check.detail
    version = public_version(store)
    store.clock = lambda: WRONG
    assert store.latest_run().init_time == WRONG and public_version(store) != version


def test_a_withdrawn_run_takes_its_warnings_with_it(store) -> None:
    assert [w.level for w in store.warnings_in_force(NOW, False)] == ["red"]
    (wrong,) = future_runs(store)
    version = public_version(store)
    done = withdraw_run(store, wrong.id, by="Li Na", why="the clock was wrong")
    assert (done.init_time, done.warnings, done.drafts) == (WRONG, 1, 1)
    assert public_version(store) != version and future_runs(store) == []
    # What it replaced is in force again, and subscribers are told.
    assert [w.level for w in store.warnings_in_force(NOW, False)] == ["orange"]
    with store.sessions() as session:
        last = session.scalars(select(OutboxEvent).order_by(OutboxEvent.seq.desc())).first()
    assert (last.type, last.subject, last.occurred_at) == (
        "warning.withdrawn", f"cma_haze.beijing.{WRONG:%Y%m%dT%H%M%SZ}", NOW,
    )  # fmt: skip
    assert list_drafts(store.sessions, False) == []
    assert audit_trail(store.sessions, False)[-1]["reason"] == "the clock was wrong"
    # Also in 2028 it is no forecast; made again, it is one.
    store.clock = lambda: WRONG
    assert store.latest_run().init_time == INIT and store.run_at(WRONG, False) is None and len(page(store)) == 1
    assert [run.init_time for run in runs_before(store, WRONG + timedelta(hours=1))] == [INIT]


def page(store: Store) -> list:
    return runs_page(store, simulated=None, start=None, end=None, after=None, limit=10)


def test_a_run_made_again_is_a_new_one(store, tmp_path) -> None:
    withdraw_run(store, store.latest_run().id, by="Li Na", why="wrong input")
    assert store.latest_run() is None
    save(store, tmp_path, INIT, [message("beijing", INIT)], [])
    assert store.latest_run().init_time == INIT and len(store.warnings_in_force(NOW, False)) == 1


def test_what_can_not_be_withdrawn_is_said(store) -> None:
    run_id = store.latest_run().id
    with pytest.raises(UnknownError):
        withdraw_run(store, 99, by="Li Na", why="wrong")
    with pytest.raises(InputError, match="why"):
        withdraw_run(store, run_id, by="Li Na", why=" ")
    assert store.latest_run().id == run_id
    withdraw_run(store, run_id, by="Li Na", why="wrong")
    with pytest.raises(ConflictError):
        withdraw_run(store, run_id, by="Li Na", why="again")


def test_the_commands(store, databases, tmp_path) -> None:
    settings = databases.settings(tmp_path)
    runner = CliRunner(env={"HAZECAST_DATABASE_URL": settings.database_url, "HAZECAST_DATA_DIR": str(tmp_path)})
    listed = runner.invoke(app, ["runs", "list"]).output
    assert f"{stamp(datetime(2028, 3, 1, tzinfo=UTC))}  m  IN THE FUTURE" in listed
    (wrong,) = future_runs(store)
    done = runner.invoke(app, ["runs", "withdraw", str(wrong.id), "--why", "clock", "--by", "Li Na"])
    assert done.exit_code == 0 and "1 warnings cancelled, 1 drafts rejected" in done.output
    assert "withdrawn by Li Na: clock" in runner.invoke(app, ["runs", "list"]).output
    assert '"withdrawn_why": "clock"' in runner.invoke(app, ["runs", "list", "--json"]).output
