"""``make fuzz``: damaged inputs through all readers, in batches that may die."""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.paths import ROOT
from tests.tools.fuzz.batch import damaged, seeds

BATCH = 1_000
DEATH = "the process died of"


@dataclass
class Result:
    """Counts of outcomes by reader, and findings: the input's number, its reader and what happened."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    findings: list[tuple[int, str, str]] = field(default_factory=list)


def fuzz(count: int, seed: int, keep: Path | None = None, only: str = "") -> Result:
    """Run inputs 0 to `count` of a seed, of readers whose name has `only` in it; files of findings go into `keep` as they are found."""
    result, number, wholes, kept = Result(), 0, seeds(only), 0
    while number < count:
        last = min(number + BATCH, count)
        command = [sys.executable, "-m", "tests.tools.fuzz.batch", str(seed), str(number), str(last), only]
        run = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
        at = None
        for line in run.stdout.splitlines():
            report = json.loads(line)
            at = report.get("at", at)
            if "done" in report:
                at = None
                number = report["done"] + 1
                kind = report["outcome"] if report["outcome"] in ("read", "refused") else "finding"
                result.counts[report["reader"], kind] += 1
                if kind == "finding":
                    result.findings.append((report["done"], report["reader"], report["outcome"]))
        if at is None and number < last:
            raise RuntimeError(f"the batch from {number} could not start:\n{run.stderr}")
        if at is not None:
            reader, _ = damaged(at, seed, wholes)
            death = signal.Signals(-run.returncode).name if run.returncode < 0 else f"exit {run.returncode}"
            result.counts[reader, "finding"] += 1
            result.findings.append((at, reader, f"{DEATH} {death}\n{_stack(run.stderr)}"))
            number = at + 1
        if keep is not None:
            keep.mkdir(parents=True, exist_ok=True)
            for found, _, what in result.findings[kept:]:
                (keep / f"{seed}-{found}.bin").write_bytes(damaged(found, seed, wholes)[1])
                (keep / f"{seed}-{found}.txt").write_text(what)
        kept = len(result.findings)
        print(f"{number} of {count} inputs, {kept} findings", file=sys.stderr, flush=True)
    return result


def _stack(printed: str) -> str:
    """Return the end of what a process printed, from where it tells of its death on."""
    _, fatal, rest = printed.rpartition("Fatal Python error")
    return (fatal + rest)[:4_000] if fatal else printed[-2_000:]


def main() -> int:
    """Print counts and findings; 1 if there is any."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, default=Path("fuzz-findings"), help="Where files of findings go.")
    parser.add_argument("--only", default="", help="Part of the names of the readers wanted, such as bureau.")
    arguments = parser.parse_args()
    result = fuzz(arguments.count, arguments.seed, arguments.keep, arguments.only)
    for (reader, kind), number in sorted(result.counts.items()):
        print(f"{reader:34} {kind:8} {number:6}")
    for at, reader, what in result.findings:
        print(f"\nseed {arguments.seed}, input {at}, {reader}:\n{what}")
    print(f"\n{sum(result.counts.values())} inputs, {len(result.findings)} findings")
    return 1 if result.findings else 0


if __name__ == "__main__":
    sys.exit(main())
