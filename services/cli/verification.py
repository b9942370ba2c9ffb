"""``hazecast verify``: score the stored forecasts against what was observed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from hazecast.services.cli.options import (
    AsJson,
    DataDir,
    client_of,
    current_time,
    open_store,
    refuse_given,
    settings_of,
    time_of,
)
from hazecast.services.cli.output import print_json

if TYPE_CHECKING:
    import pandas as pd

    from hazecast.services.web.schemas.scores import VerificationOut
    from hazecast.services.work.verification import VerificationReport

app = typer.Typer()


@app.command()
def verify(
    context: typer.Context,
    until: Annotated[str | None, typer.Option("--until", help="Use no later observation; default now.")] = None,
    again: Annotated[bool, typer.Option("--again", help="Score all stored forecasts again.")] = False,
    city: Annotated[str | None, typer.Option("--city", help="Show the scores of this city.")] = None,
    days: Annotated[int, typer.Option("--days", min=1, help="Show the scores of so many days of init times.")] = 30,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Score the stored forecasts that can be verified, and report whether the model falls behind a baseline.

    With --server, print the scores that the server has computed.
    """
    if (remote := client_of(context)) is not None:
        refuse_given(context, {"until": "--until", "again": "--again"}, "neither with --server: it scores by itself")
        with remote as client:
            _show_remote(client.verification(city=[city] if city else None, days=days), as_json)
        return
    from hazecast.services.core.places import city_registry
    from hazecast.services.work.verification import banded_scores
    from hazecast.services.work.verification import verify as score

    settings = settings_of(data_dir)
    if city is not None:
        city_registry(settings).city(city)
    with open_store(settings) as store:
        report = score(settings, store, time_of(until, "--until") or current_time(), again=again)
        board = banded_scores(store, days, (city,) if city else ())
    if as_json:
        print_json(_verification(report, board))
        return
    print(f"{report.days} days of forecasts looked at, {report.pairs} pairs, {report.changed} scores changed")
    _show(board, report.standing.sentences)


def _show(board: pd.DataFrame, sentences: Sequence[str]) -> None:
    if len(board):
        print(board.to_string(index=False, float_format=lambda value: f"{value:.2f}", na_rep="-"))
    for sentence in sentences:
        print(sentence)


def _show_remote(found: VerificationOut, as_json: bool) -> None:
    """Print the scores that a server has computed, as it does after each cycle."""
    import pandas as pd

    bands = [band.model_dump() for band in found.bands]
    if as_json:
        content = {"model_id": found.model_id, "behind": found.behind, "statements": found.statements}
        print_json(content | {"scores": bands})
    else:
        _show(pd.DataFrame(bands), found.statements)


def _verification(report: VerificationReport, board: pd.DataFrame) -> dict[str, object]:
    return {
        "until": report.until,
        "days": report.days,
        "pairs": report.pairs,
        "changed": report.changed,
        "model_id": report.standing.model_id,
        "behind": report.standing.behind,
        "statements": list(report.standing.sentences),
        "scores": json.loads(board.to_json(orient="records")),
    }
