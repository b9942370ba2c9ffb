"""Calls in a subprocess: results and errors are passed on, a crash or a hang is an error."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import xarray as xr

from hazecast.grids.contract import describe
from hazecast.grids.errors import InputError
from hazecast.services.core.subprocesses import run_in_subprocess


def doubled(values: np.ndarray) -> np.ndarray:
    return values * 2


def refusing() -> None:
    raise InputError("file.nc: t2m", 3, "a temperature")


def crashing() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def endless() -> None:
    while True:
        time.sleep(0.1)


def test_results_and_errors_come_through() -> None:
    np.testing.assert_array_equal(run_in_subprocess(doubled, np.arange(3), where="a"), [0, 2, 4])
    with pytest.raises(InputError, match=r"file\.nc: t2m: found 3; expected a temperature") as caught:
        run_in_subprocess(refusing, where="file.nc")
    assert (caught.value.where, caught.value.expected) == ("file.nc: t2m", "a temperature")


def test_a_crash_or_a_hang_is_an_error_that_names_the_file_and_the_next_call_works() -> None:
    with pytest.raises(InputError, match=r"broken\.grib2: found a crash of its reader"):
        run_in_subprocess(crashing, where="broken.grib2")
    with pytest.raises(InputError, match=r"hung\.nc: found no end of reading after 1 s"):
        run_in_subprocess(endless, where="hung.nc", seconds=1.0)
    assert run_in_subprocess(doubled, 4, where="a") == 8


def main_module() -> str:
    return str(getattr(sys.modules["__main__"], "__file__", None))


def printing(text: str) -> str:
    print(text, flush=True)
    return text


def unpicklable() -> object:
    return lambda: None


def test_output_of_a_call_does_not_disturb_its_answer_and_what_cannot_be_pickled_is_an_error() -> None:
    assert run_in_subprocess(printing, "noise", where="a") == "noise"
    with pytest.raises(Exception, match="pickle"):
        run_in_subprocess(unpicklable, where="a")
    assert run_in_subprocess(doubled, 4, where="a") == 8


def test_the_callers_main_module_is_not_imported() -> None:
    assert run_in_subprocess(main_module, where="a").endswith("subprocess_worker.py")


SCRIPT = """
import sys
from datetime import UTC, datetime
from pathlib import Path

from hazecast.services.core.input_settings import InputSettings
from hazecast.services.core.settings import Settings
from hazecast.services.work.cycle import run_cycle

print("started")
data, observations = map(Path, sys.argv[1:])
report = run_cycle(Settings(data_dir=data, inputs=InputSettings(observations_dir=observations)), init_time=datetime(2026, 1, 14, 12, tzinfo=UTC))
print(report.status, report.init_time.isoformat(), *(line.city for line in report.lines))
"""


def test_a_plain_script_without_a_main_guard_runs_a_cycle_on_real_files(tmp_path) -> None:
    times = np.datetime64("2026-01-10T00", "ns") + np.arange(120).astype("timedelta64[h]")
    noise = np.random.default_rng(1).uniform(0, 70, (120, 1)).astype(np.float32)
    coords, attrs = {"time": times, "city": ["beijing"]}, {"source": "a bureau"}
    dims = ("time", "city")
    observations = xr.Dataset({"pm25": (dims, noise + 20)}, coords, attrs)
    weather = xr.Dataset({"t2m": (dims, noise / 10 + 270), "d2m": (dims, noise / 10 + 265)}, coords, attrs)
    folder = tmp_path / "observations"
    # A folder of a name that Hazecast's rooms have too, beside the script: it hides none of them.
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "__init__.py").write_text("raise ImportError('the wrong models')")
    folder.mkdir()
    describe(observations, "observations").to_netcdf(folder / "observations.nc")
    describe(weather, "city_weather").to_netcdf(folder / "city_weather.nc")
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, script, tmp_path / "data", folder], cwd=tmp_path, capture_output=True, text=True, timeout=120,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(os.path.abspath(entry) for entry in sys.path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("started") == 1
    assert done.stdout.split("\n")[-2].split()[1:] == ["2026-01-14T12:00:00+00:00", "beijing"]
