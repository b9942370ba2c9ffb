"""The least-squares problem of positive matrix factorization, on plain arrays.

X (sample, species) is factorized into non-negative G (sample, factor) and F (factor, species) that minimise the
sum of squared residuals over their uncertainties. Alternating and quasi-Newton schemes converge slowly here
(thousands of steps), since the objective is nearly flat along exchanges between G and F. The steps below are damped
Gauss-Newton steps (Levenberg-Marquardt) for G and F together; G is eliminated sample by sample (a Schur
complement), so a step costs one system of factors x species. Elements at zero with a positive gradient are fixed
there (Bertsekas 1982, SIAM J. Control Optim. 20:221).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
# Scaled residuals beyond this count linearly: "outlier threshold distance" of EPA PMF.
OUTLIER = 4.0
_STEPS = 300
# Converged when three consecutive steps each reduce Q by less than this share.
_TOLERANCE = 3e-6
# A step with more damping than this is short for that alone, and its gain tells nothing of how near the minimum is.
_LIGHT = 1e-2
# A response that is so many times as wide as that of the element alone is not taken as linear.
_LINEAR = 20.0


@dataclass(frozen=True)
class Pull:
    """Soft constraint of the mean contribution of a factor to a species to `target`; `strength` is 1 / variance."""

    factor: int
    species: int
    target: float
    strength: float


@dataclass(frozen=True)
class Solution:
    """G (sample, factor) with a mean of one for each factor, F (factor, species), and the robust Q without pulls."""

    g: Array
    f: Array
    q: float
    steps: int
    converged: bool


def robust_q(residual: Array, threshold: float = OUTLIER) -> float:
    """Compute Q with residuals beyond the threshold counted linearly (Huber's function).

    Parameters
    ----------
    residual : float array
        Scaled residuals, in uncertainties.
    threshold : float
        Beyond it a residual counts linearly.

    Returns
    -------
    float
        Sum over all elements.
    """
    size = np.abs(residual)
    return float(np.where(size > threshold, threshold * (2 * size - threshold), size**2).sum())


def epa_robust_q(residual: Array) -> float:
    """Compute the robust Q that EPA PMF reports: of residuals beyond `OUTLIER` that many times their size.

    EPA PMF 5.0 User Guide, chapter 6 (robust mode, outlier distance 4), in the form that the field's other programs give
    it; below `robust_q`, since |r| is then weighted once.

    Parameters
    ----------
    residual : float array
        Scaled residuals, in uncertainties.

    Returns
    -------
    float
        Sum over all elements.
    """
    size = np.abs(residual)
    return float(np.where(size > OUTLIER, OUTLIER * size, size**2).sum())


def solve(
    x: Array,
    u: Array,
    g: Array,
    f: Array,
    *,
    zeros: NDArray[np.bool_] | None = None,
    pulls: Sequence[Pull] = (),
    sweeps: int = 0,
    threshold: float = OUTLIER,
    settled: float | None = None,
) -> Solution:
    """Find the local minimum of robust Q from a start.

    Parameters
    ----------
    x, u : float (sample, species)
        Data and uncertainties, > 0.
    g : float (sample, factor)
        Start of the contributions, non-negative.
    f : float (factor, species)
        Start of the profiles, non-negative.
    zeros : bool (factor, species), optional
        Elements of F constrained to zero.
    pulls : sequence of Pull
        Soft constraints.
    sweeps : int
        Initial rounds of alternating least squares, for a start far from the minimum.
    threshold : float
        Of `robust_q`.
    settled : float, optional
        Of a start near its minimum: the first step that gains less Q than this is the last.

    Returns
    -------
    Solution
        Contributions, profiles and robust Q.
    """
    scale = np.median(u, axis=0)
    problem = _Problem(x / scale, scale / u, zeros, tuple(pulls), threshold, scale)
    g, f = problem.swept(g.copy(), f / scale, sweeps)
    residual, value = problem.value(g, f)
    damping, idle, step = 1e-2 if settled is None else 1e-3, 0, 0
    for step in range(1, _STEPS + 1):  # noqa: B007
        norm = np.sqrt(np.maximum((g**2).mean(axis=0), 1e-300))
        g, f = g / norm, f * norm[:, None]
        taken = problem.step(g, f, residual, value, damping)
        if taken is None:
            idle = 3
            break
        before = value
        g, f, residual, better, damping = taken
        idle = idle + 1 if value - better < _TOLERANCE * max(value, 1.0) else 0
        value = better
        if settled is not None and before - better < settled and damping < _LIGHT:
            idle = 3
        if idle >= 3:
            break
    mean = np.where(g.mean(axis=0) > 0, g.mean(axis=0), 1.0)
    return Solution(g / mean, f * mean[:, None] * scale, robust_q(residual * problem.root, threshold), step, idle >= 3)


@dataclass(frozen=True)
class Response:
    """How a solution moves when one element of the profiles is displaced, to first order.

    Attributes
    ----------
    spread : float
        Displacement at which Q has risen by 1, in the unit of the species.
    alone : float
        The same with all other elements fixed: the standard error from the species' own uncertainties.
    g : float (sample, factor)
        Change of the contributions for a displacement of one unit.
    f : float (factor, species)
        Change of the profiles for it.
    """

    spread: float
    alone: float
    g: Array
    f: Array


def responses(
    x: Array,
    u: Array,
    g: Array,
    f: Array,
    elements: Sequence[tuple[int, int]],
    *,
    zeros: NDArray[np.bool_] | None = None,
) -> list[Response]:
    """Compute how a solution responds to the displacement of elements of its profiles.

    Of all changes that displace the mean contribution of a factor to a species by d, the one that costs least Q is d H⁻¹r / c and costs
    d² / c, where H is the Gauss-Newton matrix, r the gradient of the mean contribution and c = rᵀH⁻¹r.

    Parameters
    ----------
    x, u : float (sample, species)
        Data and uncertainties.
    g, f : float (sample, factor), (factor, species)
        The solution, contributions with a mean of one.
    elements : sequence of (int, int)
        Factor and species of each.
    zeros : bool (factor, species), optional
        Elements constrained to zero.

    Returns
    -------
    list of Response
        One an element. Where others would have to move so far that they meet zero soon, the element alone, with four times its spread.
    """
    scale = np.median(u, axis=0)
    problem = _Problem(x / scale, scale / u, zeros, (), OUTLIER, scale)
    system = _System(problem, g, f / scale, problem.value(g, f / scale)[0])
    rows = [_row(g, f / scale, factor, species) for factor, species in elements]
    found = []
    for (k, j), row, (moved_g, moved_f) in zip(elements, rows, system.solved(rows, 1e-8), strict=True):
        cost, alone = _product(row, (moved_g, moved_f)), 1 / np.sqrt(max(float(system.c[j, k, k]), 1e-300))
        if system.fixed_f[k, j] or not 0 < cost < (_LINEAR * alone) ** 2:
            moved_g, moved_f, cost = np.zeros_like(g), np.zeros_like(f), (4 * alone) ** 2
            moved_f[k, j] = cost
        size = cost * scale[j]
        found.append(
            Response(float(np.sqrt(cost) * scale[j]), float(alone * scale[j]), moved_g / size, moved_f * scale / size)
        )
    return found


class _Problem:
    """Data scaled so that the uncertainties of each species are about one."""

    def __init__(
        self,
        x: Array,
        root: Array,
        zeros: NDArray[np.bool_] | None,
        pulls: tuple[Pull, ...],
        threshold: float,
        scale: Array,
    ) -> None:
        self.x, self.root, self.zeros, self.threshold = x, root, zeros, threshold
        self.pulls = [
            Pull(p.factor, p.species, p.target / scale[p.species], p.strength * scale[p.species] ** 2) for p in pulls
        ]

    def swept(self, g: Array, f: Array, sweeps: int) -> tuple[Array, Array]:
        """Improve a start by hierarchical alternating least squares (Cichocki and Phan 2009), weighted."""
        if self.zeros is not None:
            f = np.where(self.zeros, 0.0, f)
        weight = self.root**2
        for number in range(sweeps):
            if number == sweeps // 2:
                self._revive(g, f)
            for k in range(len(f)):
                partial = self.x - g @ f + np.outer(g[:, k], f[k])
                g[:, k] = np.maximum(0, (weight * partial) @ f[k] / np.maximum(weight @ f[k] ** 2, 1e-12))
            for k in range(len(f)):
                partial = self.x - g @ f + np.outer(g[:, k], f[k])
                row = np.maximum(0, g[:, k] @ (weight * partial) / np.maximum(g[:, k] ** 2 @ weight, 1e-12))
                f[k] = row if self.zeros is None else np.where(self.zeros[k], 0.0, row)
        return g, f

    def _revive(self, g: Array, f: Array) -> None:
        """Reset a factor that has vanished, and would stay zero, to the residual of the worst explained sample."""
        for k in np.flatnonzero((g.max(axis=0) <= 0) | (f.max(axis=1) <= 0)):
            residual = np.maximum(self.x - g @ f, 0.0)
            worst = int(((residual * self.root) ** 2).sum(axis=1).argmax())
            f[k] = residual[worst] if self.zeros is None else np.where(self.zeros[k], 0.0, residual[worst])
            g[:, k] = 0.1

    def value(self, g: Array, f: Array) -> tuple[Array, float]:
        residual = g @ f - self.x
        penalty = sum(p.strength * (g[:, p.factor].mean() * f[p.factor, p.species] - p.target) ** 2 for p in self.pulls)
        return residual, robust_q(residual * self.root, self.threshold) + float(penalty)

    def step(
        self, g: Array, f: Array, residual: Array, value: float, damping: float
    ) -> tuple[Array, Array, Array, float, float] | None:
        """Return G, F, residual, value and damping after one step, or None if no step helps."""
        system = _System(self, g, f, residual)
        while damping < 1e9:
            dg, df = system.direction(damping)
            for length in (1.0, 0.5):
                new_g, new_f = np.maximum(0, g + length * dg), np.maximum(0, f + length * df)
                new_residual, new_value = self.value(new_g, new_f)
                if new_value < value:
                    return new_g, new_f, new_residual, new_value, max(damping / 10, 1e-9)
            damping = max(damping * 10, 1e-6)
        return None


class _System:
    """The normal equations at one point, without the elements that are fixed at zero.

    The block that couples G and F is never formed: its element (sample i, factor k; species j, factor l) is the product
    ``w_ij f_kj g_il``, so that the Schur complement is a sum over samples of outer products.
    """

    def __init__(self, problem: _Problem, g: Array, f: Array, residual: Array) -> None:
        size = np.abs(residual) * problem.root
        limit = problem.threshold
        w = problem.root**2 * np.where(size > limit, limit / np.maximum(size, limit), 1.0)
        self.g, self.f, self.w = g, f, w
        (samples, factors), species = g.shape, f.shape[1]
        self.shape = samples, factors, species
        grad_g, grad_f = (w * residual) @ f.T, g.T @ (w * residual)
        self.rows: list[tuple[Array, Array, float]] = []
        for pull in problem.pulls:
            row_g, row_f = _row(g, f, pull.factor, pull.species)
            off = g[:, pull.factor].mean() * f[pull.factor, pull.species] - pull.target
            grad_g, grad_f = grad_g + pull.strength * off * row_g, grad_f + pull.strength * off * row_f
            self.rows.append((row_g, row_f, pull.strength))
        self.fixed_g = (g <= 0) & (grad_g > 0)
        self.fixed_f = (f <= 0) & (grad_f > 0)
        if problem.zeros is not None:
            self.fixed_f |= problem.zeros
        self.grad_g, self.grad_f = np.where(self.fixed_g, 0, grad_g), np.where(self.fixed_f, 0, grad_f)
        squares_f = np.einsum("kj,lj->jkl", f, f).reshape(species, -1)
        self.squares_g = np.einsum("ik,il->ikl", g, g).reshape(samples, -1)
        self.a = (w @ squares_f).reshape(samples, factors, factors)
        self.c = (w.T @ self.squares_g).reshape(species, factors, factors)

    def direction(self, damping: float) -> tuple[Array, Array]:
        """Return the step in G and F; pulls couple all samples and enter by the Woodbury formula."""
        right = [(self.grad_g, self.grad_f), *((row_g, row_f) for row_g, row_f, _ in self.rows)]
        (base_g, base_f), *extra = self.solved(right, damping)
        if not extra:
            return -base_g, -base_f
        inner = np.array([[_product(row, vector) for vector in extra] for row in right[1:]])
        inner += np.diag([1.0 / strength for _, _, strength in self.rows])
        share = np.linalg.solve(inner, np.array([_product(row, (base_g, base_f)) for row in right[1:]]))
        dg = base_g - sum(s * vector[0] for s, vector in zip(share, extra, strict=True))
        df = base_f - sum(s * vector[1] for s, vector in zip(share, extra, strict=True))
        return -dg, -df

    def solved(self, right: Sequence[tuple[Array, Array]], damping: float) -> list[tuple[Array, Array]]:
        """Solve the damped equations for right-hand sides (G, F); fixed elements get 0."""
        samples, factors, species = self.shape
        free_g, free_f = ~self.fixed_g, ~self.fixed_f
        inverse = np.linalg.inv(_damped(self.a, damping, self.fixed_g))
        inverse *= free_g[:, :, None] * free_g[:, None, :]
        half = self.f * self.w[:, None, :]
        outer = (half.transpose(0, 2, 1) @ (inverse @ half)).reshape(samples, species * species)
        coupled = (outer.T @ self.squares_g).reshape(species, species, factors, factors).transpose(0, 2, 1, 3)
        schur = -coupled.reshape(species * factors, species * factors) * np.outer(free_f.T, free_f.T)
        blocks = _damped(self.c, damping, self.fixed_f.T)
        for j in range(species):
            part = slice(j * factors, (j + 1) * factors)
            schur[part, part] += blocks[j]
        schur[np.diag_indices(len(schur))] += 1e-12 * np.abs(schur.diagonal()).mean()
        tops = [np.einsum("ikl,il->ik", inverse, row_g) for row_g, _ in right]
        sides = [row_f - self.g.T @ (self.w * (top @ self.f)) for (_, row_f), top in zip(right, tops, strict=True)]
        found = np.linalg.solve(schur, np.stack([(side * free_f).T.ravel() for side in sides], axis=1))
        solved = []
        for number, top in enumerate(tops):
            df = found[:, number].reshape(species, factors).T
            moved = (self.w * (self.g @ df)) @ self.f.T
            solved.append((top - np.einsum("ikl,il->ik", inverse, moved), df))
        return solved


def _row(g: Array, f: Array, factor: int, species: int) -> tuple[Array, Array]:
    """Return the gradient in G and F of the mean contribution of a factor to a species."""
    row_g, row_f = np.zeros_like(g), np.zeros_like(f)
    row_g[:, factor], row_f[factor, species] = f[factor, species] / len(g), g[:, factor].mean()
    return row_g, row_f


def _product(row: tuple[Array, Array], vector: tuple[Array, Array]) -> float:
    return float((row[0] * vector[0]).sum() + (row[1] * vector[1]).sum())


def _damped(blocks: Array, damping: float, fixed: NDArray[np.bool_]) -> Array:
    """Add damping to the diagonals (block, k, k); rows and columns of fixed elements become unit vectors."""
    unit = np.eye(blocks.shape[1])
    diagonal = np.maximum(np.einsum("bkk->bk", blocks), 1e-10)
    free = ~fixed
    open_part = (blocks + damping * diagonal[:, :, None] * unit) * free[:, :, None] * free[:, None, :]
    return np.asarray(open_part + unit * fixed[:, :, None] + 1e-12 * unit)
