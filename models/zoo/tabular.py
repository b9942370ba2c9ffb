"""Peers that learn from tables of features: ridge regression and gradient-boosted trees.

Both are direct: each lead time is forecast from the init time's features, none from another's.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from hazecast.grids.contract import FORECAST_POLLUTANTS, LEAD_HOURS
from hazecast.grids.errors import InputError
from hazecast.grids.extras import requires
from hazecast.models.features import features, names
from hazecast.models.files import load_arrays, save_arrays
from hazecast.models.interface import Float
from hazecast.models.series import Windows, WindowSet
from hazecast.models.training.tuning import Peer

_SEED = 20130112
_BATCH = 512
_ALPHAS = (100.0, 1_000.0, 10_000.0)
# Of each regression: what replaces a missing feature, centre and spread of each, and the weights.
_RIDGE_PARTS = ("fill", "mean", "scale", "weight", "intercept")
_RIDGE_FILE = "ridge.safetensors"
_TREES_FILE = "trees-{}-{}.txt"


class RidgePoint:
    """A ridge regression for each lead time and pollutant, missing features at their mean.

    Parameters
    ----------
    windows : int
        How many training windows to draw.
    """

    def __init__(self, windows: int = 8_000) -> None:
        self._windows = windows
        self._alpha = _ALPHAS[1]
        self._parts: dict[str, NDArray[np.float64]] = {}

    def learn_point(self, train: WindowSet, tune: WindowSet | None, *, progress: bool = False) -> None:
        """Fit, with the penalty that has the least squared error on `tune`.

        Parameters
        ----------
        train : WindowSet
        tune : WindowSet, optional
            Without it the penalty found before is used.
        progress : bool
            Show a bar.
        """
        rows = _drawn(train, self._windows)
        if tune is not None:
            check = tune.batch(_drawn(tune, self._windows // 4), future_weather=True)
            assert check.target is not None
            errors = []
            for self._alpha in _ALPHAS:
                self._fit(train, rows, progress)
                errors.append(float(np.nanmean((self.point(check) - check.target) ** 2)))
            self._alpha = _ALPHAS[int(np.argmin(errors))]
        else:
            self._fit(train, rows, progress)

    def _fit(self, train: WindowSet, rows: NDArray[np.int64], progress: bool) -> None:
        # Only fitting needs scikit-learn; a kept model forecasts without it.
        from sklearn.impute import SimpleImputer
        from sklearn.linear_model import Ridge
        from sklearn.preprocessing import StandardScaler

        windows = train.batch(rows, future_weather=True)
        assert windows.target is not None
        fixed, coming = features(windows)
        shape = (LEAD_HOURS, len(FORECAST_POLLUTANTS))
        width = fixed.shape[-1] + coming.shape[-1]
        self._parts = {name: np.full((*shape, width), np.nan) for name in _RIDGE_PARTS}
        self._parts["intercept"] = np.full((*shape, 1), np.nan)
        for lead in tqdm(range(LEAD_HOURS), desc=f"ridge {self._alpha:g}", unit="h", disable=not progress):
            table = np.concatenate([fixed, coming[:, lead]], axis=1)
            for pollutant in range(len(FORECAST_POLLUTANTS)):
                target = windows.target[:, lead, pollutant]
                valid = np.isfinite(target)
                if not valid.any():
                    continue
                fill, scale, fitted = SimpleImputer(keep_empty_features=True), StandardScaler(), Ridge(self._alpha)
                fitted.fit(scale.fit_transform(fill.fit_transform(table[valid])), target[valid])
                found = (fill.statistics_, scale.mean_, scale.scale_, fitted.coef_, fitted.intercept_)
                for name, values in zip(_RIDGE_PARTS, found, strict=True):
                    self._parts[name][lead, pollutant] = values

    def point(self, windows: Windows) -> Float:
        """Return the mean, float32 (n, lead, 2), ug m-3; NaN for a pollutant that training never held."""
        fixed, coming = features(windows)
        fill, mean, scale, weight, intercept = (self._parts[name] for name in _RIDGE_PARTS)
        result = np.full((len(windows), LEAD_HOURS, len(FORECAST_POLLUTANTS)), np.nan, np.float32)
        for lead in range(LEAD_HOURS):
            table = np.concatenate([fixed, coming[:, lead]], axis=1)
            for pollutant in range(len(FORECAST_POLLUTANTS)):
                here = lead, pollutant
                filled = np.where(np.isfinite(table), table, fill[here])
                result[:, lead, pollutant] = (filled - mean[here]) / scale[here] @ weight[here] + intercept[here]
        return result

    def save(self, folder: Path) -> dict[str, Any]:
        """Write the regressions into `folder`."""
        save_arrays(self._parts, folder / _RIDGE_FILE)
        return {}

    def restore(self, folder: Path, card: dict[str, Any]) -> None:
        """Take on the regressions in `folder`.

        Parameters
        ----------
        folder : Path
        card : dict
            Not used.

        Raises
        ------
        InputError
            If the file is broken.
        """
        self._parts = load_arrays(folder / _RIDGE_FILE, needed=_RIDGE_PARTS)


class TreesPoint:
    """Gradient-boosted trees: an ensemble for each pollutant and group of lead times.

    The lead time is a feature, so each still forecasts its lead times one by one. Groups, because
    what the newest observation tells fades within a day, and with it how many trees are of use.

    Parameters
    ----------
    windows : int
        How many training windows to draw.
    leads : int
        How many lead times to draw of each window and group.
    rounds : int
        At most how many trees; stopped earlier where the tuning windows say so.
    options : dict, optional
        Over the options of LightGBM chosen here.
    """

    # Chosen on 2014-03 to 2015-02 of beijing-multisite, trained on the year before; see docs/backtest.md.
    OPTIONS: dict[str, Any] = {  # noqa: RUF012
        "objective": "regression",
        "learning_rate": 0.05,
        "num_leaves": 31,
        "min_data_in_leaf": 200,
        "feature_fraction": 0.4,
        "bagging_fraction": 0.5,
        "bagging_freq": 1,
        "lambda_l2": 5.0,
        "seed": _SEED,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
    }
    GROUPS = ((1, 6), (7, 24), (25, 72), (73, LEAD_HOURS))

    def __init__(
        self, windows: int = 40_000, leads: int = 2, rounds: int = 500, options: dict[str, Any] | None = None
    ) -> None:
        # Missing, it should stop a backtest before its first model has learnt, not after.
        requires("lightgbm", "train")
        self._windows, self._leads, self._rounds = windows, leads, rounds
        self._options = self.OPTIONS | (options or {})
        self.best: dict[tuple[int, int], int] = {}
        # By group and pollutant, a lightgbm.Booster each.
        self.boosters: dict[tuple[int, int], Any] = {}

    def learn_point(self, train: WindowSet, tune: WindowSet | None, *, progress: bool = False) -> None:
        """Fit, until the squared error on `tune` no longer falls.

        Parameters
        ----------
        train : WindowSet
        tune : WindowSet, optional
            Without it as many trees are grown as were best before.
        progress : bool
            Show a bar.

        Raises
        ------
        MissingExtraError
            If LightGBM is not installed.
        """
        lightgbm = requires("lightgbm", "train")
        tables = self._rows(train, self._windows, progress)
        checks = self._rows(tune, self._windows // 4, progress) if tune is not None else {}
        self.boosters = {}
        for group, (table, target) in tables.items():
            for pollutant in range(len(FORECAST_POLLUTANTS)):
                valid = np.isfinite(target[:, pollutant])
                if not valid.any():
                    continue
                key = (group, pollutant)
                data = lightgbm.Dataset(
                    table[valid], target[valid, pollutant], feature_name=[*names()[0], *names()[1]], free_raw_data=True
                )
                more: dict[str, Any] = {}
                if group in checks and (known := np.isfinite(checks[group][1][:, pollutant])).any():
                    more["valid_sets"] = [
                        data.create_valid(checks[group][0][known], checks[group][1][known, pollutant])
                    ]
                    more["callbacks"] = [lightgbm.early_stopping(40, verbose=False)]
                rounds = self._rounds if tune is not None else self.best.get(key, self._rounds)
                self.boosters[key] = lightgbm.train(self._options, data, num_boost_round=rounds, **more)
                if more:
                    self.best[key] = max(1, self.boosters[key].best_iteration)

    def _rows(self, windows: WindowSet, count: int, progress: bool) -> dict[int, tuple[Float, Float]]:
        """Return for each group a table (rows, features) and targets (rows, 2), windows and lead times at random."""
        random = np.random.default_rng(_SEED)
        rows = _drawn(windows, count)
        tables: dict[int, list[Float]] = {group: [] for group in range(len(self.GROUPS))}
        targets: dict[int, list[Float]] = {group: [] for group in tables}
        for start in tqdm(range(0, len(rows), _BATCH), desc="features", unit="batch", disable=not progress):
            batch = windows.batch(rows[start : start + _BATCH], future_weather=True)
            assert batch.target is not None
            fixed, coming = features(batch)
            window = np.repeat(np.arange(len(batch)), self._leads)
            for group, (first, last) in enumerate(self.GROUPS):
                lead = random.integers(first - 1, last, len(window))
                tables[group].append(np.concatenate([fixed[window], coming[window, lead]], axis=1))
                targets[group].append(batch.target[window, lead])
        return {group: (np.concatenate(tables[group]), np.concatenate(targets[group])) for group in tables}

    def point(self, windows: Windows) -> Float:
        """Return the mean, float32 (n, lead, 2), ug m-3; NaN for a pollutant that training never held."""
        fixed, coming = features(windows)
        result = np.full((len(windows), LEAD_HOURS, len(FORECAST_POLLUTANTS)), np.nan, np.float32)
        for group, (first, last) in enumerate(self.GROUPS):
            leads = slice(first - 1, last)
            inside = coming[:, leads]
            table = np.concatenate(
                [np.repeat(fixed, inside.shape[1], axis=0), inside.reshape(-1, inside.shape[-1])], axis=1
            )
            for pollutant in range(len(FORECAST_POLLUTANTS)):
                if (group, pollutant) in self.boosters:
                    found = np.asarray(self.boosters[group, pollutant].predict(table))
                    result[:, leads, pollutant] = found.reshape(len(windows), -1)
        return result

    def save(self, folder: Path) -> dict[str, Any]:
        """Write each ensemble into `folder` in LightGBM's text format; returns which there are."""
        for (group, pollutant), booster in self.boosters.items():
            booster.save_model(folder / _TREES_FILE.format(group, pollutant))
        return {"ensembles": sorted(self.boosters)}

    def restore(self, folder: Path, card: dict[str, Any]) -> None:
        """Take on the ensembles in `folder`.

        Parameters
        ----------
        folder : Path
        card : dict
            Names them.

        Raises
        ------
        InputError
            If a file is broken.
        MissingExtraError
            If LightGBM is not installed.
        """
        lightgbm = requires("lightgbm", "train")
        try:
            for group, pollutant in card["ensembles"]:
                path = folder / _TREES_FILE.format(int(group), int(pollutant))
                self.boosters[int(group), int(pollutant)] = lightgbm.Booster(model_file=path)
        except (KeyError, TypeError, ValueError, lightgbm.basic.LightGBMError) as error:
            raise InputError(str(folder), error, "the ensembles of trees that the model card names") from error


def _drawn(windows: WindowSet, count: int) -> NDArray[np.int64]:
    rows = np.arange(len(windows))
    if len(rows) <= count:
        return rows
    return np.sort(np.random.default_rng(_SEED).choice(rows, count, replace=False))


class RidgeModel(Peer):
    """Ridge regression on the features of `hazecast.models.features`; see `hazecast.models.training.tuning.Peer`."""

    name = "ridge"

    def __init__(self, **settings: Any) -> None:
        super().__init__(RidgePoint(**settings), _SEED)


class TreesModel(Peer):
    """LightGBM on the features of `hazecast.models.features`; see `hazecast.models.training.tuning.Peer`."""

    name = "lightgbm"

    def __init__(self, **settings: Any) -> None:
        super().__init__(TreesPoint(**settings), _SEED)
