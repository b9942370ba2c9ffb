"""``hazecast study ekma`` and ``study rir``: ozone of a box of air with the Carbon Bond mechanism IV."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from hazecast.services.research.studies.asking import Option, study, tell
from hazecast.services.research.studies.result import Result

if TYPE_CHECKING:
    from hazecast.forecast.studies.ozone.box import Conditions


@dataclass(frozen=True)
class Day:
    """The day of the box."""

    latitude: Annotated[float, Option("Degrees; Xi'an by default.")] = 34.3
    day: Annotated[int, Option("Day of the year.")] = 196
    celsius: Annotated[float, Option("Temperature.")] = 30.0
    humidity: Annotated[float, Option("Relative humidity, per cent.")] = 50.0


@study
def ekma(
    voc: Annotated[list[float] | None, Option("Initial VOC, ppb of carbon; may be repeated.")] = None,
    nox: Annotated[list[float] | None, Option("Initial NOx, ppb; may be repeated.")] = None,
    *,
    day: Day,
) -> Result:
    """EKMA isopleths: highest ozone of a day for initial VOC and NOx, from a box model."""
    from hazecast.forecast.studies.ozone.box import isopleths
    from hazecast.forecast.studies.ozone.plots import ekma as draw

    found = isopleths(
        sorted(voc or (100, 200, 400, 600, 800, 1200, 1600)),
        sorted(nox or (5, 10, 20, 30, 40, 60, 80, 120, 160)),
        conditions=_conditions(day),
        progress=tell,
    )
    ridge = found.idxmax().rename("nox").to_frame()
    ridge["o3"] = found.max()
    # A highest value at the edge of the grid is no ridge.
    ridge["at_edge"] = ridge["nox"].isin([found.index[0], found.index[-1]])
    summary = {"runs": found.size, "units": "VOC ppb of carbon, NOx and O3 ppb", "simulated": True}
    figures = {"isopleths": draw(found)} if min(found.shape) > 1 else {}
    return Result(summary, {"ridge": ridge, "isopleths": found}, figures, printed=("ridge", "isopleths"))


@study
def rir(
    voc: Annotated[float, Option("Initial VOC, ppb of carbon.")],
    nox: Annotated[float, Option("Initial NOx, ppb.")],
    *,
    day: Day,
) -> Result:
    """Relative incremental reactivity of VOC species and NOx, from a box model."""
    from hazecast.forecast.studies.ozone.box import incremental_reactivity, urban
    from hazecast.forecast.studies.ozone.plots import reactivities

    found = incremental_reactivity(urban(voc, nox), _conditions(day))
    summary = {"limited_by": "VOC" if found["VOC"] > found["NOx"] else "NOx", "simulated": True}
    return Result(summary, {"rir": found.to_frame()}, {"reactivities": reactivities(found)}, printed=("rir",))


def _conditions(day: Day) -> Conditions:
    from hazecast.forecast.studies.ozone.box import Conditions

    return Conditions(latitude=day.latitude, day=day.day, kelvin=day.celsius + 273.15, humidity=day.humidity)
