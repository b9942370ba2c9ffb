"""``hazecast train``, ``backtest``, ``replay`` and ``thresholds``: work on past periods."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hazecast.grids.errors import InputError
from hazecast.services.cli.options import Cities, Collection, DataDir, ends_with, settings_of, time_of

if TYPE_CHECKING:
    from hazecast.services.research.replay.result import ReplayPlan

app = typer.Typer()

From = Annotated[str, typer.Option("--from", help="First init time, ISO 8601.")]
To = Annotated[str, typer.Option("--to", help="Last init time, ISO 8601.")]
CyclesEvery = Annotated[int, typer.Option("--every", min=1, help="Hours between cycles, from --from on.")]
ReplayWeather = Annotated[
    str,
    typer.Option("--weather", help="none, observed (perfect prog) or erring (observed, made to err as a forecast)."),
]
RuleSetName = Annotated[str, typer.Option("--rule-set", help="Which rule set.")]
Weights = Annotated[
    Path | None, typer.Option("--weights", help="Folder of a trained network; by default the shipped one.")
]
VisibilityOf = Annotated[
    list[str] | None,
    typer.Option(
        "--visibility-of",
        help="CITY=DIR: the visibility measured at a station, a folder of NOAA ISD files, is what was observed; may be repeated.",
    ),
]
Replays = Annotated[list[Path], typer.Argument(help="Files of hazecast replay --out, of one rule set and weather.")]


@app.command()
def train(
    out: Annotated[Path, typer.Option("--out", help="Folder for weights, model card and the state of the training.")],
    observations: Annotated[
        list[Path] | None, typer.Option("--observations", help="Folder of a collection; may be repeated.")
    ] = None,
    recipe: Annotated[
        tuple[str, Path] | None,
        typer.Option(
            "--recipe", help="In place of the collections: evaluation or service, and the folder of all collections."
        ),
    ] = None,
    from_store: Annotated[
        bool,
        typer.Option("--from-store", help="Learn from what the installation has stored, and register the network."),
    ] = False,
    train_until: Annotated[
        str | None,
        typer.Option(
            "--train-until", help="No later hour is read; by default 2015-02-28T16:00Z, with --observations alone."
        ),
    ] = None,
    weather_of: Annotated[
        list[str] | None,
        typer.Option(
            "--weather-of",
            help="CITY=DIR: the city's weather in collections without any, from a folder of NOAA ISD files; may be repeated.",
        ),
    ] = None,
    until_of: Annotated[
        list[str] | None,
        typer.Option("--until-of", help="COLLECTION=TIME: until when one collection is read; may be repeated."),
    ] = None,
    without: Annotated[
        list[str] | None, typer.Option("--without", help="A place or city to leave out; may be repeated.")
    ] = None,
    windows: Annotated[int | None, typer.Option("--windows", min=1, help="How many training windows to draw.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="Seed of the training.")] = None,
    device: Annotated[str, typer.Option("--device", help="cpu, cuda or auto.")] = "auto",
    precision: Annotated[str, typer.Option("--precision", help="auto (mixed on a GPU), fp32, bf16 or fp16.")] = "auto",
    resume: Annotated[bool, typer.Option("--resume", help="Continue the unfinished training in --out.")] = False,
    state_every: Annotated[int, typer.Option("--state-every", min=1, help="Steps between two written states.")] = 200,
    data_dir: DataDir = None,
) -> None:
    """Train the network and write its weights and model card; under torchrun, on several GPUs.

    With --from-store the newest HAZECAST_RETRAIN_HOLDOUT_DAYS are left out: on them the gate compares the network
    with the model in service.
    """
    from hazecast.models.training.loop import Run
    from hazecast.models.zoo.network_training import TrainingSettings
    from hazecast.services.research.experiments import RECIPES, STATE_FILE, TrainingPlan, train_and_save
    from hazecast.services.research.retraining import train_from_store

    of_collections = {
        "--observations": observations, "--train-until": train_until, "--until-of": until_of, "--without": without,
        "--weather-of": weather_of,
    }  # fmt: skip
    given_of = [name for name, value in of_collections.items() if value]
    ways = [name for name, value in (("--from-store", from_store), ("--recipe", recipe)) if value]
    if len(ways) + bool(given_of) != 1 or (given_of and not observations):
        raise InputError(
            "train", given_of + ways, "one of --observations with what goes with it, --recipe, --from-store"
        )
    given = {"windows": windows, "seed": seed}
    settings = TrainingSettings(**{name: value for name, value in given.items() if value is not None})
    run = Run(device, precision, out / STATE_FILE, state_every, resume)  # type: ignore[arg-type]
    if from_store:
        model, found = train_from_store(settings_of(data_dir), settings, out=out, run=run, progress=True)
        if model is not None:
            print(f"{model.model_id}: trained on {found} windows of the store, registered in {model.folder}")
            print(f"put it into service with: hazecast models promote {model.model_id}")
        return
    if recipe is not None:
        if recipe[0] not in RECIPES:
            raise InputError("--recipe", recipe[0], f"one of {sorted(RECIPES)}")
        plan = RECIPES[recipe[0]](recipe[1])
    else:
        plan = TrainingPlan(
            tuple(observations or ()),
            time_of(train_until or "2015-02-28T16:00Z", "--train-until"),
            {name: time_of(end, "--until-of") for name, end in _pairs(until_of or [], "--until-of").items()},
            frozenset(without or ()),
            {city: Path(folder) for city, folder in _pairs(weather_of or [], "--weather-of").items()},
        )
    print(train_and_save(plan, out, settings, run))


def _pairs(options: list[str], name: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for option in options:
        key, separator, value = option.partition("=")
        if not (key and separator and value) or key in found:
            raise InputError(name, option, "NAME=VALUE, each name once")
        found[key] = value
    return found


@app.command()
def backtest(
    observations: Collection,
    start: Annotated[str, typer.Option("--from", help="First hour of the test period.")],
    end: Annotated[str, typer.Option("--to", help="Last hour of the test period.")],
    train_until: Annotated[str, typer.Option("--train-until", help="Models learn from no later hour.")],
    models: Annotated[
        str, typer.Option("--models", help="Comma-separated names, or all.")
    ] = "network,persistence,diurnal_persistence,climatology",
    weather: Annotated[
        str, typer.Option("--weather", help="none, observed (perfect prog) or a path of weather files.")
    ] = "none",
    perturb: Annotated[
        bool, typer.Option("--perturb", help="Disturb observed weather as a forecast of it would be.")
    ] = False,
    every: Annotated[int, typer.Option("--every", help="Hours between init times.")] = 3,
    place: Annotated[list[str] | None, typer.Option("--place", help="Score only this place; may be repeated.")] = None,
    training: Annotated[
        Path | None,
        typer.Option("--training", help="Folder of collections that the peers learn from, as the shipped network did."),
    ] = None,
    retrain: Annotated[
        bool, typer.Option("--retrain", help="Train the network again instead of loading a shipped one.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option("--out", callback=ends_with(".json"), help="Write the scores as JSON.")
    ] = None,
) -> None:
    """Score models on a past period that none of them was trained on."""
    from hazecast.models.kinds import model_names
    from hazecast.services.research.backtests import BacktestPlan, run_backtest
    from hazecast.services.research.experiments import evaluation_training
    from hazecast.services.research.files import write_json

    first, last = _period(start, end)
    until = time_of(train_until, "--train-until")
    names = tuple(model_names()) if models == "all" else tuple(models.split(","))
    plan = BacktestPlan(
        observations, until, first, last, names, weather, perturb, every, retrain,
        evaluation_training(training) if training else None, tuple(place or ()),
    )  # fmt: skip
    result, text = run_backtest(plan)
    print(text)
    if out is not None:
        write_json(result, out)


@app.command()
def replay(
    observations: Collection,
    start: From,
    end: To,
    out: Annotated[
        Path, typer.Option("--out", callback=ends_with(".json"), help="Write history and scores here, as JSON.")
    ],
    city: Cities = None,
    rule_set: RuleSetName = "cma_haze",
    weather: ReplayWeather = "none",
    every: CyclesEvery = 12,
    weights: Weights = None,
    visibility_of: VisibilityOf = None,
    plot: Annotated[
        Path | None,
        typer.Option("--plot", callback=ends_with(".png"), help="Draw a timeline (PNG) of the only or first city."),
    ] = None,
) -> None:
    """Replay a past period cycle by cycle: the history of warnings, their scores, and a timeline."""
    from hazecast.alerts.maps.timeline import draw_timeline
    from hazecast.services.core.rules import rule_book
    from hazecast.services.research.files import write_json
    from hazecast.services.research.replay.report import format_scores
    from hazecast.services.research.replay.run import run_replay

    plan = _replay_plan(observations, start, end, city, rule_set, weather, every, weights, visibility_of)
    result = run_replay(plan, rule_book(settings_of(None)), progress=True)
    write_json(result.as_dict(), out)
    print(format_scores(result))
    if plot is not None:
        plot.write_bytes(draw_timeline(result.episodes[result.cities[0]]))
        print(plot)


@app.command()
def thresholds(
    observations: Collection,
    start: From,
    end: To,
    city: Cities = None,
    rule_set: RuleSetName = "cma_haze",
    weather: ReplayWeather = "none",
    every: CyclesEvery = 12,
    weights: Weights = None,
    visibility_of: VisibilityOf = None,
    save: Annotated[Path | None, typer.Option("--save", help="Put the curve into this file of curves (TOML).")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", callback=ends_with(".json"), help="Write the table as JSON.")
    ] = None,
) -> None:
    """Fit what is published for the share of scenarios, and choose each level's threshold by its cost-loss ratio."""
    from hazecast.services.core.rules import rule_book
    from hazecast.services.research.files import write_json
    from hazecast.services.research.replay.thresholds import choose_thresholds

    plan = _replay_plan(observations, start, end, city, rule_set, weather, every, weights, visibility_of)
    table, text = choose_thresholds(plan, rule_book(settings_of(None)), save=save, progress=True)
    print(text)
    if out is not None:
        write_json(table, out)


@app.command()
def judge(replays: Replays) -> None:
    """Score replays together and each by itself: warnings and probabilities, with their sampling errors."""
    from hazecast.services.core.rules import rule_book
    from hazecast.services.research.replay.pooled import judge as judged
    from hazecast.services.research.replay.pooled import read_replays

    print(judged(read_replays(replays), rule_book(settings_of(None))))


@app.command()
def calibrate(
    replays: Replays,
    save: Annotated[Path | None, typer.Option("--save", help="Put the curve into this file of curves (TOML).")] = None,
) -> None:
    """Fit what is published for the share of scenarios to replays together, of periods that no model was trained on."""
    from hazecast.services.research.replay.pooled import fit_together, read_replays

    curve = fit_together(read_replays(replays), save)
    print(
        f"logit(probability) = {curve.shift} + {curve.slope} * logit(share), {curve.windows} windows, {curve.events} events"
    )


def _period(start: str, end: str) -> tuple[datetime, datetime]:
    return time_of(start, "--from"), time_of(end, "--to")


def _replay_plan(
    observations: Path,
    start: str,
    end: str,
    city: list[str] | None,
    rule_set: str,
    weather: str,
    every: int,
    weights: Path | None,
    visibility_of: list[str] | None,
) -> ReplayPlan:
    from hazecast.services.research.replay.result import ReplayPlan

    first, last = _period(start, end)
    stations = {name: Path(folder) for name, folder in _pairs(visibility_of or [], "--visibility-of").items()}
    return ReplayPlan(observations, first, last, tuple(city or ()), rule_set, weather, every, weights, stations)
