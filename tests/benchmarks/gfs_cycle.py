"""A GFS cycle for the benchmarks: 0.25 degree, global, packed as NOAA packs it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hazecast.grids.weather.codec import eccodes

ROWS, COLUMNS = 721, 1440
HOURS = tuple(range(3, 124, 3))
PACKING = "grid_complex_spatial_differencing"
_GRID = {
    "centre": "kwbc", "generatingProcessIdentifier": 96, "Ni": COLUMNS, "Nj": ROWS, "dataDate": 20140220, "dataTime": 0,
    "latitudeOfFirstGridPointInDegrees": 90.0, "latitudeOfLastGridPointInDegrees": -90.0,
    "longitudeOfFirstGridPointInDegrees": 0.0, "longitudeOfLastGridPointInDegrees": 359.75,
    "iDirectionIncrementInDegrees": 0.25, "jDirectionIncrementInDegrees": 0.25,
}  # fmt: skip
_TOTAL_CLOUD = {"discipline": 0, "parameterCategory": 6, "parameterNumber": 1, "typeOfFirstFixedSurface": 10}
# Name -> keys, mean, deviation, digits after the point as in the published files, and the lowest
# value. Relative humidity is published beside the contract's nine and is not needed.
VARIABLES: dict[str, tuple[dict[str, object], float, float, int, float]] = {
    "t2m": ({"shortName": "2t"}, 280.0, 15.0, 1, 180.0),
    "d2m": ({"shortName": "2d"}, 273.0, 14.0, 1, 170.0),
    "u10": ({"shortName": "10u"}, 0.0, 6.0, 2, -90.0),
    "v10": ({"shortName": "10v"}, 0.0, 6.0, 2, -90.0),
    "sp": ({"shortName": "sp"}, 96_000.0, 2_500.0, -1, 45_000.0),
    "blh": ({"shortName": "blh"}, 600.0, 400.0, 1, 10.0),
    "tcc": (_TOTAL_CLOUD, 50.0, 40.0, 0, 0.0),
    "tp": ({"discipline": 0, "parameterCategory": 1, "parameterNumber": 8}, -1.0, 2.0, 2, 0.0),
    "ssrd": ({"discipline": 0, "parameterCategory": 4, "parameterNumber": 192}, 200.0, 150.0, 0, 0.0),
    "r2": ({"shortName": "2r"}, 65.0, 20.0, 1, 0.0),
}


def write_gfs_cycle(path: Path, hours: tuple[int, ...] = HOURS) -> Path:
    """Write all variables at all hours, step by step as NOAA orders them.

    Packing is slow: each variable is packed three times, and the hours take turns.
    """
    packed = {name: [_packed(name, number, turn) for turn in range(3)] for number, name in enumerate(VARIABLES)}
    with path.open("wb") as file:
        for number, hour in enumerate(hours):
            for name in VARIABLES:
                handle = eccodes.codes_clone(packed[name][number % 3])
                for key, value in _step(name, hour).items():
                    eccodes.codes_set(handle, key, value)
                eccodes.codes_write(handle, file)
                eccodes.codes_release(handle)
    for handle in (handle for handles in packed.values() for handle in handles):
        eccodes.codes_release(handle)
    return path


def _packed(name: str, seed: int, turn: int) -> int:
    keys, mean, deviation, digits, lowest = VARIABLES[name]
    highest = 100.0 if name == "tcc" else np.inf
    field = np.clip(mean + deviation * np.roll(_smooth(seed), 40 * turn, axis=1), lowest, highest)
    handle: int = eccodes.codes_grib_new_from_samples("regular_ll_sfc_grib2")
    for key, value in (_GRID | keys | _step(name, 3) | {"packingType": PACKING}).items():
        eccodes.codes_set(handle, key, value)
    levels = np.ptp(field) * 10.0**digits
    eccodes.codes_set(handle, "bitsPerValue", int(np.ceil(np.log2(levels + 1))))
    eccodes.codes_set_values(handle, field.ravel())
    return handle


def _step(name: str, hour: int) -> dict[str, object]:
    if name not in ("tp", "ssrd"):
        return {"step": hour}
    # Buckets restart every 6 h.
    return {
        "productDefinitionTemplateNumber": 8,
        "typeOfFirstFixedSurface": 1,
        "stepType": "accum" if name == "tp" else "avg",
        "stepRange": f"{(hour - 1) // 6 * 6}-{hour}",
    }


def _smooth(seed: int) -> np.ndarray:
    """A field of mean 0 and deviation 1 whose spectrum falls like the atmosphere's (k to the -3 in energy)."""
    noise = np.fft.rfft2(np.random.default_rng(seed).normal(size=(ROWS, COLUMNS)))
    wave = np.hypot(np.fft.fftfreq(ROWS)[:, None] * ROWS, np.fft.rfftfreq(COLUMNS)[None] * COLUMNS)
    wave[0, 0] = np.inf
    field = np.fft.irfft2(noise * wave**-2.0, s=(ROWS, COLUMNS))
    return field / field.std()
