"""``hazecast models`` and ``hazecast verify``: trained models, the one in service, and how it does."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hazecast.services.cli.options import DataDir, current_time, server, settings_of, time_of

if TYPE_CHECKING:
    import pandas as pd

    from hazecast.models.registry import ModelRegistry, TrainedModel
    from hazecast.services.web.schemas.scores import VerificationOut
    from hazecast.services.work.verification import VerificationReport

models_app = typer.Typer(help="Trained models: list, register, compare, promote, roll back.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Why = Annotated[str, typer.Option("--why", help="The reason; kept in the history.")]
By = Annotated[str | None, typer.Option("--by", help="Who decides; by default the user of this system.")]
ModelId = Annotated[str, typer.Argument(help="Id of a model, as `hazecast models list` shows it.")]


def _registry(data_dir: Path | None) -> ModelRegistry:
    from hazecast.models.registry import ModelRegistry

    return ModelRegistry(settings_of(data_dir).models_dir)


def _user(by: str | None) -> str:
    import getpass

    return by if by is not None else getpass.getuser()


@models_app.command(name="list")
def list_models(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """List the trained models, the newest training period first; * marks the one in service."""
    registry = _registry(data_dir)
    serving = registry.in_service().model_id
    if as_json:
        print(json.dumps([_summary(model, serving) for model in registry.models()], indent=2, ensure_ascii=False))
        return
    for model in registry.models():
        mark = "*" if model.model_id == serving else " "
        origin = "shipped" if model.shipped else "own"
        print(f"{mark} {model.model_id:<48} trained until {str(model.trained_until)[:16]}Z  {origin}")


def _summary(model: TrainedModel, serving: str) -> dict[str, object]:
    return {
        "model_id": model.model_id,
        "in_service": model.model_id == serving,
        "trained_until": f"{str(model.trained_until)[:19]}Z",
        "shipped": model.shipped,
        "folder": str(model.folder),
    }


@models_app.command()
def show(model_id: ModelId, data_dir: DataDir = None) -> None:
    """Print a model's card: data, period, features, scores, code version, seed."""
    print(json.dumps(_registry(data_dir).get(model_id).card, indent=2, ensure_ascii=False))


@models_app.command()
def history(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Print which model came into service when, by whom and why; the newest last."""
    changes = _registry(data_dir).history()
    if as_json:
        print(json.dumps([asdict(change) for change in changes], indent=2, ensure_ascii=False))
        return
    for change in changes:
        print(
            f"{change.at}  {change.action:<8} {change.model_id} in place of {change.previous}  by {change.by}: {change.why}"
        )
    if not changes:
        print("No change yet: the newest shipped model is in service.")


@models_app.command()
def register(
    folder: Annotated[Path, typer.Argument(help="Folder with weights and model card, as `hazecast train` writes it.")],
    scores: Annotated[
        Path | None, typer.Option("--scores", help="JSON of `hazecast backtest --out`: goes into the card.")
    ] = None,
    name: Annotated[str, typer.Option("--name", help="The model's name in the scores.")] = "network",
    data_dir: DataDir = None,
) -> None:
    """Copy a trained model into the registry; it serves only once it is promoted."""
    from hazecast.services.research.model_scores import card_scores

    found = None if scores is None else card_scores(scores, name)
    model = _registry(data_dir).register(folder, found)
    print(f"{model.model_id} registered in {model.folder}; put it into service with: hazecast models promote")


@models_app.command()
def compare(
    model_id: ModelId,
    observations: Annotated[Path, typer.Option("--observations", help="Folder of a collection.")],
    start: Annotated[str, typer.Option("--from", help="First init time, after both models' training.")],
    end: Annotated[str, typer.Option("--to", help="Last hour of the period.")],
    other: Annotated[str | None, typer.Option("--with", help="The other model; by default the one in service.")] = None,
    weather: Annotated[str, typer.Option("--weather", help="none or observed (perfect prog).")] = "none",
    every: Annotated[int, typer.Option("--every", min=1, help="Hours between init times.")] = 6,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Score a model and the one in service on the same windows, with bootstrap intervals."""
    from hazecast.services.research.model_scores import as_text, compare_models

    registry = _registry(data_dir)
    first, last = time_of(start, "--from"), time_of(end, "--to")
    assert first is not None and last is not None
    result = compare_models(
        registry.get(model_id),
        registry.get(other) if other else registry.in_service(),
        observations, first, last, weather=weather, every=every, progress=True,
    )  # fmt: skip
    print(json.dumps(result, indent=1, ensure_ascii=False) if as_json else as_text(result))


@models_app.command()
def promote(model_id: ModelId, why: Why, by: By = None, data_dir: DataDir = None) -> None:
    """Put a model into service from the next cycle on."""
    change = _registry(data_dir).promote(model_id, by=_user(by), why=why, at=current_time())
    print(f"{change.model_id} is in service in place of {change.previous}")


@models_app.command()
def rollback(why: Why, by: By = None, data_dir: DataDir = None) -> None:
    """Put the model back into service that the present one replaced."""
    change = _registry(data_dir).rollback(by=_user(by), why=why, at=current_time())
    print(f"{change.model_id} is in service again in place of {change.previous}")


def verify(
    context: typer.Context,
    until: Annotated[str | None, typer.Option("--until", help="Read no later observation; default now.")] = None,
    again: Annotated[bool, typer.Option("--again", help="Score all stored forecasts anew.")] = False,
    city: Annotated[str | None, typer.Option("--city", help="Show the scores of this city.")] = None,
    days: Annotated[int, typer.Option("--days", min=1, help="Show the scores of so many days of init times.")] = 30,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Score the stored forecasts that have come due, and say whether the model falls behind a baseline.

    Of a server (--server), show what it has scored.
    """
    if (remote := server(context)) is not None:
        with remote as client:
            _show_remote(client.verification(city=city, days=days), as_json)
        return
    from hazecast.grids.places.cities import load_registry
    from hazecast.services.store.store import Store
    from hazecast.services.work.verification import banded_scores
    from hazecast.services.work.verification import verify as score

    settings = settings_of(data_dir)
    if city is not None:
        load_registry().city(city)
    store = Store(settings.database_url)
    try:
        store.migrate()
        report = score(settings, store, time_of(until, "--until") or current_time(), again=again)
        board = banded_scores(store, days, city)
    finally:
        store.close()
    if as_json:
        print(json.dumps(_verification(report, board), indent=2, ensure_ascii=False))
        return
    print(f"{report.days} days of forecasts looked at, {report.pairs} pairs, {report.changed} scores changed")
    _show(board, report.standing.sentences)


def _show(board: pd.DataFrame, sentences: Sequence[str]) -> None:
    if len(board):
        print(board.to_string(index=False, float_format=lambda value: f"{value:.2f}", na_rep="-"))
    for sentence in sentences:
        print(sentence)


def _show_remote(found: VerificationOut, as_json: bool) -> None:
    """Show what a server has scored; it does so itself, after each cycle."""
    import pandas as pd

    bands = [band.model_dump() for band in found.bands]
    if as_json:
        told = {"model_id": found.model_id, "behind": found.behind, "statements": found.statements, "scores": bands}
        print(json.dumps(told, indent=2, ensure_ascii=False))
    else:
        _show(pd.DataFrame(bands), found.statements)


def _verification(report: VerificationReport, board: pd.DataFrame) -> dict[str, object]:
    return {
        "until": report.until.isoformat(),
        "days": report.days,
        "pairs": report.pairs,
        "changed": report.changed,
        "model_id": report.standing.model_id,
        "behind": report.standing.behind,
        "statements": list(report.standing.sentences),
        "scores": json.loads(board.to_json(orient="records")),
    }
