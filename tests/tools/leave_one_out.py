"""Leave-one-out error of the map between cities, on stations of Beijing, Shanghai, Shenyang and Taiwan.

    python -m tests.tools.leave_one_out ../shared/data

Each station is left out and read from the map of the others, every seventh hour; once with all other stations of Beijing,
once with three of them, as far apart as cities are. Printed are RMSE and MAE, ug m-3, by period, pollutant and region, for
the map, for what the nearest other station has, and for one mean of all with a length of 300 km, as the map was before.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from hazecast.grids.spreading import EXPONENT, NUGGET, _on_sphere, weights
from hazecast.grids.weather.sampling import EARTH_RADIUS_KM

Float = npt.NDArray[np.float64]

# As ../shared/data/README.md gives them.
BEIJING = {
    "Aotizhongxin": (39.982, 116.397), "Changping": (40.217, 116.230), "Dingling": (40.292, 116.220),
    "Dongsi": (39.929, 116.417), "Guanyuan": (39.929, 116.339), "Gucheng": (39.914, 116.184),
    "Huairou": (40.328, 116.628), "Nongzhanguan": (39.937, 116.461), "Shunyi": (40.127, 116.655),
    "Tiantan": (39.886, 116.407), "Wanliu": (39.987, 116.287), "Wanshouxigong": (39.878, 116.352),
}  # fmt: skip
TAIWAN = {
    "kinmen": (24.432, 118.312), "xizhi": (25.067, 121.641), "zhudong": (24.741, 121.089), "shalu": (24.226, 120.569),
    "puzi": (23.465, 120.247), "renwu": (22.689, 120.333),
}  # fmt: skip
OTHERS = {"shanghai": (31.2, 121.45), "shenyang": (41.8, 123.4)}
PLACES = BEIJING | TAIWAN | OTHERS
SPARSE = ("Dongsi", "Huairou", "Shunyi", *TAIWAN, *OTHERS)
PERIODS = {"2013-2014 (chosen on)": ("2013-03", "2014-12"), "2015-2016 (not seen)": ("2015-01", "2016-02")}
PPB = 2.0  # ug m-3 of ozone, 20 degrees C


def read(folder: Path) -> dict[str, pd.DataFrame]:
    """Return PM2.5 and ozone of all stations by hour of China's time, ug m-3."""
    pm25, o3 = {}, {}
    for name in BEIJING:
        table = pd.read_csv(folder / "beijing-multisite" / f"{name}.csv.gz")
        time = pd.to_datetime(table[["year", "month", "day", "hour"]])
        pm25[name], o3[name] = (pd.Series(table[item].to_numpy(), time) for item in ("PM2.5", "O3"))
    for name in TAIWAN:
        table = pd.read_csv(folder / "taiwan" / f"{name}.csv.gz", parse_dates=["time"], index_col="time")
        pm25[name], o3[name] = table["PM2.5"], PPB * table["O3"]
    for name in OTHERS:
        table = pd.read_csv(folder / "five-cities" / f"{name}.csv.gz")
        sites = table[[column for column in table if column.startswith("PM_")]].mean(axis=1)
        pm25[name] = pd.Series(sites.to_numpy(), pd.to_datetime(table[["year", "month", "day", "hour"]]))
    return {"PM2.5": pd.DataFrame(pm25), "O3": pd.DataFrame(o3)}


def on_map(values: Float, cities: Float, place: Float, exponent: float, nugget: float) -> Float:
    """Return what the map has at a place, (hour,), from `values` (hour, city)."""
    found = weights(cities, place[None], exponent=exponent, nugget=nugget).values[0]
    return np.asarray(np.square(np.sqrt(np.maximum(values, 0.0)) @ found))


def with_one_mean(values: Float, cities: Float, place: Float) -> Float:
    """Return what one mean of all and a correlation length of 300 km give, of logarithms, with a nugget of 2 %."""
    logs = np.log(np.maximum(values, 1.0))
    mean = logs.mean(axis=1)
    between, towards = (np.exp(-distance(cities, at) / 300.0) for at in (cities, place[None]))
    found = np.linalg.solve(between + 0.02 * np.eye(len(cities)), towards)[:, 0]
    return np.asarray(np.exp(mean + (logs - mean[:, None]) @ found))


def distance(places: Float, others: Float) -> Float:
    """Return the distances of places from each other, km, by the chord."""
    return np.asarray(EARTH_RADIUS_KM * np.linalg.norm(places[:, None] - others[None], axis=-1))


def errors(values: Float, names: list[str], exponent: float, nugget: float) -> pd.DataFrame:
    """Return RMSE and MAE of each station (row) when it is left out, by method."""
    sphere = _on_sphere(*np.array([PLACES[name] for name in names]).T)
    rows = {}
    for number, name in enumerate(names):
        rest = np.delete(np.arange(len(names)), number)
        near = rest[distance(sphere[[number]], sphere[rest]).argmin()]
        given = values[:, rest], sphere[rest], sphere[number]
        for method, found in (
            ("map", on_map(*given, exponent, nugget)),
            ("nearest", values[:, near]),
            ("one mean", with_one_mean(*given)),
        ):
            off = found - values[:, number]
            rows[name, method] = {"RMSE": np.sqrt((off**2).mean()), "MAE": np.abs(off).mean()}
    return pd.DataFrame(rows).T.unstack()


def report(tables: dict[str, pd.DataFrame], exponent: float = EXPONENT, nugget: float = NUGGET) -> pd.DataFrame:
    """Return the mean error of a region's stations, by period, pollutant, network and method."""
    rows = {}
    for period, (first, last) in PERIODS.items():
        for item, table in tables.items():
            hours = table.loc[first:last].iloc[::7]
            hours = hours[[name for name in hours if hours[name].notna().mean() > 0.5]]
            for network, chosen in (("all", list(hours)), ("sparse", [n for n in hours if n in SPARSE])):
                known = hours[chosen].dropna()
                found = errors(known.to_numpy(), chosen, exponent, nugget)
                for region, members in (("Beijing", BEIJING), ("Taiwan", TAIWAN)):
                    rows[period, item, region, network, len(known)] = found.loc[
                        [n for n in chosen if n in members]
                    ].mean()
    return pd.DataFrame(rows).T.round(1)


if __name__ == "__main__":
    pd.set_option("display.width", 160)
    print(report(read(Path(sys.argv[1]))).to_string())
