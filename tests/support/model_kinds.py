"""Kinds of models that a test declares, as an installed package of their author would."""

from __future__ import annotations

from pathlib import Path

import pytest


def declare(monkeypatch: pytest.MonkeyPatch, folder: Path, name: str, value: str) -> None:
    """Install a distribution's metadata that declares a kind of model.

    Parameters
    ----------
    monkeypatch : pytest.MonkeyPatch
        Takes it off the path again.
    folder : Path
        Where it is written.
    name, value : str
        The kind, and its class as ``package.module:Class``.
    """
    metadata = folder / f"{name}_package-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}-package\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[hazecast.models]\n{name} = {value}\n")
    monkeypatch.syspath_prepend(folder)
