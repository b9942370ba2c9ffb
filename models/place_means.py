"""Means by place, learned from one part of the forecasts after the other."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt

from hazecast.models.interface import Float

_FEWEST_PAIRS = 1
_Mean = TypeVar("_Mean", npt.NDArray[np.float32], npt.NDArray[np.float64])
_Kind = TypeVar("_Kind", bound=np.generic)


def grown(array: npt.NDArray[_Kind], rows: int) -> npt.NDArray[_Kind]:
    """Return an array with so many rows, those that are new of zeros.

    Parameters
    ----------
    array : numpy.ndarray (row, ...)
    rows : int
        At least as many as there are.

    Returns
    -------
    numpy.ndarray
    """
    result = np.zeros((rows, *array.shape[1:]), array.dtype)
    result[: len(array)] = array
    return result


class Means:
    """Means of values (n, hours, ...) over windows and hours by place, and where there was any."""

    def __init__(self, *shape: int) -> None:
        self._total, self._count = np.zeros((0, *shape)), np.zeros((0, *shape))

    def make_room(self, places: int) -> None:
        """Let there be rows for so many places."""
        self._total, self._count = grown(self._total, places), grown(self._count, places)

    def add(self, row: npt.NDArray[np.int64], values: Float) -> None:
        """Add values.

        Parameters
        ----------
        row : int64 (n,)
            Of the place of each.
        values : float32 (n, hours, ...)
            NaN where not known.
        """
        valid = np.isfinite(values)
        np.add.at(self._total, row, np.where(valid, values, 0.0).sum(axis=1))
        np.add.at(self._count, row, valid.sum(axis=1))

    def means(self) -> tuple[Float, npt.NDArray[np.bool_]]:
        """Return the means, (place, ...), and where there was any, (place, pollutant); the first row is the pool of all."""
        places, pollutants = self._count.shape[:2]
        there = self._count.reshape(places, pollutants, -1).max(axis=-1) >= _FEWEST_PAIRS
        mean = (self._total / np.maximum(self._count, 1)).astype(np.float32)
        return _with_pool(mean, there)


def _with_pool(mean: _Mean, there: npt.NDArray[np.bool_]) -> tuple[_Mean, npt.NDArray[np.bool_]]:
    """Fill the row of the pool: every place counts the same, however many stations or forecasts it has."""
    share = there[1:].reshape(*there[1:].shape, *[1] * (mean.ndim - 2))
    mean[0] = (mean[1:] * share).sum(axis=0) / np.maximum(share.sum(axis=0), 1)
    there[0] = there[1:].any(axis=0)
    return mean, there


class Products:
    """Mean products of the errors (n, hours, 2, space, expert) of experts by place, and where there was any."""

    def __init__(self, *shape: int) -> None:
        self._total, self._count = np.zeros((0, *shape)), np.zeros((0, shape[0]))

    def make_room(self, places: int) -> None:
        """Let there be rows for so many places."""
        self._total, self._count = grown(self._total, places), grown(self._count, places)

    def add(self, row: npt.NDArray[np.int64], errors: Float) -> None:
        """Add errors.

        Parameters
        ----------
        row : int64 (n,)
            Of the place of each.
        errors : float32 (n, hours, 2, space, expert)
            NaN where not known.
        """
        valid = np.asarray(np.isfinite(errors).all(axis=(-1, -2)))
        filled = np.where(valid[..., None, None], errors, 0.0).astype(np.float64)
        np.add.at(self._total, row, np.einsum("nhpsk,nhpsl->npskl", filled, filled))
        np.add.at(self._count, row, valid.sum(axis=1))

    def means(self) -> tuple[Float, npt.NDArray[np.bool_]]:
        """Return the means, (place, ...), and where there was any, (place, pollutant); the first row is the pool of all."""
        there = self._count >= _FEWEST_PAIRS
        mean, there = _with_pool(self._total / np.maximum(self._count, 1)[..., None, None, None], there)
        return mean.astype(np.float32), there
