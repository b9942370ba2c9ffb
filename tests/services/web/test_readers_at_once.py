"""Many readers of everything at once, cold, warm and across a new cycle: nobody falls, and nobody gets wrong bytes."""

from __future__ import annotations

import csv
import io
import json
import threading
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from PIL import Image
from pypdf import PdfReader

from hazecast.services.core.settings import Settings
from hazecast.services.store.store import Store
from tests.support.readers import PATHS, Readers, save_made_run, serving

FIRST, HOUR = np.datetime64("2013-01-11T22", "ns"), np.timedelta64(1, "h")
# Libraries that are not made for threads, or may crash: none of them in the process that answers.
NATIVE = ("libnetcdf", "libhdf5", "netCDF4", "typst", "eccodes", "matplotlib", "cartopy", "PIL")


def median(body: bytes, path: str, tmp_path: Path) -> float | None:
    """Return the first median of PM2.5 that an answer holds, None where it is a picture or a text; check its form."""
    if ".png" in path or ".webp" in path:
        Image.open(io.BytesIO(body)).load()
        return None
    if "netcdf" in path or ".nc" in path:
        file = tmp_path / "answer.nc"
        file.write_bytes(body)
        with xr.open_dataset(file, decode_timedelta=True) as dataset:
            if "quantile" not in dataset["pm25"].dims:
                return None
            return float(dataset["pm25"].sel(quantile=0.5).values.flat[0])
    if ".pdf" in path:
        assert PdfReader(io.BytesIO(body)).pages
    elif "format=csv" in path:
        rows = list(csv.DictReader(io.StringIO(body.decode())))
        assert len(rows) == 3 * 120
        return float(rows[-1]["pm25_q50"])
    elif "geojson" in path:
        return json.loads(body)["features"][0]["properties"]["pm25_q50"][0]
    elif path == "/v1/map":
        return json.loads(body)["items"][0]["values"]["pm25"][0]
    return None


@pytest.mark.slow
def test_nobody_falls_and_nobody_gets_wrong_bytes(tmp_path) -> None:
    settings = Settings(data_dir=tmp_path)
    store = Store(settings.database_url)
    store.migrate()
    save_made_run(store, tmp_path, FIRST, 180.0)
    with serving(tmp_path) as server:
        readers = Readers(server)
        cold = readers.read()
        cycle = threading.Timer(0.3, save_made_run, (store, tmp_path, FIRST + HOUR, 120.0))
        cycle.start()
        across = readers.read()
        cycle.join()
        last = {path: server.get(path) for path in PATHS}
        assert server.process.poll() is None
        mapped = server.mapped()
        assert [name for name in NATIVE if name in mapped] == []
    store.close()
    assert cold.faults == [] and across.faults == [] and cold.health and across.health
    for path in PATHS:
        assert len(cold.bodies[path]) == 1, path
        (first,) = cold.bodies[path].values()
        assert last[path][0] == 200, path
        assert {*across.bodies[path].values()} <= {first, last[path][1]}, path
        medians = [median(body, path, tmp_path) for body in (first, last[path][1])]
        assert medians in ([180.0, 120.0], [None, None]), path
