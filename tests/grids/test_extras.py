"""Optional packages: found, missing, or broken inside."""

from __future__ import annotations

import json.decoder
import pickle
import sys

import pytest

from hazecast.grids.errors import InputError, MissingExtraError
from hazecast.grids.extras import requires


def test_an_installed_module_is_returned_itself() -> None:
    assert requires("json.decoder", "any") is json.decoder


@pytest.mark.parametrize("module", ["no_such_package", "no_such_package.part"])
def test_a_missing_package_names_its_extra(module) -> None:
    with pytest.raises(
        InputError, match=r"no_such_package, which is not installed: pip install 'hazecast\[train\]'"
    ) as raised:
        requires(module, "train")
    assert isinstance(raised.value, MissingExtraError)
    sent = pickle.loads(pickle.dumps(raised.value))  # noqa: S301 - what was pickled a line before
    assert (str(sent), sent.extra) == (str(raised.value), "train")


def test_what_an_installed_package_misses_is_not_blamed_on_the_extra(tmp_path, monkeypatch) -> None:
    (tmp_path / "broken_package.py").write_text("import no_such_dependency\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="no_such_dependency"):
        requires("broken_package", "train")
    assert "broken_package" not in sys.modules
