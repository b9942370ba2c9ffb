"""The input tables that the documents' commands read, with the columns that each document names: made values, ever the same.

`TABLES` has a maker for each, by the document's name and the file's: two documents may name a file alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pandas as pd

Maker = Callable[[Path], object]
_SPECIES = ("toluene", "ethene", "m-xylene", "propane")


def lines(head: str, rows: Iterable[str]) -> Maker:
    """Return a maker of a table written out."""
    text = "\n".join([head, *rows]) + "\n"
    return lambda path: path.write_text(text, encoding="utf-8")


def frame(label: str, make: Callable[[np.random.Generator], pd.DataFrame]) -> Maker:
    """Return a maker of a table by numbers drawn."""
    return lambda path: make(np.random.default_rng(7)).to_csv(path, index_label=label)


def _runs(level: float) -> Maker:
    def make(random: np.random.Generator) -> pd.DataFrame:
        values = level * np.exp(random.normal(0, 0.1, 6))
        return pd.DataFrame({"concentration": values, "flow": 50_000.0, "product": 20.0}).rename(index="run {}".format)

    return frame("run", make)


def _pairs(random: np.random.Generator) -> pd.DataFrame:
    reference = 20 * np.exp(random.normal(0, 0.1, 9))
    return pd.DataFrame({"reference": reference, "monitor": reference + random.normal(0, 1, 9)})


def _air(share: float) -> Maker:
    def make(random: np.random.Generator) -> pd.DataFrame:
        level = np.array([2.0, 3.0, 1.0, 5.0]) * np.exp(random.normal(0, 0.3, (6, 4)))
        level[:, 0] *= share
        return pd.DataFrame(level, columns=list(_SPECIES)).rename(index="site {}".format)

    return frame("sample", make)


def _days(random: np.random.Generator) -> pd.DataFrame:
    truth = random.gamma(2.0, 15.0, 60)
    return pd.DataFrame(
        {"reference": truth + random.normal(0, 0.7, 60), "candidate": 1.05 * truth + random.normal(0, 1.5, 60)}
    )


def _checks(random: np.random.Generator) -> pd.DataFrame:
    return pd.DataFrame({"zero": random.normal(0, 0.4, 60) + 0.8 * (np.arange(60) > 45)})


def _carbon(random: np.random.Generator) -> pd.DataFrame:
    elemental = np.exp(random.normal(0.5, 0.5, 120))
    return pd.DataFrame({"oc": 1.8 * elemental + np.exp(random.normal(1.0, 0.5, 120)), "ec": elemental})


# Two weeks of lead in the air by XRF, ng m-3, and by filters from 08:00 to 08:00.
_LEAD = np.linspace(20, 90, 14)


def _xrf(_: np.random.Generator) -> pd.DataFrame:
    ends = pd.date_range("2024-01-01T01:00", periods=24 * 14, freq="h", tz="UTC")
    return pd.DataFrame({"Pb": np.repeat(_LEAD, 24)}, index=ends)


def _filters(random: np.random.Generator) -> pd.DataFrame:
    starts = pd.date_range("2024-01-01 08:00", periods=14, freq="D", tz="Asia/Shanghai")
    ends = starts + pd.Timedelta(days=1)
    stamps = {"start": starts.map(pd.Timestamp.isoformat), "end": ends.map(pd.Timestamp.isoformat)}
    return pd.DataFrame(stamps).assign(Pb=_LEAD * random.normal(1, 0.05, 14))


def _exhaust(part: int) -> Maker:
    def make(random: np.random.Generator) -> pd.DataFrame:
        mixture = np.array([4400.0, 6400, 8400, 4400])
        if part == 0:
            return pd.DataFrame({"co2_exhaust": 80_400.0, "co2_mixture": mixture, "co2_air": 400.0, "volume": 1.2})
        return pd.DataFrame({"Zn": random.normal(100, 15, 5) if part == 2 else 1e5 * mixture / 4400})

    return frame("run", make)


def _mixture(name: str) -> Maker:
    def make(path: Path) -> None:
        from hazecast.forecast.studies.particles.mixtures import TOTAL, mix, source_profiles

        sources = ("secondary sulfate", "traffic", "dust", "coal and metals")
        made = mix(1, samples=120, sources=sources)
        limits = pd.DataFrame({"limit": made.limits, "error_fraction": made.error_fraction}).rename_axis("species")
        tables = {
            "con.csv": made.concentration, "limits.csv": limits,
            "profiles.csv": source_profiles(sources).drop(columns=TOTAL),
        }  # fmt: skip
        tables[name].to_csv(path)

    return make


def _metals(random: np.random.Generator) -> pd.DataFrame:
    origin = random.uniform(0, 360, 300)
    hours = pd.date_range("2014-01-01", periods=300, freq="h").strftime("%Y-%m-%dT%H:%M")
    zinc = 20 + 80 * (np.abs(origin - 90) < 20) + random.uniform(0, 5, 300)
    return pd.DataFrame({"Zn": zinc, "wind_speed": 3.0, "wind_direction": origin}, index=hours)


TABLES: dict[str, Maker] = {
    "emissions/readings.csv": lines(
        "reading,concentration,temperature,pressure,moisture,oxygen,u_oxygen", ["a,20,50,100500,0.12,7.5,0.2"]
    ),
    "emissions/filters.csv": lines("sample,mass,volume", ["a,3.1,1", "b,4.0,1", "c,3.6,1"]),
    "emissions/pairs.csv": frame("pair", _pairs),
    "emissions/before.csv": _runs(100),
    "emissions/after.csv": _runs(40),
    "exhaust/passes.csv": lines(
        "vehicle,co,hc,no,speed,acceleration,grade",
        ["v1,0.02,0.001,0.02,36,1.8,0"] * 3 + ["v2,0.02,0.001,0.002,36,1.8,0"] * 3,
    ),
    "laboratory/samples.csv": lines("sample,one,two", [f"{n},{10 + 0.01 * (n % 3)},{10.01 - 0.01 * (n % 2)}" for n in range(10)]),
    "laboratory/later.csv": lines("sample,one,two", [f"{n},{10 + 0.01 * n},{10 + 0.005 * n}" for n in range(3)]),
    "laboratory/pairs.csv": lines("pair,first,second", [f"p{n},{10 + n % 3},{10 + n % 2}" for n in range(9)]),
    "laboratory/components.csv": lines(
        "component,kind,value,degrees", ["standard,standard,25,18", "drift,rectangular,16.6,"]
    ),
    "laboratory/spikes.csv": lines("kind,value", [f"spike,{value}" for value in (3, 4, 5, 4, 3, 5, 4)]),
    "ozone/voc.csv": lines("sample,ethene,甲苯,108-38-3", ["1,3.0,2.0,1", "2,NA,1.0,1"]),
    "ozone/indicators.csv": lines(
        "sample,h2o2,hno3,hcho,noy,nox,no2,o3", ["1,0.5,2,3.0,30,25,20,60", "2,2,1.5,6,8,3,2,90"]
    ),
    "particles/xrf.csv": frame("time", _xrf),
    "particles/filters.csv": frame("filter", _filters),
    "particles/limits.csv": lines("element,filter,xrf", ["Pb,2,8"]),
    "particles/runs.csv": _exhaust(0),
    "particles/masses.csv": _exhaust(1),
    "particles/blanks.csv": _exhaust(2),
    "particles/bags.csv": lines(
        "compound,hours,recovery", [f"toluene,{h},{r}" for h in (0, 24, 48) for r in (0.99, 1.01)]
    ),
    "particles/ions.csv": lines("sample,so4,so2,no3,no2", ["a,9.606,6.406,3.1,4.6"]),
    "particles/carbon.csv": frame("sample", _carbon),
    "quality/days.csv": frame("day", _days),
    "quality/blanks-and-spikes.csv": lines("kind,value", [f"{kind},{n % 3 + 4 * (kind == 'spike')}" for n in range(8) for kind in ("spike", "blank")]),
    "quality/checks.csv": frame("run", _checks),
    "quality/round.csv": lines(
        "laboratory,value,uncertainty", [*(f"L{n},{10 + 0.3 * (n % 3)},0.5" for n in range(9)), "L9,14,NA"]
    ),
    "quality/candidates.csv": lines("site,latitude,longitude", [f"s{n},{39.8 + 0.03 * n},{116.2 + 0.05 * (n % 4)}" for n in range(9)]),
    "quality/people.csv": lines("latitude,longitude,weight", [f"{39.8 + 0.02 * n},{116.2 + 0.03 * (n % 6)},{100 + n}" for n in range(20)]),
    **{f"sources/{name}": _mixture(name) for name in ("con.csv", "limits.csv", "profiles.csv")},
    "voc/before.csv": _air(1.0),
    "voc/after.csv": _air(0.5),
    "voc/plant.csv": lines("item,kg,uncertainty", [f"{item},{kg},{0.05 * kg}" for item, kg in {
        "I1": 1000, "I2": 200, "O1": 100, "O2": 10, "O3": 20, "O4": 150, "O5": 400, "O6": 220, "O7": 50, "O8": 30, "O9": 20,
    }.items()]),
    "voc/runs.csv": lines("run,inlet,outlet", ["a,100,8", "b,120,9", "c,90,8"]),
    "wind/metals.csv": frame("time", _metals),
}  # fmt: skip
