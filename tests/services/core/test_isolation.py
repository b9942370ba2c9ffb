"""A reader apart: its result and its errors come through, its death is an error."""

from __future__ import annotations

import os
import signal
import time

import numpy as np
import pytest

from hazecast.grids.errors import InputError
from hazecast.services.core.subprocesses import apart


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
    np.testing.assert_array_equal(apart(doubled, np.arange(3), where="a"), [0, 2, 4])
    with pytest.raises(InputError, match=r"file\.nc: t2m: found 3; expected a temperature") as caught:
        apart(refusing, where="file.nc")
    assert (caught.value.where, caught.value.expected) == ("file.nc: t2m", "a temperature")


def test_a_crash_or_a_hang_is_an_error_that_names_the_file_and_the_next_call_works() -> None:
    with pytest.raises(InputError, match=r"broken\.grib2: found a crash of its reader"):
        apart(crashing, where="broken.grib2")
    with pytest.raises(InputError, match=r"hung\.nc: found no end of reading after 1 s"):
        apart(endless, where="hung.nc", seconds=1.0)
    assert apart(doubled, 4, where="a") == 8
