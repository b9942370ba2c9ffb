"""The tables of docs/skill.md, made from backtests: ``python -m hazecast.services.research.skill``.

What the service issues, by place: in Beijing's test year beside every model, in places that the network never saw, in the
test years of others, and for a series scaled to a clean place's mean. Each without future weather, with observed weather
in place of a forecast (perfect prog), and with that weather made to err. The scores are also written as JSON.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from hazecast.forecast.evaluation.plots import by_month
from hazecast.grids.errors import InputError
from hazecast.models.interface import Model
from hazecast.services.core.files import atomic_write
from hazecast.services.research.backtests import BacktestPlan, run_backtest
from hazecast.services.research.experiments import evaluation_training
from hazecast.services.research.files import write_json
from hazecast.services.work.inputs import NO_WEATHER, OBSERVED_WEATHER

BEGIN, END = "<!-- made by `make skill`: begin -->", "<!-- made by `make skill`: end -->"
BASELINES = ("persistence", "diurnal_persistence", "climatology_30d", "climatology_monthly")
PEERS = ("ridge", "lightgbm", "gru", "graph")
WEATHERS = {"none": (NO_WEATHER, False), "observed": (OBSERVED_WEATHER, False), "erring": (OBSERVED_WEATHER, True)}
_BANDS = ("1-24", "25-48", "49-72", "1-72", "73-120")
_NAMES = {"pm25": "PM2.5", "o3": "O3"}
_EVENT = {"pm25": "115", "o3": "160"}


@dataclass(frozen=True)
class Case:
    """A period of a collection that is scored.

    Attributes
    ----------
    key, title : str
    collection : str
    start, end : datetime
        Aware.
    places : tuple of str
        Which are scored; all if empty.
    weathers : tuple of str
        Keys of `WEATHERS`.
    peers : bool
        Whether the peers are scored too.
    every : int
        Hours between init times.
    """

    key: str
    title: str
    collection: str
    start: datetime
    end: datetime
    places: tuple[str, ...] = ()
    weathers: tuple[str, ...] = ("none", "observed", "erring")
    peers: bool = False
    every: int = 7

    def plan(self, data: Path, weather: str, peers: Sequence[str] = PEERS) -> BacktestPlan:
        """Return the backtest of one weather.

        Parameters
        ----------
        data : Path
            Folder of the collections.
        weather : str
            A key of `WEATHERS`.
        peers : sequence of str
            Those that are scored where the case has peers.

        Returns
        -------
        BacktestPlan
        """
        chosen, erring = WEATHERS[weather]
        return BacktestPlan(
            observations=data / self.collection, until=self.start, start=self.start, end=self.end,
            models=("service", "network", *BASELINES, *(peers if self.peers else ())), weather=chosen, perturb=erring,
            every=self.every, training=evaluation_training(data), places=self.places,
        )  # fmt: skip


def _time(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+08:00")


_YEAR_2016 = (_time("2016-01-01T00:00"), _time("2016-12-31T23:00"))
CASES = (
    Case(
        "beijing", "Beijing, its last year", "beijing-multisite", _time("2015-03-01T00:00"), _time("2016-02-29T23:00"),
        peers=True,
    ),
    Case(
        "shanghai", "Shanghai, never seen", "five-cities", _time("2013-03-01T00:00"), _time("2014-12-31T23:00"),
        places=("shanghai",),
    ),
    Case("taiwan_unseen", "Xizhi and Kinmen, never seen", "taiwan", *_YEAR_2016, places=("xizhi", "kinmen")),
    Case(
        "hongkong", "Hong Kong, never seen", "hongkong", _time("2017-03-01T00:00"), _time("2017-12-31T23:00"),
        weathers=("none",),
    ),
    Case(
        "seoul", "Seoul, never seen", "seoul", _time("2020-01-01T00:00"), _time("2020-12-31T23:00"), weathers=("none",)
    ),
    Case("taiwan", "Shalu, Puzi and Zhudong, 2016", "taiwan", *_YEAR_2016, places=("shalu", "puzi", "zhudong")),
    Case(
        "posts", "Beijing and Shenyang, 2020", "us-posts", _time("2020-01-01T00:00"), _time("2020-12-31T23:00"),
        places=("beijing", "shenyang"), weathers=("none",),
    ),
)  # fmt: skip


# Drawn month by month: a city that the network knew, and one that it had never seen.
_YEARS = {"Beijing, erring weather": "beijing", "Shanghai, never seen, erring weather": "shanghai"}


def by_place(results: dict[str, dict[str, Any]]) -> str:
    """Write what the service issued as Markdown, a row for each place, weather and pollutant.

    Parameters
    ----------
    results : dict
        By the name of the weather, as `hazecast.services.research.backtests.run_backtest` returns them.

    Returns
    -------
    str
        Lines of a table: RMSE and its ratio to the best baseline of the same hours; how far from its mean the forecast
        is biased; the coverage of the 80 % interval; RMSE and MAE beside persistence at the worst lead time shown.
    """
    columns = [*(f"{b} h" for b in _BANDS), "bias", "coverage", "worst lead against persistence, RMSE and MAE"]
    lines = ["| place | weather | | " + " | ".join(columns) + " |", "|---" * (len(columns) + 3) + "|"]
    for weather, result in results.items():
        for place, models in result["by_station"].items():
            for pollutant, label in _NAMES.items():
                if models["service"][pollutant]["n"]["1-72"]:
                    cells = _row({name: scores[pollutant] for name, scores in models.items()})
                    lines.append(f"| {place} | {weather} | {label} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _row(models: dict[str, Any]) -> list[str]:
    own, persistence = models["service"], models["persistence"]
    cells = []
    for part in _BANDS:
        best = min(models[name]["rmse"][part] for name in BASELINES)
        cells.append(f"{own['rmse'][part]:.1f} ({own['rmse'][part] / best:.3f})")
    cells.append(f"{own['bias']['1-72'] / own['observed']['1-72']:+.1%}")
    cells.append(f"{own['coverage80']['1-72']:.3f}")
    leads = [lead for lead, value in own["rmse"].items() if "-" not in lead and value is not None]
    worst = [max(own[score][lead] / persistence[score][lead] for lead in leads) for score in ("rmse", "mae")]
    return [*cells, " and ".join(f"{value:.3f}" for value in worst)]


def against_models(results: dict[str, dict[str, Any]]) -> str:
    """Write every model's scores over all places of a case as Markdown, by weather.

    Parameters
    ----------
    results : dict
        As of `by_place`.

    Returns
    -------
    str
        For each weather a table for each pollutant: RMSE by block of lead times, MAE, CRPS, the critical success index
        at 24 h and the coverage by season; and the service's ratio to each.
    """
    parts = []
    for result in results.values():
        meta = result["meta"]
        parts.append(f"Weather: {meta['weather']}; {meta['windows']} windows, {len(meta['places'])} places.\n")
        for pollutant, label in _NAMES.items():
            parts.append(_models_table(result, pollutant, label))
        parts.append("")
    return "\n".join(parts)


def _models_table(result: dict[str, Any], pollutant: str, label: str) -> str:
    seasons, event = list(result["by_season"]), _EVENT[pollutant]
    columns = [
        *(f"RMSE {b} h" for b in _BANDS), "MAE 1-72 h", "CRPS 1-72 h", f"CSI {event}, 24 h",
        "coverage", *seasons, "service / it, RMSE 1-72 h",
    ]  # fmt: skip
    lines = [f"| {label} | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for name, scores in result["models"].items():
        own = scores[pollutant]
        cells = [_cell(own["rmse"][part], 1) for part in _BANDS]
        cells += [_cell(own["mae"]["1-72"], 1), _cell(own["crps"]["1-72"], 1), _cell(own[f"csi_{event}"]["24"], 2)]
        cells.append(_cell(own["coverage80"]["1-72"], 3))
        cells += [_cell(result["by_season"][s][name][pollutant]["coverage80"]["1-72"], 2) for s in seasons]
        pair = result["differences"].get(f"service - {name}")
        cells.append("" if pair is None else _interval(pair[pollutant]["rmse_ratio"]["1-72"]))
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
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
    data: Annotated[Path, typer.Option("--data", help="Folder that holds the collections.")],
    document: Annotated[Path, typer.Option("--document", help="Where the tables go.")] = Path("docs/skill.md"),
    out: Annotated[Path, typer.Option("--out", help="Folder for the scores as JSON.")] = Path("build/skill"),
    case: Annotated[list[str] | None, typer.Option("--case", help="Only this case; may be repeated.")] = None,
    peer: Annotated[
        list[str] | None, typer.Option("--peer", help="A peer to train and score; may be repeated. By default all.")
    ] = None,
    peers: Annotated[bool, typer.Option("--peers/--no-peers", help="Whether to train and score the peers.")] = True,
    only: Annotated[list[str] | None, typer.Option("--weather", help="Only this weather; may be repeated.")] = None,
    picture: Annotated[
        Path | None, typer.Option("--picture", help="Draw the years of service here, beside each expert's.")
    ] = None,
    reuse: Annotated[bool, typer.Option("--reuse", help="Take scores already in the folder.")] = False,
) -> None:
    """Run the backtests of all places and weathers and write the tables."""
    trained: dict[str, dict[str, Model]] = {}
    parts = []
    for one in CASES:
        results: dict[str, dict[str, Any]] = {}
        for weather in one.weathers:
            path = out / f"{one.key}-{weather}.json"
            skipped = (case and one.key not in case) or (only and weather not in only)
            if path.exists() and (reuse or skipped):
                results[weather] = json.loads(path.read_text(encoding="utf-8"))
            elif not skipped:
                plan = one.plan(data, weather, (peer or PEERS) if peers else ())
                # Models trained with weather are those that meet it erring too.
                results[weather], _ = run_backtest(plan, trained.setdefault(plan.weather, {}))
                write_json(results[weather], path)
        if results:
            parts.append(f"### {one.title}\n\n{by_place(results)}")
            if one.peers:
                parts.append(against_models(results))
            print(parts[-1])
    put_into(document, "\n".join(parts))
    print(f"{document}: written")
    drawn = {title: out / f"{key}-erring.json" for title, key in _YEARS.items()}
    if picture is not None and all(path.exists() for path in drawn.values()):
        read = {title: json.loads(path.read_text(encoding="utf-8")) for title, path in drawn.items()}
        by_month(read).savefig(picture, dpi=110)
        print(f"{picture}: written")


if __name__ == "__main__":
    app()
