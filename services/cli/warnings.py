"""``hazecast warnings``: the warnings in force, and the drafts that await a decision."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hazecast.services.cli.options import (
    DataDir,
    client_of,
    current_time,
    open_store,
    plain,
    refuse_given,
    settings_of,
    time_of,
)
from hazecast.services.cli.output import print_json

if TYPE_CHECKING:
    from hazecast.alerts.rules.book import RuleBook
    from hazecast.grids.places.cities import Registry
    from hazecast.services.store.drafts import Action
    from hazecast.services.store.store import Store

app = typer.Typer(help="Print the warnings in force; list and decide drafts.", invoke_without_command=True)

Simulated = Annotated[
    bool | None,
    typer.Option(
        "--simulated/--real", help="Of simulated or of real runs; by default of real ones where there are any."
    ),
]
DraftId = Annotated[str, typer.Argument(help="Id of the draft, as `hazecast warnings drafts` lists it.")]
By = Annotated[str, typer.Option("--by", callback=plain, help="Who decides; recorded in the audit.")]
Why = Annotated[str, typer.Option("--reason", callback=plain, help="Why; recorded in the audit.")]


@contextmanager
def _opened(data_dir: Path | None) -> Iterator[tuple[Store, RuleBook]]:
    from hazecast.services.core.rules import rule_book
    from hazecast.services.core.shapes import use_shapes

    settings = settings_of(data_dir)
    book = rule_book(settings)
    use_shapes(settings)
    with open_store(settings) as store:
        yield store, book


def _kind(store: Store, simulated: bool | None) -> bool:
    """Return whether simulated runs are meant: by default only where there is no real forecast, as in the API."""
    if simulated is not None:
        return simulated
    run = store.latest_run()
    return run is not None and run.simulated


@app.callback()
def in_force(
    context: typer.Context,
    at: Annotated[str | None, typer.Option("--at", help="In force at this time; default now.")] = None,
    simulated: Simulated = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print GeoJSON.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Print the warnings in force, times in each city's own zone; list and decide drafts."""
    if context.invoked_subcommand is not None:
        expected = f"it after the name of the command: hazecast warnings {context.invoked_subcommand} ..."
        own = {"at": "--at", "simulated": "--simulated", "as_json": "--json", "data_dir": "--data-dir"}
        refuse_given(context, own, expected)
        return
    from hazecast.services.core.places import city_registry

    time = time_of(at, "--at") or current_time()
    if (remote := client_of(context)) is not None:
        with remote as client:
            content = client.warnings(at=time, simulated=simulated).model_dump(exclude={"next"})
    else:
        content = _in_force(data_dir, time, simulated)
    registry = city_registry(settings_of(data_dir))
    if as_json:
        print_json({name: content[name] for name in ("type", "simulated", "features")})
        return
    if content["simulated"]:
        print("SIMULATED DATA: these warnings rest on a simulated sample, not on measurements.")
    print("\n".join(_line(feature, registry) for feature in content["features"]) or "No warning in force.")


def _line(feature: dict[str, Any], registry: Registry) -> str:
    """Return a warning on one line, as the report of a cycle has it."""
    from hazecast.services.work.local_time import place_name, stamp, zone_name

    here = feature["properties"]
    city = registry.city(here["city"])
    onset, expires = (stamp(datetime.fromisoformat(here[name]), city.time_zone) for name in ("onset", "expires"))
    chance = "" if here["probability"] is None else f", probability {here['probability']:.2f}"
    return (
        f"{here['kind']}: {here['level_name']['en']}, {place_name(city)}, {onset} to {expires} "
        f"({zone_name(city.time_zone, current_time())}){chance} [{here['id']}]"
    )


def _in_force(data_dir: Path | None, time: datetime, simulated: bool | None) -> dict[str, Any]:
    from hazecast.alerts.messages.geojson import feature_collection
    from hazecast.services.core.places import city_registry
    from hazecast.services.work.explain import explainer

    registry = city_registry(settings_of(data_dir))
    with _opened(data_dir) as (store, book):
        kind = _kind(store, simulated)
        found = store.warnings_in_force(time, kind)
        content = feature_collection(found, registry, book, why=explainer(store))
    return content | {"simulated": kind}


@app.command()
def drafts(
    every: Annotated[bool, typer.Option("--all", help="Decided and superseded ones too.")] = False,
    simulated: Simulated = None,
    data_dir: DataDir = None,
) -> None:
    """List the drafts that await a decision, as JSON."""
    from hazecast.services.store.draft_reads import list_drafts

    with _opened(data_dir) as (store, _):
        found = list_drafts(store.sessions, _kind(store, simulated), None if every else "pending")
    print_json([{"id": draft.id} | draft.model_dump(mode="json") for draft in found])


@app.command()
def audit(
    draft: Annotated[str | None, typer.Argument(help="Only of this draft.")] = None,
    simulated: Simulated = None,
    data_dir: DataDir = None,
) -> None:
    """Print the decisions on drafts, by whom and why, as JSON."""
    from hazecast.services.store.draft_reads import audit_trail

    with _opened(data_dir) as (store, _):
        print_json(audit_trail(store.sessions, _kind(store, simulated), draft))


@app.command()
def approve(draft: DraftId, by: By, reason: Why, simulated: Simulated = None, data_dir: DataDir = None) -> None:
    """Approve a draft as it is."""
    _decide(draft, "approve", by, reason, simulated, data_dir)


@app.command()
def amend(
    draft: DraftId,
    by: By,
    reason: Why,
    level: Annotated[str | None, typer.Option("--level", help="Another level of the rule set.")] = None,
    onset: Annotated[str | None, typer.Option("--onset", help="ISO 8601.")] = None,
    expires: Annotated[str | None, typer.Option("--expires", help="ISO 8601.")] = None,
    simulated: Simulated = None,
    data_dir: DataDir = None,
) -> None:
    """Approve a draft with another level or other times."""
    changes = {"level": level, "onset": time_of(onset, "--onset"), "expires": time_of(expires, "--expires")}
    _decide(draft, "amend", by, reason, simulated, data_dir, **changes)


@app.command()
def reject(draft: DraftId, by: By, reason: Why, simulated: Simulated = None, data_dir: DataDir = None) -> None:
    """Reject a draft: it is not published."""
    _decide(draft, "reject", by, reason, simulated, data_dir)


def _decide(
    draft: str, action: Action, by: str, reason: str, simulated: bool | None, data_dir: Path | None, **changes: Any
) -> None:
    from hazecast.services.store.drafts import decide_draft

    with _opened(data_dir) as (store, book):
        decided = decide_draft(
            store.sessions, book, draft, _kind(store, simulated), action,
            by=by, reason=reason, at=current_time(), **changes,
        )  # fmt: skip
    print(f"{decided.id}: {decided.status} by {decided.by}: {decided.reason}")
