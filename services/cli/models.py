"""``hazecast models``: the trained models and the one in service."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hazecast.grids.errors import InputError
from hazecast.services.cli.options import (
    AsJson,
    By,
    Collection,
    DataDir,
    PastWeather,
    Why,
    current_time,
    settings_of,
    time_of,
    user_of,
)
from hazecast.services.cli.output import print_json

if TYPE_CHECKING:
    from hazecast.models.registry import ModelRegistry
    from hazecast.models.trained import TrainedModel

app = typer.Typer(help="Trained models: list, register, compare, promote, roll back.", no_args_is_help=True)

ModelId = Annotated[str, typer.Argument(help="Id of a model, as `hazecast models list` shows it.")]


def _registry(data_dir: Path | None) -> ModelRegistry:
    from hazecast.models.registry import ModelRegistry

    return ModelRegistry(settings_of(data_dir).models_dir)


@app.command(name="list")
def list_models(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """List the trained models, the newest training period first; * marks the one in service."""
    registry = _registry(data_dir)
    serving = registry.in_service().model_id
    if as_json:
        print_json([_summary(model, serving) for model in registry.models()])
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


@app.command()
def show(model_id: ModelId, data_dir: DataDir = None) -> None:
    """Print a model's card: data, period, features, scores, code version, seed."""
    print_json(_registry(data_dir).get(model_id).card)


@app.command()
def history(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Print which model came into service when, by whom and why; the newest last."""
    changes = _registry(data_dir).history()
    if as_json:
        print_json([asdict(change) for change in changes])
        return
    for change in changes:
        print(
            f"{change.at}  {change.action:<8} {change.model_id} in place of {change.previous}  by {change.by}: {change.why}"
            f"{f' ({change.gate})' if change.gate else ''}"
        )
    if not changes:
        print("No change yet: the newest shipped model is in service.")


@app.command()
def register(
    folder: Annotated[Path, typer.Argument(help="Folder with weights and model card, as `hazecast train` writes it.")],
    scores: Annotated[
        Path | None, typer.Option("--scores", help="JSON of `hazecast backtest --out`: goes into the card.")
    ] = None,
    name: Annotated[str, typer.Option("--name", help="The model's name in the scores.")] = "network",
    data_dir: DataDir = None,
) -> None:
    """Copy a trained model into the registry; it is in service only once it is promoted."""
    from hazecast.services.research.model_scores import card_scores

    found = None if scores is None else card_scores(scores, name)
    model = _registry(data_dir).register(folder, found)
    print(f"{model.model_id} registered in {model.folder}; put it into service with: hazecast models promote")


@app.command()
def compare(
    model_id: ModelId,
    observations: Collection,
    start: Annotated[str, typer.Option("--from", help="First init time, after both models' training.")],
    end: Annotated[str, typer.Option("--to", help="Last hour of the period.")],
    other: Annotated[str | None, typer.Option("--with", help="The other model; by default the one in service.")] = None,
    weather: PastWeather = "none",
    every: Annotated[int, typer.Option("--every", min=1, help="Hours between init times.")] = 6,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Score a model and the one in service on the same windows, with bootstrap intervals."""
    from hazecast.services.research.model_scores import as_text, compare_models

    registry = _registry(data_dir)
    result = compare_models(
        registry.get(model_id),
        registry.get(other) if other else registry.in_service(),
        observations, time_of(start, "--from"), time_of(end, "--to"), weather=weather, every=every, progress=True,
    )  # fmt: skip
    if as_json:
        print_json(result)
    else:
        print(as_text(result))


@app.command()
def promote(
    model_id: ModelId,
    why: Annotated[
        str | None, typer.Option("--why", help="The reason; recorded in the history. Needed with --force.")
    ] = None,
    by: By = None,
    force: Annotated[bool, typer.Option("--force", help="Promote it though it does not pass the gate.")] = False,
    observations: Annotated[
        Path | None, typer.Option("--observations", help="Compare on this collection; by default on the store.")
    ] = None,
    start: Annotated[str | None, typer.Option("--from", help="With --observations: first init time.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="With --observations: last hour of the period.")] = None,
    weather: PastWeather = "none",
    data_dir: DataDir = None,
) -> None:
    """Put a model into service from the next cycle on, if it is better than the one in service.

    Both are scored on windows that neither has seen. What is asked of the model is in docs/models.md; what was found
    is recorded in the history.
    """
    from hazecast.services.research.promotion import Period, promote

    period = None
    if observations is not None and start is not None and end is not None:
        period = Period(observations, time_of(start, "--from"), time_of(end, "--to"), weather)
    elif observations is not None or start is not None or end is not None:
        raise InputError("promote", "some of --observations, --from and --to", "all three or none")
    change, verdict = promote(
        model_id, settings_of(data_dir), by=user_of(by), at=current_time(), why=why, force=force, period=period, progress=True
    )  # fmt: skip
    for sentence in (*verdict.findings, *verdict.reasons):
        print(sentence)
    print(f"{change.model_id} is in service in place of {change.previous}")


@app.command()
def rollback(why: Why, by: By = None, data_dir: DataDir = None) -> None:
    """Put the previous model back into service."""
    change = _registry(data_dir).rollback(by=user_of(by), why=why, at=current_time())
    print(f"{change.model_id} is in service again in place of {change.previous}")
