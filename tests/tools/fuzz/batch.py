"""Inputs FIRST to LAST of SEED, in a process of their own: whatever they do to it, the parent lives on.

Prints a line of JSON before each input and after it; a process that dies has printed which input
it was at.
"""

from __future__ import annotations

import faulthandler
import json
import logging
import random
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path

from hazecast.grids.errors import InputError
from tests.tools.fuzz.mutations import mutate
from tests.tools.fuzz.readers import READERS

MEMORY, SECONDS = 6 << 30, 5.0


def damaged(number: int, seed: int, wholes: dict[str, bytes]) -> tuple[str, bytes]:
    """Return the reader and the file of an input; the same for the same number and seed."""
    name = list(wholes)[number % len(wholes)]
    return name, mutate(wholes[name], random.Random(f"{seed}/{number}"), text=READERS[name].text)


def seeds(only: str = "") -> dict[str, bytes]:
    """Return a whole file for each reader whose name has `only` in it, read once without a fault."""
    wholes = {}
    for name, reader in READERS.items():
        if only not in name:
            continue
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / reader.file
            reader.beside(path)
            reader.seed(path)
            reader.read(path)
            wholes[name] = path.read_bytes()
    return wholes


def outcome(name: str, content: bytes) -> str:
    """Return "read", "refused", or what went wrong."""
    reader = READERS[name]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / reader.file
        reader.beside(path)
        path.write_bytes(content)
        try:
            reader.read(path)
        except InputError as error:
            # A collection may be refused as a whole, by its folder.
            return "refused" if folder in str(error) else f"error without the file: {error}"
        except Exception:
            return traceback.format_exc(limit=-6)
    return "read"


def main(seed: int, first: int, last: int, only: str = "") -> None:
    """Run the inputs; a reader that hangs or takes all memory ends the process or raises."""
    faulthandler.enable()
    warnings.simplefilter("ignore")
    logging.disable()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    wholes = seeds(only)
    for number in range(first, last):
        print(json.dumps({"at": number}), flush=True)
        # By processor time, so that a busy machine isn't taken for a hang; the default action kills.
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        start = time.process_time()
        name, content = damaged(number, seed, wholes)
        result = outcome(name, content)
        signal.setitimer(signal.ITIMER_PROF, 0)
        seconds = time.process_time() - start
        print(json.dumps({"done": number, "reader": name, "outcome": result, "seconds": seconds}), flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:4]), *sys.argv[4:5])
