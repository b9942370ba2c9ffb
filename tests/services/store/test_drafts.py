"""Drafts in the store: what a person decides stays decided, and everything is audited."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from hazecast.alerts.rules.book import RuleBook
from hazecast.grids.errors import InputError
from hazecast.services.cli.app import app
from hazecast.services.core.settings import Settings
from hazecast.services.store.draft_reads import audit_trail, list_drafts
from hazecast.services.store.drafts import decide_draft
from hazecast.services.store.store import Store
from hazecast.services.store.tables.delivery import OutboxEvent
from hazecast.services.work.cycle import run_cycle
from tests.support.settings import make_settings

INIT = datetime(2026, 1, 15, 22, tzinfo=UTC)
CITIES = ("beijing", "tianjin", "shijiazhuang", "baoding")


@pytest.fixture(scope="module")
def settings(databases, tmp_path_factory) -> Settings:
    given = databases.settings(tmp_path_factory.mktemp("drafts"), approval=("cma_haze",))
    cycle(given, INIT)
    return given


def cycle(settings: Settings, init: datetime) -> object:
    return run_cycle(settings, init_time=init, cities=CITIES)


def in_force(store: Store, at: datetime) -> list[str]:
    return [w.id for w in store.warnings_in_force(at, True) if w.rule_set == "cma_haze"]


def events(store: Store) -> list[str]:
    with store.sessions() as session:
        return list(session.scalars(select(OutboxEvent.id).order_by(OutboxEvent.seq)))


def test_a_draft_s_way_through_the_store(settings) -> None:
    store = Store(settings.database_url)
    drafts = list_drafts(store.sessions, True)
    assert len(drafts) >= 3 and in_force(store, INIT) == []
    # What waits for a person is no event: subscribers learn of it once it is out.
    told = events(store)
    assert told[0] == "forecast.20260115T2200Z.simulated" and not any(d.id in name for d in drafts for name in told)
    # The same cycle again proposes nothing new and audits nothing new.
    trail = audit_trail(store.sessions, True)
    assert [row["action"] for row in trail] == ["drafted"] * len(drafts)
    cycle(settings, INIT)
    assert list_drafts(store.sessions, True) == drafts and audit_trail(store.sessions, True) == trail
    assert events(store) == told

    first, second, third = (d.id for d in drafts[:3])
    at = INIT + timedelta(minutes=30)
    given = {"by": "Li Na", "reason": "agrees with the ensemble", "at": at}
    assert decide_draft(store.sessions, RuleBook.shipped(), first, True, "approve", **given).status == "approved"
    assert decide_draft(store.sessions, RuleBook.shipped(), second, True, "reject", **given).status == "rejected"
    assert in_force(store, at) == [first]
    with pytest.raises(InputError, match="pending"):
        decide_draft(store.sessions, RuleBook.shipped(), first, True, "approve", **given)
    with pytest.raises(InputError, match="the id of a draft"):
        decide_draft(store.sessions, RuleBook.shipped(), "cma_haze.nowhere", True, "approve", **given)
    # Run again, the cycle leaves alone what a person has decided.
    cycle(settings, INIT)
    assert in_force(store, at) == [first] and events(store) == [*told, f"{first}.simulated"]
    assert {d.id: d.status for d in list_drafts(store.sessions, True, None)}[second] == "rejected"
    # The next run's proposals take the place of those that nobody has decided.
    cycle(settings, INIT + timedelta(hours=12))
    after = {d.id: d for d in list_drafts(store.sessions, True, None)}
    assert after[third].status == "superseded" and after[first].status == "approved"
    pending = list_drafts(store.sessions, True)
    assert all(d.proposed.run_init_time == INIT + timedelta(hours=12) for d in pending)
    assert first in in_force(store, INIT + timedelta(hours=12))
    actions = [row["action"] for row in audit_trail(store.sessions, True, first)]
    assert actions == ["drafted", "approved"]
    last = audit_trail(store.sessions, True, first)[-1]
    assert last["by"] == "Li Na" and last["reason"] == "agrees with the ensemble"
    store.close()


def test_the_commands(settings) -> None:
    def hazecast(*arguments: str):
        runner = CliRunner(env={"HAZECAST_DATABASE_URL": settings.database_url})
        return runner.invoke(app, ["warnings", *arguments, "--simulated", "--data-dir", str(settings.data_dir)])

    listed = json.loads(hazecast("drafts").output)
    target = next(d for d in listed if d["status"] == "pending")
    asked = ["--by", "Zhao Lei", "--reason", "too near the threshold"]
    # The sample lies in the past: its drafts have expired by now, and are refused with a reason.
    late = hazecast("approve", target["id"], *asked)
    assert (isinstance(late.exception, InputError) and "in force" in str(late.exception)) or "expires" in str(
        late.exception
    )
    amended = hazecast("amend", target["id"], *asked, "--level", "blue")
    assert isinstance(amended.exception, InputError) and "blue" in str(amended.exception)
    rejected = hazecast("reject", target["id"], *asked)
    assert rejected.exit_code == 0 and "rejected by Zhao Lei" in rejected.output
    trail = json.loads(hazecast("audit", target["id"]).output)
    assert [row["action"] for row in trail] == ["drafted", "rejected"]
    assert len(json.loads(hazecast("drafts").output)) == len(listed) - 1
    assert json.loads(hazecast("drafts", "--all").output)
    then = ("--at", (INIT + timedelta(hours=1)).isoformat())
    found = json.loads(hazecast(*then, "--json").output)
    lines = hazecast(*then).output.splitlines()
    assert lines[0].startswith("SIMULATED DATA") and len(lines) == 1 + len(found["features"])
    assert all(w["properties"]["id"] in line for w, line in zip(found["features"], lines[1:], strict=True))
    assert found["type"] == "FeatureCollection" and found["features"]


def test_unknown_rule_sets_in_settings_are_refused(tmp_path) -> None:
    for given in ({"approval": ("cma_fog",)}, {"rule_sets": ("cma_fog",)}, {"rules_dir": tmp_path / "absent"}):
        with pytest.raises(InputError, match=r"cma_fog|absent"):
            run_cycle(make_settings(data_dir=tmp_path, **given), init_time=INIT)


def test_rule_sets_asked_for_are_applied(tmp_path) -> None:
    settings = make_settings(data_dir=tmp_path, rule_sets=("who_guideline",))
    run_cycle(settings, init_time=INIT, cities=("beijing",))
    store = Store(settings.database_url)
    assert {"cma_haze", "who_guideline"} <= {w.rule_set for w in store.warnings_in_force(INIT, True)}
    store.close()
