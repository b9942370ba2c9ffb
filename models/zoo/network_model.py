"""The network as a model: forecasts, its sensitivity to the wind, kept as weights."""

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
from hazecast.models.events import exceedance
from hazecast.models.familiarity import training_range
from hazecast.models.files import checked_settings
from hazecast.models.interface import EVENTS, Float, Prediction
from hazecast.models.scaling import decode_concentration
from hazecast.models.series import OBSERVED, TARGETS, WEATHER_NAMES, Windows, WindowSet
from hazecast.models.training.loop import Run
from hazecast.models.zoo.combined import trained_pool
from hazecast.models.zoo.network import BLIND, INFORMED, Network
from hazecast.models.zoo.network_inputs import level_and_spread
from hazecast.models.zoo.network_training import TrainingSettings, fit_network

WEIGHTS_FILE = "network.safetensors"
_BATCH = 512


class NetworkModel:
    """The network behind the model interface.

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
        if network is not None:
            self._take(network)

    def _take(self, network: Network) -> None:
        self.network = network.eval()

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
        network, held = fit_network(train, self.settings, self.run, progress=progress)
        self._take(network)
        network.familiar = torch.from_numpy(training_range(train, self.settings.seed))
        if len(held):
            pool = trained_pool(self, held)
            network.pool_moments, network.pool_offsets = (torch.from_numpy(pool[n]) for n in ("moments", "offsets"))

    @property
    def pool(self) -> dict[str, Float]:
        """Where a combination with other experts begins; see `hazecast.models.interface.TrainedPool`."""
        network = self.network
        if network is None:
            return {}
        return {"moments": network.pool_moments.numpy(), "offsets": network.pool_offsets.numpy()}

    @property
    def familiar(self) -> Float:
        """The range of the inputs in training; see `hazecast.models.familiarity.training_range`."""
        return self._trained().familiar.numpy()

    @property
    def event_limits(self) -> Float:
        """Probabilities from which events are called, (2, lead, 6); see `hazecast.models.interface.EventLimits`."""
        return (
            np.full((2, LEAD_HOURS, len(EVENTS)), 0.5, np.float32)
            if self.network is None
            else self.network.event_limits.numpy()
        )

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
                part = windows.rows(some)
                with torch.inference_mode():
                    z, expected = network.forecast(part, informed=mode == INFORMED)
                z = torch.sort(z + network.offsets[mode], dim=-1).values
                level, spread = (value[..., None] for value in level_and_spread(part))
                quantiles[some] = decode_concentration(z, level, spread).clamp(min=0.0).numpy()
                mean[some] = expected.numpy()
            events[rows] = exceedance(quantiles[rows]) >= network.event_limits[mode].numpy()
        return Prediction(quantiles, mean, events)

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
            "weather": "observed weather, made to err as a forecast does in nearly half of the windows "
            "(models/weather_errors.py); the blind ensemble sees none of the future's",
            "limits": "Variables that are not among the features were never seen and are ignored. Concentrations enter as "
            "ratios to the place's own level; docs/skill.md scores places that training never held.",
        }


def _by_mode(given: NDArray[np.bool_]) -> list[tuple[int, NDArray[np.int64]]]:
    found = [(BLIND, np.flatnonzero(~given)), (INFORMED, np.flatnonzero(given))]
    return [(mode, rows) for mode, rows in found if len(rows)]
