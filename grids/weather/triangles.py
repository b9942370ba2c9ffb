"""Points of any grid brought onto a regular one: interpolated linearly in the triangles between them (Delaunay)."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from hazecast.grids.errors import InputError

Array = npt.NDArray[np.float64]

# Points of the regular grid for each of a turned or a polar one, chosen: the corners stay empty, and near a pole the points
# lie far denser by longitude.
_MOST_SHARE, _LEAST = 20, 10_000


class Axes(NamedTuple):
    """A regular grid around points: its latitudes and longitudes, their steps, and the points' longitudes counted on alike."""

    rows: Array
    columns: Array
    step: float
    wide: float
    longitude: Array

    @classmethod
    def of(cls, latitude: Array, longitude: Array, where: str) -> Axes:
        """Return the regular grid around points.

        Parameters
        ----------
        latitude, longitude : float (y, x)
            Degrees; neighbours in the arrays are neighbours on the ground.
        where : str
            The file, for errors.

        Returns
        -------
        Axes
            Its steps are as wide as the points lie apart.

        Raises
        ------
        InputError
            If the points lie in lumps, far from each other: the regular grid would have far more of them.
        """
        middle = float(longitude.ravel()[0])
        longitude = middle + (longitude - middle + 180.0) % 360.0 - 180.0
        step = _step(latitude, longitude)
        wide = step / max(float(np.cos(np.radians(np.mean(latitude)))), 0.05)
        size = (np.ptp(latitude) / step + 1.0) * (np.ptp(longitude) / wide + 1.0)
        if not size <= _MOST_SHARE * latitude.size + _LEAST:
            found = f"{latitude.size} points {step:g} degrees apart over {np.ptp(latitude):g} by {np.ptp(longitude):g}"
            raise InputError(f"{where}: latitude, longitude", found, "points of a grid")
        rows = np.arange(latitude.min(), latitude.max() + 0.5 * step, step)
        columns = np.arange(longitude.min(), longitude.max() + 0.5 * wide, wide)
        return cls(rows, columns, step, wide, longitude)


@dataclass(frozen=True)
class Triangles:
    """For each point of the regular grid the three points around it and their weights; NaN weights outside."""

    latitude: Array
    longitude: Array
    corners: npt.NDArray[np.int64]
    weights: Array

    @classmethod
    def of(cls, latitude: Array, axes: Axes) -> Triangles:
        """Return the triangles between points around those of the regular grid.

        Parameters
        ----------
        latitude : float (y, x)
            Degrees.
        axes : Axes
            Of these points; it holds their longitudes.

        Returns
        -------
        Triangles

        Raises
        ------
        ValueError
            If the points hold no triangle.
        """
        from scipy.spatial import Delaunay, QhullError

        rows, columns, step, wide, longitude = axes
        # Scaled so that a triangle is as wide as it is high.
        points = np.stack([latitude.ravel() / step, longitude.ravel() / wide], axis=1)
        target = np.stack(np.meshgrid(rows / step, columns / wide, indexing="ij"), axis=-1).reshape(-1, 2)
        try:
            mesh = Delaunay(points)
        except (QhullError, ValueError) as error:
            raise ValueError(f"{len(points)} points that hold no triangle") from error
        inside = mesh.find_simplex(target, tol=1e-9)
        transform = mesh.transform[inside]
        two = np.einsum("nij,nj->ni", transform[:, :2], target - transform[:, 2])
        weights = np.concatenate([two, 1.0 - two.sum(axis=1, keepdims=True)], axis=1)
        weights[inside < 0] = np.nan
        return cls(rows, (columns + 180.0) % 360.0 - 180.0, mesh.simplices[inside], weights)

    def axes(self) -> dict[Hashable, Any]:
        """Return the axes of the regular grid, as coordinates."""
        return {"latitude": self.latitude, "longitude": self.longitude}

    def apply(self, values: Array) -> npt.NDArray[np.float32]:
        """Return values (..., y, x) on the regular grid (..., latitude, longitude)."""
        shape = (*values.shape[:-2], len(self.latitude), len(self.longitude))
        result = np.empty((int(np.prod(values.shape[:-2])), len(self.corners)), np.float32)
        # A time after the other: all of them at once would take three times the memory of the file.
        for number, plane in enumerate(values.reshape(len(result), -1)):
            result[number] = (plane[self.corners] * self.weights).sum(axis=1)
        return result.reshape(shape)


def _step(latitude: Array, longitude: Array) -> float:
    """Return the distance of neighbouring points, degrees of latitude."""
    narrow = np.cos(np.radians(latitude))
    apart = [
        np.hypot(np.diff(latitude, axis=axis), np.diff(longitude, axis=axis) * narrow.take(range(1, narrow.shape[axis]), axis))
        for axis in (0, 1)
        if latitude.shape[axis] > 1
    ]  # fmt: skip
    return max(float(np.median(np.concatenate([one.ravel() for one in apart]))) if apart else 0.0, 1e-3)
