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
    """Say what to do where it is first to be said; later parts with the same advice name that part.

    Advice that differs in a line is said as a whole: its reader need not put it together from several parts.

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
    found = []
    for part in parts:
        advice = tuple(part.advice)
        if advice in said:
            part = replace(part, advice=(words["advice_above"].format(title=said[advice]),))
        elif advice:
            said[advice] = part.title
        found.append(part)
    return found
