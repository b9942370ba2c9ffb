"""The commands on warnings: in force, drafts, replay, thresholds."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hazecast.services.cli.options import DataDir, current_time, server, settings_of, time_of

if TYPE_CHECKING:
    from hazecast.alerts.rules.book import RuleBook
    from hazecast.services.store.drafts import Action
    from hazecast.services.store.store import Store

warnings_app = typer.Typer(
    help="Print the warnings in force as GeoJSON; look after drafts.", invoke_without_command=True
)

Simulated = Annotated[bool, typer.Option("--simulated", help="Those of simulated runs.")]
DraftId = Annotated[str, typer.Argument(help="Id of the draft, as `hazecast warnings drafts` lists it.")]
By = Annotated[str, typer.Option("--by", help="Who decides: a name that the audit keeps.")]
Why = Annotated[str, typer.Option("--reason", help="Why, in words that the audit keeps.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the main one."""
    app.add_typer(warnings_app, name="warnings")
    app.command()(replay)
    app.command()(thresholds)


def _opened(data_dir: Path | None) -> tuple[Store, RuleBook]:
    from hazecast.services.core.rules import rule_book
    from hazecast.services.store.store import Store

    settings = settings_of(data_dir)
    book = rule_book(settings)
    store = Store(settings.database_url)
    store.migrate()
    return store, book


def _print(value: Any) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=2))


@warnings_app.callback()
def in_force(
    context: typer.Context,
    at: Annotated[str | None, typer.Option("--at", help="In force at this time; default now.")] = None,
    simulated: Simulated = False,
    data_dir: DataDir = None,
) -> None:
    """Print the warnings in force as GeoJSON; look after drafts."""
    if context.invoked_subcommand is not None:
        return
    time = time_of(at, "--at") or current_time()
    if (remote := server(context)) is not None:
        with remote as client:
            content = client.warnings(at=time, simulated=simulated).model_dump(exclude={"next"})
    else:
        content = _in_force(data_dir, time, simulated)
    _print({name: content[name] for name in ("type", "simulated", "features")})


def _in_force(data_dir: Path | None, time: datetime, simulated: bool) -> dict[str, Any]:
    from hazecast.alerts.messages.geojson import feature_collection
    from hazecast.grids.places.cities import load_registry
    from hazecast.services.work.explain import explain

    (store, book), registry = _opened(data_dir), load_registry()
    found = store.warnings_in_force(time, simulated)
    content = feature_collection(found, registry, book, why=lambda warning: explain(store, registry, warning))
    return content | {"simulated": simulated}


@warnings_app.command()
def drafts(
    every: Annotated[bool, typer.Option("--all", help="Decided and superseded ones too.")] = False,
    simulated: Simulated = False,
    data_dir: DataDir = None,
) -> None:
    """List the messages that wait for a person, as JSON."""
    from hazecast.services.store.drafts import list_drafts

    found = list_drafts(_opened(data_dir)[0].sessions, simulated, None if every else "pending")
    _print([{"id": d.id} | d.model_dump(mode="json") for d in found])


@warnings_app.command()
def audit(
    draft: Annotated[str | None, typer.Argument(help="Only of this draft.")] = None,
    simulated: Simulated = False,
    data_dir: DataDir = None,
) -> None:
    """Print what was done with drafts, by whom and why, as JSON."""
    from hazecast.services.store.drafts import audit_trail

    _print(audit_trail(_opened(data_dir)[0].sessions, simulated, draft))


@warnings_app.command()
def approve(draft: DraftId, by: By, reason: Why, simulated: Simulated = False, data_dir: DataDir = None) -> None:
    """Let a draft out as it is."""
    _decide(draft, "approve", by, reason, simulated, data_dir)


@warnings_app.command()
def amend(
    draft: DraftId,
    by: By,
    reason: Why,
    level: Annotated[str | None, typer.Option("--level", help="Another level of the rule set.")] = None,
    onset: Annotated[str | None, typer.Option("--onset", help="ISO 8601.")] = None,
    expires: Annotated[str | None, typer.Option("--expires", help="ISO 8601.")] = None,
    simulated: Simulated = False,
    data_dir: DataDir = None,
) -> None:
    """Let a draft out with another level or other times."""
    changes = {"level": level, "onset": time_of(onset, "--onset"), "expires": time_of(expires, "--expires")}
    _decide(draft, "amend", by, reason, simulated, data_dir, **changes)


@warnings_app.command()
def reject(draft: DraftId, by: By, reason: Why, simulated: Simulated = False, data_dir: DataDir = None) -> None:
    """Keep a draft from going out."""
    _decide(draft, "reject", by, reason, simulated, data_dir)


def _decide(
    draft: str, action: Action, by: str, reason: str, simulated: bool, data_dir: Path | None, **changes: Any
) -> None:
    from hazecast.services.store.drafts import decide_draft

    store, book = _opened(data_dir)
    decided = decide_draft(
        store.sessions, book, draft, simulated, action, by=by, reason=reason, at=current_time(), **changes
    )
    print(f"{decided.id}: {decided.status} by {decided.by}: {decided.reason}")


Collection = Annotated[Path, typer.Option("--observations", help="Folder of a monitoring collection.")]
From = Annotated[str, typer.Option("--from", help="First init time, ISO 8601.")]
To = Annotated[str, typer.Option("--to", help="Last init time, ISO 8601.")]
City = Annotated[list[str] | None, typer.Option("--city", help="Only this city; may be repeated.")]
ReplayWeather = Annotated[str, typer.Option("--weather", help="none or observed (perfect prog).")]
Every = Annotated[int, typer.Option("--every", min=1, help="Hours between cycles, from --from on.")]
Weights = Annotated[
    Path | None, typer.Option("--weights", help="Folder of a trained network; by default the shipped one.")
]
RuleSetName = Annotated[str, typer.Option("--rule-set", help="Which rule set.")]


def replay(
    observations: Collection,
    start: From,
    end: To,
    out: Annotated[Path, typer.Option("--out", help="Write history and scores here, as JSON.")],
    city: City = None,
    rule_set: RuleSetName = "cma_haze",
    weather: ReplayWeather = "none",
    every: Every = 12,
    weights: Weights = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", help="Draw a timeline (PNG) of the only or first city.")
    ] = None,
) -> None:
    """Replay a past period cycle by cycle: the history of warnings, their scores, and a timeline."""
    from hazecast.alerts.maps.timeline import draw_timeline
    from hazecast.services.core.rules import rule_book
    from hazecast.services.research.files import write_json
    from hazecast.services.research.replay.report import format_scores
    from hazecast.services.research.replay.result import ReplayPlan
    from hazecast.services.research.replay.run import run_replay

    first, last = time_of(start, "--from"), time_of(end, "--to")
    assert first is not None and last is not None
    plan = ReplayPlan(observations, first, last, tuple(city or ()), rule_set, weather, every, weights)
    result = run_replay(plan, rule_book(settings_of(None)), progress=True)
    write_json(result.as_dict(), out)
    print(format_scores(result))
    if plot is not None:
        plot.write_bytes(draw_timeline(result.episodes[result.cities[0]]))
        print(plot)


def thresholds(
    observations: Collection,
    start: From,
    end: To,
    city: City = None,
    rule_set: RuleSetName = "cma_haze",
    weather: ReplayWeather = "none",
    every: Every = 12,
    weights: Weights = None,
    out: Annotated[Path | None, typer.Option("--out", help="Write the table as JSON.")] = None,
) -> None:
    """Choose each level's probability threshold by its cost-loss ratio, on a tuning period."""
    from hazecast.services.core.rules import rule_book
    from hazecast.services.research.files import write_json
    from hazecast.services.research.replay.result import ReplayPlan
    from hazecast.services.research.replay.thresholds import choose_thresholds

    first, last = time_of(start, "--from"), time_of(end, "--to")
    assert first is not None and last is not None
    table, text = choose_thresholds(
        ReplayPlan(observations, first, last, tuple(city or ()), rule_set, weather, every, weights),
        rule_book(settings_of(None)),
        progress=True,
    )
    print(text)
    if out is not None:
        write_json(table, out)
