"""The convex combination with the least error, for many matrices of errors at once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hazecast.models.interface import Float

ITERATIONS = 60


def least_error(moments: Float) -> Float:
    """Minimise w' M w over the simplex, for many matrices at once.

    By accelerated projected gradients (Beck and Teboulle 2009, SIAM J. Imaging Sci. 2:183), with the projection of Wang
    and Carreira-Perpinan 2013 (arXiv:1309.1541).

    Parameters
    ----------
    moments : float32 (..., k, k)
        Symmetric, positive semidefinite.

    Returns
    -------
    float32 (..., k)

    Examples
    --------
    >>> least_error(np.array([[1.0, 0.0], [0.0, 3.0]], np.float32)).round(3).tolist()
    [0.75, 0.25]
    """
    size = moments.shape[-1]
    flat = moments.reshape(-1, size, size).astype(np.float64)
    step = 1.0 / np.maximum(np.trace(flat, axis1=1, axis2=2), 1e-12)[:, None]
    weights = np.full(flat.shape[:2], 1.0 / size)
    ahead, momentum = weights, 1.0
    for _ in range(ITERATIONS):
        moved = _on_simplex(ahead - step * np.einsum("bkl,bl->bk", flat, ahead))
        following = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        ahead = moved + (momentum - 1) / following * (moved - weights)
        weights, momentum = moved, following
    return weights.reshape(moments.shape[:-1]).astype(np.float32)


def _on_simplex(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    ordered = np.sort(values, axis=1)[:, ::-1]
    total = np.cumsum(ordered, axis=1) - 1.0
    count = np.arange(1, values.shape[1] + 1)
    positive = (ordered - total / count > 0).sum(axis=1)
    threshold = total[np.arange(len(values)), positive - 1] / positive
    return np.asarray(np.maximum(values - threshold[:, None], 0.0))
