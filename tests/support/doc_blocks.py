"""The blocks of commands in the documents: where each stands, what it says, and why it is left out where it is."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from tests.support.documents import DOCUMENTS
from tests.support.paths import ROOT

_BLOCK = re.compile(r"(?:^<!-- not run: (?P<why>[^>]+) -->\n)?^```sh\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)

# What ends a command in a shell.
_ENDS = {"|", "||", "&&", "&", ";", ">", ">>", "<"}


@dataclass(frozen=True)
class Block:
    """A block of commands: its document, the number of its first line there, its text, and why it isn't run."""

    document: Path
    line: int
    text: str
    left_out: str | None

    @property
    def name(self) -> str:
        """The place, as editors take it: ``docs/places.md:10``."""
        return f"{self.document.relative_to(ROOT)}:{self.line}"


def blocks_of(document: Path) -> list[Block]:
    """Return a document's blocks of commands, in order."""
    text = document.read_text(encoding="utf-8")
    return [
        Block(document, text.count("\n", 0, found.start("text")) + 1, found["text"], found["why"])
        for found in _BLOCK.finditer(text)
    ]


def all_blocks() -> list[Block]:
    """Return the blocks of commands of all documents."""
    return [block for document in DOCUMENTS for block in blocks_of(document)]


def words_of(line: str) -> list[list[str]]:
    """Return the commands of a line of shell, each as its words; comments, assignments and what is piped left out."""
    split = shlex.shlex(line.replace("$(", " ; "), posix=True, punctuation_chars=True)
    split.whitespace_split = True
    commands: list[list[str]] = [[]]
    for word in split:
        if word in _ENDS:
            commands.append([])
        elif word.rstrip(")"):
            commands[-1].append(word.rstrip(")"))
    return commands
