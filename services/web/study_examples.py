"""A short body for each study of the API, with made-up numbers: its example in the description, and what tests send."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def _csv(header: str, *rows: str | Iterable[object]) -> str:
    return "\n".join([header, *(row if isinstance(row, str) else ",".join(map(str, row)) for row in rows)]) + "\n"


_PERIOD = {"from": "2026-01-01T00:00:00+08:00", "to": "2026-12-31T23:00:00+08:00"}
_YEARS = {"from": "2023-01-01T00:00:00+08:00", "to": "2026-12-31T23:00:00+08:00"}
_STATIONS = _PERIOD | {"cities": ["beijing"]}
_VOC_BEFORE = _csv("sample,ethene,toluene", "a,3.0,2.0", "b,4.1,2.6", "c,2.4,1.7", "d,3.6,2.2", "e,3.1,2.4")
_VOC_AFTER = _csv("sample,ethene,toluene", "a,2.1,0.9", "b,2.8,1.2", "c,1.9,0.8", "d,2.5,1.1", "e,2.2,1.0")
_RUNS_BEFORE = _csv(
    "run,concentration,flow,product", "1,98,1000,2.0", "2,104,990,2.1", "3,101,1010,2.0", "4,95,1005,1.9"
)
_RUNS_AFTER = _csv("run,concentration,flow,product", "1,41,1000,2.0", "2,39,995,2.0", "3,42,1000,2.1", "4,38,1010,2.0")
_WAVE = (3.0, -2.0, 1.0, -1.5, 2.5, -3.0, 0.5, 1.5, -0.5, -1.5)
_DAYS = [(day, 20 + 3 * day, round(1.04 * (20 + 3 * day) + _WAVE[day % 10], 1)) for day in range(40)]
_HOURS = [f"2026-01-0{1 + hour // 24}T{hour % 24:02d}:00:00Z" for hour in range(1, 97)]

BODIES: dict[str, dict[str, Any]] = {
    "mass-balance": {
        "concentrations": _csv("sample,K,Pb,Si", "a,1.2,0.3,2.0", "b,0.8,0.4,1.1", "c,1.5,0.2,2.6"),
        "uncertainties": _csv("sample,K,Pb,Si", "a,0.1,0.03,0.2", "b,0.1,0.04,0.1", "c,0.1,0.02,0.2"),
        "profiles": _csv("source,K,Pb,Si", "wood,0.2,0.01,0.02", "dust,0.02,0.001,0.3"),
    },
    "oxidation": {"table": [{"sample": "a", "so4": 9.6, "so2": 6.4, "no3": 12.0, "no2": 40.0}]},
    "bags": {
        "table": _csv(
            "compound,hours,recovery",
            *(("benzene", h, round(0.98 - 0.001 * h + 0.005 * (-1) ** k, 4)) for k, h in enumerate((0, 0, 24, 24, 48, 48))),
        )
    },
    "exhaust-metals": {
        "runs": _csv("run,co2_mixture,co2_air,volume", "a,2400,420,1.2", "b,2200,415,1.1", "c,2600,425,1.3"),
        "masses": _csv("run,Fe,Zn", "a,820,310", "b,700,260", "c,900,330"),
        "blanks": _csv("blank,Fe,Zn", "x,12,4", "y,9,6", "z,14,5"),
        "fuel_carbon": 0.86,
    },
    "elements": {
        "hourly": _csv("time,Pb", *((time, round(30 + 20 * ((k * 7) % 24) / 24, 2)) for k, time in enumerate(_HOURS))),
        "filters": _csv(
            "filter,start,end,Pb",
            *((n, f"2026-01-0{n}T00:00:00+00:00", f"2026-01-0{n + 1}T00:00:00+00:00", 39 + n) for n in (1, 2, 3, 4)),
        ),
        "limits": _csv("element,filter,xrf", "Pb,0.5,0.2"),
    },
    "voc": {"table": _VOC_BEFORE, "units": "ppb"},
    "voc-change": {"before": _VOC_BEFORE, "after": _VOC_AFTER, "units": "ppb"},
    "ozone-regime": {"table": _csv("sample,hcho,no2", "1,3.0,20", "2,6.0,2")},
    "ekma": {"voc": [300, 600], "nox": [20, 40]},
    "rir": {"voc": 400, "nox": 30},
    "solvent": {"table": _csv("item,kg,uncertainty", "I1,1000,10", "O1,80,8", "O5,500,25", "O6,220,11")},
    "removal": {"table": _csv("run,inlet,outlet", "a,100,8", "b,120,9", "c,90,8"), "systematic": 0.05},
    "equivalence": {"table": _csv("day,reference,candidate", *_DAYS), "limit": 30},
    "detection": {
        "table": _csv("kind,value", *(("spike", v) for v in (2.1, 1.9, 2.3, 2.0, 1.8, 2.2, 2.1)), *(("blank", v) for v in (0.1, 0.0, 0.2, 0.1, 0.1, 0.0, 0.2))),
        "level": 2.0,
    },
    "chart": {"table": _csv("run,check", *((k, 100 + _WAVE[k % 10] + (8 if k > 15 else 0)) for k in range(1, 21))), "column": "check", "baseline": 15},
    "interlab": {"table": _csv("laboratory,value", *((f"L{k}", 50 + one) for k, one in enumerate(_WAVE)))},
    "cover": {
        "candidates": _csv("site,latitude,longitude", "a,22.25,113.55", "b,22.30,113.50", "c,22.10,113.40"),
        "demand": _csv("latitude,longitude,weight", "22.26,113.56,1200", "22.29,113.51,800", "22.11,113.41,300"),
        "number": 2,
        "radius": 3.0,
    },
    "homogeneity": {
        "table": _csv("sample,one,two", *((k, 5 + one / 100, 5 - one / 150) for k, one in enumerate(_WAVE))),
        "deviation": 0.2,
    },
    "duplicates": {
        "table": _csv("pair,first,second", *((k, 50 + 3 * one, 50 + 3 * one + (-1) ** k) for k, one in enumerate(_WAVE))),
        "allowed": 0.15,
    },
    "budget": {"table": _csv("component,kind,value", "repeatability,standard,0.8", "flow,expanded,2.0", "drift,rectangular,1.0")},
    "flue-gas": {
        "table": _csv("reading,concentration,temperature,pressure,moisture,oxygen", "1,12.0,353,101300,0.09,7.5", "2,11.2,355,101200,0.094,7.8"),
        "oxygen": 6,
    },
    "low-dust": {"table": _csv("sample,mass,volume", "a,3.0,1.0", "b,4.0,1.0", "c,3.4,1.1"), "blank": 0.2, "limit": 10},
    "rata": {
        "table": _csv("pair,reference,monitor", *((k, 40 + one, 40.5 + 0.9 * one) for k, one in enumerate(_WAVE[:9]))),
        "quantity": "so2",
    },
    "factory": {"before": _RUNS_BEFORE, "after": _RUNS_AFTER, "production": 12000, "investment": 90000, "charge": 2.4},
    "exhaust": {
        "table": _csv(
            "vehicle,co,hc,no,speed,acceleration,grade",
            *((f"v{k % 6}", 0.02, 0.0008, 0.004 + 0.004 * (k % 6), 45 + k, 0.8, 0.01) for k in range(12)),
        ),
        "limit": 20,
        "noise": 6,
    },
    "network": {"observations": _STATIONS},
    "sites": {"observations": _STATIONS, "keep": 3},
    "wind": {"observations": _PERIOD, "place": "beijing"},
    "ozone": {"observations": _PERIOD, "city": "beijing"},
    "climatology": {"observations": _PERIOD, "city": "beijing", "year": 2026},
    "episodes": {"observations": _PERIOD, "city": "beijing"},
    "intervention": {"observations": _PERIOD, "place": "beijing", "from": "2026-11-03", "to": "2026-11-12"},
    "trend": {"observations": _PERIOD, "place": "beijing", "draws": 20},
    "visibility": {"observations": _YEARS, "city": "beijing", "test_from": "2026-01-01T00:00:00+08:00"},
    "trajectories": {"city": "beijing", "from": "2026-01-10T00:00:00+08:00", "to": "2026-01-20T00:00:00+08:00", "observations": _PERIOD},
    "provinces": {
        "city": "shanghai", "from": "2026-01-01T01:00:00Z", "to": "2026-01-05T00:00:00Z", "every": 1,
        "samples": _csv("time,Zn", *((time, 60 + 25 * (k % 24)) for k, time in enumerate(_HOURS))),
    },
    "secondary-carbon": {
        "table": _csv("sample,oc,ec", *((k, round(2.2 * (1 + (k * 7) % 11) + (k * 3) % 5, 2), 1 + (k * 7) % 11) for k in range(60)))
    },
    "sources": {
        "concentrations": _csv(
            "sample,K,Pb,Si,SO4",
            *(
                (k, round(0.5 * a + 0.1, 3), round(0.2 * b + 0.02, 3), round(0.8 * b + 0.1 * a, 3), round(0.9 * a + 0.2 * b, 3))
                for k, (a, b) in enumerate((1 + k * 5 % 7, 1 + k * 3 % 11) for k in range(40))
            ),
        ),
        "limits": _csv("species,limit,error_fraction", "K,0.02,0.1", "Pb,0.01,0.1", "Si,0.02,0.1", "SO4,0.02,0.1"),
        "factors": "2",
        "starts": 5,
    },
}  # fmt: skip
