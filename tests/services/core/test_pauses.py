"""The pauses of a process that serves: no full collection walks through what it has loaded."""

from __future__ import annotations

import json
import subprocess
import sys

PROGRAM = """
import gc, json, sys
from hazecast.services.core.pauses import keep_loaded, shorten_waits

before = gc.get_threshold()
shorten_waits()
first = gc.get_freeze_count(), len(gc.get_objects()), gc.get_threshold()[2] > 1_000_000
import pydantic
found = len(gc.get_objects())
keep_loaded()
print(json.dumps([first, found, len(gc.get_objects()), gc.get_threshold() == before, sys.getswitchinterval()]))
"""


def test_what_is_loaded_is_left_alone() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=True)
    (frozen, left, none_in_between), loaded, after, as_before, switch = json.loads(done.stdout)
    assert frozen > 1_000 and left < 100 and none_in_between
    assert loaded > 1_000 and after < 100 and as_before
    assert switch < 0.005
