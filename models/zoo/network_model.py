"""The network as a model: calibrated while it serves, attributed to the wind, kept as weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors import torch as tensors

from hazecast.grids.contract import LEAD_HOURS, QUANTILES
from hazecast.grids.errors import InputError
from hazecast.models.calibration import RollingCalibration
from hazecast.models.events import exceedance
from hazecast.models.files import checked_settings
from hazecast.models.interface import EVENTS, OBSERVED, TARGETS, WEATHER_NAMES, Float, Prediction, Windows, WindowSet
from hazecast.models.training.loop import Run
from hazecast.models.zoo.network import BLIND, INFORMED, Network
from hazecast.models.zoo.network_training import TrainingSettings, fit_network

WEIGHTS_FILE = "network.safetensors"
_BATCH = 512


class NetworkModel:
    """The network behind the model interface, with its rolling calibration.

    Parameters
    ----------
    settings : TrainingSettings, optional
    network : Network, optional
        A trained network.
    run : Run, optional
        Device, precision and state file of the training.
    """

    name = "network"

    def __init__(
        self, settings: TrainingSettings | None = None, network: Network | None = None, run: Run | None = None
    ) -> None:
        self.settings = settings or TrainingSettings()
        self.run = run or Run()
        self.network: Network | None = None
        self._rolling: list[RollingCalibration] = []
        if network is not None:
            self._take(network)

    def _take(self, network: Network) -> None:
        self.network = network.eval()
        self._rolling = [
            RollingCalibration(network.offsets[mode].numpy(), network.shifts[mode].numpy())
            for mode in (BLIND, INFORMED)
        ]

    def _trained(self) -> Network:
        if self.network is None:
            raise RuntimeError("the network has no weights: fit it or load a checkpoint")
        return self.network

    def fit(self, train: WindowSet, *, progress: bool = False) -> None:
        """Train on all of `train`; see `hazecast.models.zoo.network_training.fit_network`.

        Parameters
        ----------
        train : WindowSet
        progress : bool
            Show a bar.
        """
        self._take(fit_network(train, self.settings, self.run, progress=progress))

    def predict(self, windows: Windows) -> Prediction:
        """Forecast every window: with any future weather by the informed ensemble, else by the blind one.

        Raises
        ------
        RuntimeError
            If the network was neither trained nor loaded.
        """
        network = self._trained()
        shape = (len(windows), LEAD_HOURS)
        quantiles = np.empty((*shape, len(TARGETS), len(QUANTILES)), np.float32)
        mean = np.empty((*shape, len(TARGETS)), np.float32)
        events = np.empty((*shape, len(EVENTS)), bool)
        for mode, rows in _by_mode(windows.informed):
            for start in range(0, len(rows), _BATCH):
                some = rows[start : start + _BATCH]
                with torch.inference_mode():
                    z, expected = network.forecast(windows.rows(some), informed=mode == INFORMED)
                quantiles[some], mean[some] = self._rolling[mode].apply(z, expected)
            events[rows] = exceedance(quantiles[rows]) >= network.event_limits[mode].numpy()
        return Prediction(quantiles, mean, events)

    def learn(self, past: Windows, forecast: Prediction) -> None:
        """Follow the errors of verified forecasts; see `hazecast.models.interface.Adaptive`.

        Parameters
        ----------
        past : Windows
            With the targets observed since the call before; the others NaN.
        forecast : Prediction
            What `predict` gave for `past`.
        """
        assert past.target is not None
        self.follow(past.informed, past.target, forecast.quantiles, forecast.mean)

    def follow(self, given: NDArray[np.bool_], target: Float, quantiles: Float, mean: Float, days: float = 1.0) -> None:
        """Follow the errors of forecasts as they were issued.

        Parameters
        ----------
        given : bool (n,)
            Whether each was informed of the coming weather.
        target, mean : float32 (n, lead, 2)
            ug m-3; a target that is not known, or was given before, is NaN.
        quantiles : float32 (n, lead, 2, 5)
            ug m-3.
        days : float
            Time in which the targets became known, in days.
        """
        for mode, rows in _by_mode(given):
            self._rolling[mode].learn(target[rows], quantiles[rows], mean[rows], days)

    @property
    def calibration(self) -> tuple[Float, Float]:
        """Current offsets (2, lead, 2, 5) and shifts (2, lead, 2); blind first, informed second."""
        return np.stack([r.offsets for r in self._rolling]), np.stack([r.shifts for r in self._rolling])

    @calibration.setter
    def calibration(self, state: tuple[Float, Float]) -> None:
        self._rolling = [RollingCalibration(state[0][mode], state[1][mode]) for mode in (BLIND, INFORMED)]

    def save(self, folder: Path) -> dict[str, Any]:
        """Write the weights into `folder` and return what the network is built from, for the model card.

        Raises
        ------
        RuntimeError
            If the network was neither trained nor loaded.
        """
        network = self._trained()
        weights = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
        (folder / WEIGHTS_FILE).write_bytes(tensors.save(weights))
        return {"network": network.options}

    @classmethod
    def load(cls, folder: Path, card: dict[str, Any]) -> Self:
        """Return the model whose weights are in `folder`.

        Parameters
        ----------
        folder : Path
        card : dict
            Its model card; ``network`` holds what the network is built from.

        Returns
        -------
        NetworkModel

        Raises
        ------
        InputError
            If the weights are broken or do not fit the network of the card.
        """
        path = folder / WEIGHTS_FILE
        options = checked_settings(card, "network", folder)
        try:
            network = Network(**options)
            network.load_state_dict(tensors.load(path.read_bytes()))
        except (OSError, SafetensorError, RuntimeError, TypeError, ValueError) as error:
            raise InputError(str(path), error, "the weights of this network") from error
        return cls(network=network)

    def describe(self) -> dict[str, Any]:
        """Return what the model card says of a network after its training: architecture, features, seed."""
        network = self._trained()

        def known(names: tuple[str, ...], seen: torch.Tensor) -> list[str]:
            return [name for name, one in zip(names, seen.tolist(), strict=True) if one]

        return {
            "architecture": "two small ensembles of GRU encoders and decoders, informed of and blind to the coming "
            "weather; quantiles and mean; models/zoo/network.py",
            "parameters": sum(int(p.numel()) for p in network.parameters()),
            "windows_drawn": self.settings.windows,
            "seed": self.settings.seed,
            "features": {
                "observations": known(OBSERVED, network.seen_observed),
                "weather": known(WEATHER_NAMES, network.seen_weather),
                "calendar": ["local hour", "day of the year"],
            },
            "weather": "observed weather, in part with errors that grow with lead time (models/disturbance.py); the "
            "blind ensemble sees none of the future's",
            "limits": "Variables that are not among the features were never seen and are ignored. "
            "The places are those listed; elsewhere the network is extrapolating.",
        }


def _by_mode(given: NDArray[np.bool_]) -> list[tuple[int, NDArray[np.int64]]]:
    found = [(BLIND, np.flatnonzero(~given)), (INFORMED, np.flatnonzero(given))]
    return [(mode, rows) for mode, rows in found if len(rows)]
