"""Without the packages of the extra ``studies`` every study module imports, and its functions name the extra."""

from __future__ import annotations

import subprocess
import sys

import pandas as pd
import pytest

from hazecast.forecast.studies.measures.steps import find_steps
from hazecast.grids.errors import MissingExtraError

SCRIPT = """
import pkgutil, sys
from importlib import import_module
for name in ("lightgbm", "ruptures"):
    sys.modules[name] = None
import hazecast.forecast.studies as studies
for one in pkgutil.walk_packages(studies.__path__, studies.__name__ + "."):
    import_module(one.name)
import hazecast.services.cli.studies.app
"""


def test_study_modules_import_without_the_extra() -> None:
    subprocess.run([sys.executable, "-c", SCRIPT], check=True)


def test_a_function_without_its_package_names_the_extra(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "ruptures", None)
    series = pd.Series(range(60), index=pd.date_range("2014-01-01", periods=60, freq="7D"), dtype=float)
    with pytest.raises(MissingExtraError, match=r"hazecast\[studies\]"):
        find_steps(series)
