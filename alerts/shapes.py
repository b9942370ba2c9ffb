"""Coastlines, borders and provinces of East Asia, read from the package: no network is needed.

Policy on borders: the map shows Natural Earth's depiction as published, which is by de facto
control, and says on its face that boundaries are not authoritative. Provenance and licence
stand in ``shapes/README.md``.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Literal

import shapely
from shapely.geometry import shape

Layer = Literal["land", "country", "province"]
_FILE = Path(__file__).parent / "shapes" / "east_asia.geojson"


@lru_cache
def layer(name: Layer) -> tuple[shapely.Geometry, ...]:
    """Return the polygons of a layer in degrees (WGS 84), 60-160 E and 5-65 N.

    ``land`` and ``country`` are at 1:50m; ``province`` holds the provinces of China and the
    prefectures of Japan at 1:10m, simplified to 0.02 degrees.
    """
    features = json.loads(_FILE.read_text(encoding="utf-8"))["features"]
    return tuple(shape(f["geometry"]) for f in features if f["properties"]["layer"] == name)
