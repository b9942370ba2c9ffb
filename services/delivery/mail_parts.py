"""The parts of a mail: one for each message, the same advice in one of them alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Part:
    """What a mail says of one message: `advice` is its lines of what to do, `links` are labels and addresses."""

    title: str
    paragraphs: Sequence[str]
    links: Sequence[tuple[str, str]] = ()
    colour: str = ""
    advice: Sequence[str] = ()

    @property
    def lines(self) -> list[str]:
        """All paragraphs, in their order."""
        return [*self.paragraphs, *self.advice]


def advice_once(parts: Sequence[Part], words: Mapping[str, str]) -> list[Part]:
    """Say what to do where it is first to be said; later parts name the part that says the same.

    A part whose advice is all another's says so in one line; of one that shares lines, each of these names for whom it is
    and where it is said. A line to nobody by name, as a person may write it, stays.

    Parameters
    ----------
    parts : sequence of Part
        In the order in which they are read.
    words : mapping of str to str
        The texts of mails in the parts' language.

    Returns
    -------
    list of Part
    """
    said: dict[tuple[str, ...], str] = {}
    lines: dict[str, str] = {}
    found = []
    for part in parts:
        advice = tuple(part.advice)
        if advice in said:
            part = replace(part, advice=(words["advice_above"].format(title=said[advice]),))
        elif advice:
            said[advice] = part.title
            part = replace(part, advice=[_line_once(line, lines, words) for line in advice])
            lines = dict.fromkeys(advice, part.title) | lines
        found.append(part)
    return found


def _line_once(line: str, said: Mapping[str, str], words: Mapping[str, str]) -> str:
    who, mark, _ = line.partition(words["audience_mark"])
    return words["line_above"].format(who=who, title=said[line]) if mark and line in said else line
