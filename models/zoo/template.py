"""A model to copy: the usual value of the hour, to which the newest observation adds less and less.

Copy this file into a package of your own, change the name of the class and of the model, and declare it::

    [project.entry-points."hazecast.models"]
    my_model = "my_package.my_module:MyModel"

From then on ``hazecast backtest --models my_model`` scores it, `hazecast.services.research.lab` trains and registers it,
and ``hazecast models promote`` puts it into service. `fit`, `predict` and `name` suffice for a backtest; `save` and
`load` are needed to register and serve it. The optional abilities are the protocols of `hazecast.models.interface`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import numpy as np

from hazecast.grids.contract import LEAD_HOURS, QUANTILES
from hazecast.models.experts import last_observed
from hazecast.models.features import mean_of
from hazecast.models.files import load_arrays, save_arrays
from hazecast.models.interface import Float, Prediction
from hazecast.models.series import TARGETS, Windows, WindowSet

_SAMPLE = 5_000
_FILE = "template.safetensors"


class TemplateModel:
    """The mean of the hour of the day, and a share of how far the newest observation is from it.

    Examples
    --------
    >>> from hazecast.models.interface import KeptModel
    >>> isinstance(TemplateModel(), KeptModel)
    True
    """

    # The name of the entry point too.
    name = "template"

    def __init__(self) -> None:
        # All that `fit` learns. Shapes: (lead, pollutant), (lead, pollutant, quantile), (pollutant,).
        self.share: Float = np.zeros((LEAD_HOURS, len(TARGETS)), np.float32)
        self.errors: Float = np.zeros((LEAD_HOURS, len(TARGETS), len(QUANTILES)), np.float32)
        self.default: Float = np.zeros(len(TARGETS), np.float32)

    def fit(self, train: WindowSet, *, progress: bool = False) -> None:
        """Learn by least squares how fast the newest observation loses its worth, and the quantiles of the errors.

        Parameters
        ----------
        train : WindowSet
            `train.batch` cuts the windows of some rows; there are too many to cut at once.
        progress : bool
            Show a bar; this model is too quick for one.
        """
        rows = np.random.default_rng(0).integers(0, len(train), min(len(train), _SAMPLE))
        windows = train.batch(rows, future_weather=False)
        assert windows.target is not None
        self.default = np.nan_to_num(mean_of(windows.target.reshape(-1, len(TARGETS)), axis=0))
        usual, newest = self._anchors(windows)
        # NaN marks what was not observed: such pairs teach nothing.
        departure, target = newest - usual, windows.target - usual
        known = np.isfinite(departure) & np.isfinite(target)
        x, y = np.where(known, departure, 0.0), np.where(known, target, 0.0)
        self.share = ((x * y).sum(axis=0) / np.maximum((x * x).sum(axis=0), 1e-6)).astype(np.float32)
        errors = np.where(known, y - self.share * x, 0.0)
        self.errors = np.moveaxis(np.quantile(errors, QUANTILES, axis=0), 0, -1).astype(np.float32)

    def predict(self, windows: Windows) -> Prediction:
        """Forecast every window from its history alone; `windows.future_weather` would hold the coming weather.

        Returns
        -------
        Prediction
            float32 and finite, not negative, the quantiles ascending, in ug m-3.
        """
        usual, newest = self._anchors(windows)
        mean = np.maximum(usual + self.share * (newest - usual), 0.0).astype(np.float32)
        quantiles = np.maximum(mean[..., None] + self.errors, 0.0).astype(np.float32)
        return Prediction(quantiles, mean)

    def save(self, folder: Path) -> dict[str, Any]:
        """Write what was learned into `folder`; what is returned goes into the model card."""
        save_arrays({"share": self.share, "errors": self.errors, "default": self.default}, folder / _FILE)
        return {}

    @classmethod
    def load(cls, folder: Path, card: dict[str, Any]) -> Self:
        """Return the model that `save` wrote.

        Parameters
        ----------
        folder : Path
        card : dict
            The model card, with what `save` returned.

        Returns
        -------
        TemplateModel

        Raises
        ------
        InputError
            If the file is broken.
        """
        arrays = load_arrays(folder / _FILE, needed=("share", "errors", "default"))
        model = cls()
        model.share, model.errors, model.default = arrays["share"], arrays["errors"], arrays["default"]
        return model

    def _anchors(self, windows: Windows) -> tuple[Float, Float]:
        """Return the usual value of each lead time's hour (n, lead, 2), and the newest observation (n, 1, 2)."""
        history = windows.history_obs[..., list(TARGETS)]
        days = mean_of(history.reshape(len(history), -1, 24, len(TARGETS)))
        usual = np.tile(np.where(np.isfinite(days), days, self.default), (1, LEAD_HOURS // 24, 1))
        newest = last_observed(history)
        return usual, np.where(np.isfinite(newest), newest, self.default)[:, None]
