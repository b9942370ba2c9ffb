"""The registry: which trained models an installation has, the history of those in service, and the one in service now.

Nothing here imports a model before its weights are loaded.
"""

from __future__ import annotations

import json
import logging
import re
import shutil
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from filelock import FileLock

from hazecast.grids.errors import InputError
from hazecast.grids.times import format_time
from hazecast.models import checkpoint
from hazecast.models.gate import Verdict
from hazecast.models.interface import KeptModel, Model
from hazecast.models.trained import TrainedModel, model_in, models_in, newest_shipped, shipped_models

log = logging.getLogger(__name__)

HISTORY_FILE = "in_service.json"
# The id of what stands in where no trained model can be loaded: the name of `hazecast.models.zoo.recent_days.RecentDays`.
NO_TRAINED_MODEL = "recent_days"

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


@dataclass(frozen=True)
class Change:
    """One entry of the history: which model came into service, in place of which, when, by whom and why.

    `gate` is what the gate said of a promotion (`hazecast.models.gate`), "forced" before it where it was overruled; empty
    for a rollback, and in entries older than the gate.
    """

    action: str
    model_id: str
    previous: str
    at: str
    by: str
    why: str
    gate: str = ""


class ModelRegistry:
    """The shipped models, those of one installation, and which of them is in service.

    Models are folders named by their id. The model in service follows from the history in
    ``in_service.json``, which is replaced atomically at each change; without a history it is the shipped model
    with the newest training period.

    Parameters
    ----------
    folder : Path
        Where the installation's own models and the history live; need not exist.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def models(self) -> list[TrainedModel]:
        """Return all models, the newest training period first."""
        found = models_in(self.folder) + shipped_models()
        return sorted(found, key=lambda model: (model.trained_until, model.model_id), reverse=True)

    def get(self, model_id: str) -> TrainedModel:
        """Return a model.

        Raises
        ------
        InputError
            If there is none with this id, or its card is broken.
        """
        found = {model.model_id: model for model in self.models()}
        if model_id in found:
            return found[model_id]
        if _ID.fullmatch(model_id) and (self.folder / model_id).is_dir():
            return model_in(self.folder / model_id, shipped=False)
        raise InputError("model", model_id, f"one of {sorted(found)}")

    def register(self, source: Path, scores: dict[str, Any] | None = None) -> TrainedModel:
        """Copy the checkpoint in `source` into the registry; a second time changes nothing.

        Parameters
        ----------
        source : Path
            Folder with a model's files and card, as training writes it.
        scores : dict, optional
            Put into the card as ``scores``.

        Returns
        -------
        TrainedModel
            The copy; it serves only once it is promoted.

        Raises
        ------
        InputError
            If the checkpoint is broken, or another model has its id.
        """
        _, card = checkpoint.load(source)
        model_id = str(card["model_id"])
        if not _ID.fullmatch(model_id):
            raise InputError(f"{source}: model_id", model_id, "letters, digits, '.', '_' and '-', at most 128")
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._lock():
            known = {model.model_id: model for model in self.models()}
            if model_id in known:
                if known[model_id].card["weights_sha256"] != card["weights_sha256"]:
                    raise InputError("model", f"{model_id} with other weights", "an id that is not taken")
                if scores is not None and not known[model_id].shipped:
                    checkpoint.write_card(known[model_id].card | {"scores": scores}, known[model_id].folder)
                return self.get(model_id)
            part = self.folder / f".{model_id}.part"
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir()
            checkpoint.copy(source, part, {} if scores is None else {"scores": scores})
            part.rename(self.folder / model_id)
        return self.get(model_id)

    def history(self) -> list[Change]:
        """Return the changes of the model in service, oldest first.

        Raises
        ------
        InputError
            If the file is broken.
        """
        path = self.folder / HISTORY_FILE
        if not path.exists():
            return []
        try:
            return [Change(**entry) for entry in json.loads(path.read_text(encoding="utf-8"))["history"]]
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise InputError(
                str(path), repr(error), "a JSON object with the history of the model in service"
            ) from error

    def in_service(self) -> TrainedModel:
        """Return the model that the service forecasts with.

        Raises
        ------
        InputError
            If it is gone, or its card is broken.
        """
        before = self._stack()
        return self.get(before[-1]) if before else newest_shipped()

    def promote(
        self, model_id: str, *, by: str, why: str, at: datetime, verdict: Verdict | None = None, force: bool = False
    ) -> Change:
        """Put a model into service that passed the gate, after its weights were loaded once.

        Parameters
        ----------
        model_id : str
        by, why : str
            Who decides and for what reason; kept in the history.
        at : datetime
            Aware.
        verdict : Verdict, optional
            What the gate said of this model against the one in service; kept in the history.
        force : bool
            Promote it all the same if it did not pass, or was not examined; kept in the history too.

        Returns
        -------
        Change

        Raises
        ------
        InputError
            If the model is unknown, broken or in service already, did not pass the gate and is not forced, or `by` or
            `why` is empty.
        """
        self.get(model_id).load()
        with self._lock():
            present = self.in_service().model_id
            if model_id == present:
                raise InputError("model", model_id, "one that is not in service already")
            passed, said = _judged(verdict, model_id, present)
            if not passed and not force:
                raise InputError(f"gate: {model_id}", said, "a model that passes, or to force it and say why")
            return self._append("promote", model_id, present, by, why, at, said if passed else f"forced: {said}")

    def rollback(self, *, by: str, why: str, at: datetime) -> Change:
        """Put the model back into service that the present one replaced.

        Parameters
        ----------
        by, why : str
            Who decides and for what reason; kept in the history.
        at : datetime
            Aware.

        Returns
        -------
        Change

        Raises
        ------
        InputError
            If there is none, it is gone or broken, or `by` or `why` is empty.
        """
        with self._lock():
            before = self._stack()
            if len(before) < 2:
                raise InputError("rollback", "no earlier model", "a model that was in service before")
            self.get(before[-2]).load()
            return self._append("rollback", before[-2], before[-1], by, why, at)

    def _stack(self) -> list[str]:
        """Return the models that a chain of rollbacks would bring back, the present one last."""
        stack: list[str] = []
        for change in self.history():
            if change.action == "rollback":
                stack.pop()
            else:
                stack = [*(stack or [change.previous]), change.model_id]
        return stack

    def _append(
        self, action: str, model_id: str, previous: str, by: str, why: str, at: datetime, gate: str = ""
    ) -> Change:
        for name, text in (("by", by), ("why", why)):
            if not text.strip():
                raise InputError(name, repr(text), "who decides and why: both are kept in the history")
        change = Change(action, model_id, previous, format_time(at.replace(microsecond=0)), by, why, gate)
        content = {"history": [asdict(entry) for entry in (*self.history(), change)]}
        part = self.folder / (HISTORY_FILE + ".part")
        part.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        part.replace(self.folder / HISTORY_FILE)
        return change

    def _lock(self) -> FileLock:
        self.folder.mkdir(parents=True, exist_ok=True)
        return FileLock(self.folder / ".lock")


def _judged(verdict: Verdict | None, model_id: str, present: str) -> tuple[bool, str]:
    """Return whether a verdict lets a model take the place of the one in service, and what it says."""
    if verdict is None:
        return False, "was not examined"
    if (verdict.candidate, verdict.other) != (model_id, present):
        return False, f"was not examined against {present}, which is in service"
    return verdict.passed, str(verdict)


def load_trained(registry: ModelRegistry | None = None) -> tuple[KeptModel, str]:
    """Load the model in service.

    Parameters
    ----------
    registry : ModelRegistry, optional
        By default the newest shipped model is loaded.

    Returns
    -------
    model : KeptModel
    model_id : str

    Raises
    ------
    InputError
        If the model is gone or broken, or its kind is not installed.
    """
    model = registry.in_service() if registry is not None else newest_shipped()
    return model.load(), model.model_id


def load_serving(registry: ModelRegistry) -> tuple[Model, str, list[str]]:
    """Load the model in service; where it can't be loaded a shipped one, and where none can, one that needs no file.

    Parameters
    ----------
    registry : ModelRegistry

    Returns
    -------
    model : Model
    model_id : str
    faults : list of str
        Why it is not the one in service, in words; empty if it is.
    """
    try:
        return *load_trained(registry), []
    except InputError as error:
        cause = str(error)
    for shipped in shipped_models():
        try:
            fault = f"the model in service can't be loaded, a shipped one is used: {cause}"
            return shipped.load(), shipped.model_id, [fault]
        except InputError as error:
            log.error("model %s can't be loaded: %s", shipped.model_id, error)
    from hazecast.models.zoo.recent_days import RecentDays

    return RecentDays(), NO_TRAINED_MODEL, [f"no trained model can be loaded, the last days are repeated: {cause}"]
