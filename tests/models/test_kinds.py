"""Kinds of models: found through entry points, imported only when asked for."""

from __future__ import annotations

import subprocess
import sys

import pytest

from hazecast.grids.errors import InputError, MissingExtraError
from hazecast.models.kinds import create, model_names
from tests.support.model_kinds import declare
from tests.support.paths import ROOT

SHIPPED_KINDS = {
    "climatology", "diurnal_persistence", "graph", "gru", "lightgbm", "network", "persistence", "ridge", "service",
}  # fmt: skip


def test_the_shipped_kinds_are_declared_and_bear_their_names() -> None:
    assert set(model_names()) >= SHIPPED_KINDS
    for name in SHIPPED_KINDS:
        assert create(name).name == name


def test_an_unknown_kind_is_answered_with_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"nosuch.*climatology.*ridge"):
        create("nosuch")


def test_a_kind_of_a_package_that_cannot_be_imported_is_named(monkeypatch, tmp_path) -> None:
    declare(monkeypatch, tmp_path, "gone", "no_such_package:Model")
    with pytest.raises(InputError, match=r"model gone.*no_such_package"):
        create("gone")


def test_a_name_that_two_packages_declare_is_no_kind(monkeypatch, tmp_path) -> None:
    declare(monkeypatch, tmp_path / "a", "twice", "hazecast.models.zoo.baselines:Persistence")
    monkeypatch.undo()
    monkeypatch.syspath_prepend(tmp_path / "a")
    declare(monkeypatch, tmp_path / "b", "network", "hazecast.models.zoo.baselines:Persistence")
    assert create("twice").name == "persistence"
    with pytest.raises(InputError, match="one package"):
        create("network")


def test_a_missing_extra_is_named(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    with pytest.raises(MissingExtraError, match=r"hazecast\[train\]"):
        create("lightgbm")


def test_the_registry_lists_models_without_importing_any() -> None:
    code = (
        "import sys\n"
        "from hazecast.models.kinds import model_names\n"
        "from hazecast.models.trained import shipped_models\n"
        "assert shipped_models() and model_names()\n"
        "print([name for name in ('torch', 'lightgbm', 'sklearn', 'scipy') if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
