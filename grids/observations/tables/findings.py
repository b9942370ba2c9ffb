"""What reading a table found: what was taken, what was left out and why, and what had to be assumed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

# How many faults of a kind are named; the others are counted.
NAMED = 20


@dataclass(frozen=True)
class Fault:
    """A cell, row or file that was left out.

    Attributes
    ----------
    where : str
        File, line and column.
    found, expected : str
    time : datetime or None
        The hour that it costs, naive UTC; None where it may cost any.
    """

    where: str
    found: str
    expected: str
    time: datetime | None = None

    def __str__(self) -> str:
        return f"{self.where}: found {self.found}; expected {self.expected}"


@dataclass
class Findings:
    """What was found in tables.

    Attributes
    ----------
    counts : Counter of str
        Rows and cells by what became of them.
    faults : list of Fault
        The first `NAMED` of each kind.
    doubts : list of str
        What was not stated and had to be taken from elsewhere, or could not be used for that: a forecast from it is degraded.
    notes : list of str
        What was understood, for a person.
    """

    counts: Counter[str] = field(default_factory=Counter)
    faults: list[Fault] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def leave_out(self, kind: str, fault: Fault) -> None:
        """Count something that is left out, and name it.

        Parameters
        ----------
        kind : str
            What it is, in the plural: "bad_cells".
        fault : Fault
        """
        self.counts[kind] += 1
        if self.counts[kind] <= NAMED:
            self.faults.append(fault)

    def join(self, other: Findings) -> None:
        """Add what was found in another table."""
        self.counts.update(other.counts)
        self.faults += other.faults
        self.doubts += [doubt for doubt in other.doubts if doubt not in self.doubts]
        self.notes += other.notes
