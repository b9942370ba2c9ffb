"""The table of docs/skill.md, made from backtests: ``python -m hazecast.services.research.skill``.

All models on the last year of beijing-multisite, with no future weather, with observed weather in place
of a forecast, and with that weather disturbed. The scores are also written as JSON.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from hazecast.forecast.evaluation.scoring import LEADS_SHOWN
from hazecast.grids.errors import InputError
from hazecast.models.interface import Model
from hazecast.models.kinds import model_names
from hazecast.services.core.files import atomic_write
from hazecast.services.research.backtests import BacktestPlan, run_backtest
from hazecast.services.research.files import write_json
from hazecast.services.work.inputs import NO_WEATHER, OBSERVED_WEATHER

BEGIN, END = "<!-- made by `make skill`: begin -->", "<!-- made by `make skill`: end -->"
# The last year of the collection, in Beijing time. Nothing is tuned on it.
_YEAR = BacktestPlan(
    observations=Path(),
    until=datetime.fromisoformat("2015-02-28T16:00+00:00"),
    start=datetime.fromisoformat("2015-03-01T00:00+08:00"),
    end=datetime.fromisoformat("2016-02-29T23:00+08:00"),
    models=(),
)
_SETTINGS = {
    "none": (NO_WEATHER, False, "No future weather"),
    "observed": (OBSERVED_WEATHER, False, "Observed weather (perfect prog)"),
    "disturbed": (OBSERVED_WEATHER, True, "Observed weather, disturbed"),
}
_BANDS = ("1-24", "25-48", "49-72", "1-72", "73-120")
_NAMES = {"pm25": "PM2.5", "o3": "O3"}
_EVENT = {"pm25": "115", "o3": "160"}


def make_table(results: dict[str, dict[str, Any]]) -> str:
    """Write the backtests of several weathers as Markdown.

    Parameters
    ----------
    results : dict
        By the name of the weather ("none", "observed", "disturbed"), as
        `hazecast.services.research.backtests.run_backtest` returns them.
    """
    parts = []
    for key, (_, _, title) in _SETTINGS.items():
        if key in results:
            result = results[key]
            meta = result["meta"]
            parts.append(f"### {title}\n")
            parts.append(
                f"{meta['observations']}, {meta['from'][:10]} to {meta['to'][:10]}, {meta['windows']} windows "
                f"(every {meta['hours_between_init_times']} h, {len(meta['places'])} places), weather: "
                f"{meta['weather']}.\n"
            )
            for pollutant in _NAMES:
                parts.append(_scores(result["models"], pollutant))
            parts.append(_coverage(result))
            parts.append(_differences(result))
    return "\n".join(parts)


def _scores(models: dict[str, Any], pollutant: str) -> str:
    event = _EVENT[pollutant]
    columns = [*(f"{lead} h" for lead in LEADS_SHOWN), *(f"{b} h" for b in _BANDS)]
    keys = [*map(str, LEADS_SHOWN), *_BANDS]
    lines = [f"| {_NAMES[pollutant]} | model | " + " | ".join(columns) + " |", "|---" * (len(columns) + 2) + "|"]
    for score, label, digits in (
        ("rmse", "RMSE", 1),
        ("mae", "MAE", 1),
        ("bias", "bias", 1),
        ("correlation", "correlation", 2),
        ("crps", "CRPS", 1),
        (f"csi_{event}", f"CSI {event}", 2),
        (f"pod_{event}", f"POD {event}", 2),
        (f"far_{event}", f"FAR {event}", 2),
    ):
        for number, (name, scores) in enumerate(models.items()):
            cells = [_cell(scores[pollutant][score][key], digits) for key in keys]
            lines.append(f"| {label if number == 0 else ''} | {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _coverage(result: dict[str, Any]) -> str:
    seasons = list(result["by_season"])
    lines = [
        "| coverage of the 80 % interval, 1-72 h | model | " + " | ".join(["all", *seasons]) + " |",
        "|---" * (len(seasons) + 3) + "|",
    ]
    for pollutant, label in _NAMES.items():
        for number, name in enumerate(result["models"]):
            tables = [result["models"][name], *(result["by_season"][season][name] for season in seasons)]
            cells = [_cell(table[pollutant]["coverage80"]["1-72"], 3) for table in tables]
            lines.append(f"| {label if number == 0 else ''} | {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _differences(result: dict[str, Any]) -> str:
    """Write the first model against every other: RMSE ratio over 1-72 h and CSI at 24 h, with intervals."""
    first = next(iter(result["models"]))
    lines = [
        f"| {first} against | RMSE ratio 1-72 h, PM2.5 | RMSE ratio 1-72 h, O3 | CSI 115 at 24 h, difference |",
        "|---|---|---|---|",
    ]
    for pair, found in result["differences"].items():
        if pair.startswith(f"{first} - "):
            cells = [
                _interval(found["pm25"]["rmse_ratio"]["1-72"]),
                _interval(found["o3"]["rmse_ratio"]["1-72"]),
                _interval(found["pm25"]["csi_115"]["24"]),
            ]
            lines.append(f"| {pair.removeprefix(f'{first} - ')} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _cell(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _interval(value: dict[str, float | None]) -> str:
    return f"{_cell(value['value'], 3)} ({_cell(value['low'], 3)} to {_cell(value['high'], 3)})"


def put_into(document: Path, table: str) -> None:
    """Replace what lies between the two marks of a document.

    Parameters
    ----------
    document : Path
        Holds the lines `BEGIN` and `END`, each once.
    table : str
        Markdown.

    Raises
    ------
    InputError
        If the document lacks the marks.
    """
    text = document.read_text(encoding="utf-8")
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise InputError(str(document), "no marks", f"the lines {BEGIN} and {END}")
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    with atomic_write(document) as part:
        part.write_text(f"{before}{BEGIN}\n\n{table}\n{END}{after}", encoding="utf-8")


app = typer.Typer(add_completion=False)


@app.command()
def main(
    data: Annotated[Path, typer.Option("--data", help="Folder that holds beijing-multisite.")],
    document: Annotated[Path, typer.Option("--document", help="Where the table goes.")] = Path("docs/skill.md"),
    out: Annotated[Path, typer.Option("--out", help="Folder for the scores as JSON.")] = Path("build/skill"),
    models: Annotated[str, typer.Option("--models", help="Comma-separated names, or all.")] = "all",
    every: Annotated[int, typer.Option("--every", help="Hours between init times.")] = 3,
    reuse: Annotated[bool, typer.Option("--reuse", help="Take scores already in the folder.")] = False,
) -> None:
    """Run the backtests of all weathers and write the table."""
    names = tuple(model_names()) if models == "all" else tuple(models.split(","))
    # The network first: differences are read as its own.
    names = tuple(sorted(names, key=lambda name: name != "network"))
    results: dict[str, dict[str, Any]] = {}
    trained: dict[str, dict[str, Model]] = {}
    for key, (weather, perturb, _) in _SETTINGS.items():
        path = out / f"{key}.json"
        if reuse and path.exists():
            results[key] = json.loads(path.read_text(encoding="utf-8"))
            continue
        plan = replace(
            _YEAR,
            observations=data / "beijing-multisite",
            models=names,
            weather=weather,
            perturb=perturb,
            every=every,
        )
        # Models trained with observed weather are also those that meet it disturbed.
        results[key], text = run_backtest(plan, trained.setdefault(weather, {}))
        write_json(results[key], path)
        print(text)
    put_into(document, make_table(results))
    print(f"{document}: written")


if __name__ == "__main__":
    app()
