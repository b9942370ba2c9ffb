"""Every `hazecast ...` line of the documents names commands and options that exist, and settings are spelt as they are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer

from hazecast.services.cli.app import app
from hazecast.services.core.settings import variables
from tests.support.doc_blocks import words_of
from tests.support.documents import DOCUMENTS as EVERY
from tests.support.documents import NOTEBOOKS, text_of
from tests.support.paths import ROOT

# The changelog also names what has gone.
DOCUMENTS = [*(document for document in EVERY if document.name != "CHANGELOG.md"), *NOTEBOOKS]
BLOCK = re.compile(r"^```(?:sh|bash|console)\n(.*?)^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"(?<!`)`((?:hazecast|make) [^`]+)`(?!`)", re.DOTALL)
PROGRAM = re.compile(r"(?:^|[\s/(=])(?:hazecast(?:\.services\.cli\.app)?|make)\s")
MAKE = re.compile(r"^([a-z][\w-]*):", re.MULTILINE)
SETTING = re.compile(r"\bHAZECAST_[A-Z][A-Z0-9_]*[A-Z0-9]\b")
# Read by a program, a test or the command itself, not by `Settings`.
OTHER_VARIABLES = {
    "HAZECAST_BENCH_CITIES", "HAZECAST_BENCH_DAYS", "HAZECAST_COLLECTIONS", "HAZECAST_NOTEBOOK_WINDOWS",
    "HAZECAST_SCHEMA_EXAMPLES", "HAZECAST_SECRETS_DIR", "HAZECAST_SERVER",
}  # fmt: skip


@cache
def command() -> Any:
    return typer.main.get_command(app)


def hazecast_commands(text: str) -> Iterator[tuple[str, list[str]]]:
    """Yield each call of `hazecast` and `make` in a document: the program, and its words."""
    lines = [line for block in BLOCK.findall(text) for line in block.replace("\\\n", " ").splitlines()]
    lines += [re.sub(r"\s+", " ", line) for line in INLINE.findall(text)]
    for line in lines:
        if not PROGRAM.search(line):
            continue  # another program's, perhaps with text in quotes over several lines
        for words in words_of(line):
            while words and re.match(r"\w+=|export$|nohup$|sudo$", words[0]):
                words = words[1:]
            if "-m" in words and "hazecast.services.cli.app" in words:
                words = ["hazecast", *words[words.index("hazecast.services.cli.app") + 1 :]]
            if words and Path(words[0]).name in ("hazecast", "make"):
                yield Path(words[0]).name, words[1:]


def fault(words: list[str]) -> str | None:
    """Return what is wrong with the words of a `hazecast` command; None if its commands and options exist."""
    here, n = command(), 0
    while n < len(words):
        word, n = words[n], n + 1
        if word.startswith("-") and word != "-" and not word[1:].isdigit():
            name, separator, _ = word.partition("=")
            found = next((p for p in here.params if name in (*p.opts, *p.secondary_opts)), None)
            if found is None and name not in ("--help", "--install-completion", "--show-completion"):
                return f"no option {name} of {here.name}"
            if found is not None and not found.is_flag and not separator:
                n += found.nargs
        elif hasattr(here, "commands"):
            names = word.split("|") if "|" in word else [word]
            missing = [name for name in names if name not in here.commands and not re.fullmatch(r"[A-Z.…]+", name)]
            if missing:
                return f"no command {missing[0]} of {here.name}"
            if len(names) > 1 or word not in here.commands:
                return None
            here = here.commands[word]
        elif not any(p.param_type_name == "argument" for p in here.params) and word not in ("...", "…"):
            return f"{here.name} takes no argument, found {word}"
    return None


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_and_options_of_a_document_exist(document) -> None:
    targets = set(MAKE.findall((ROOT / "Makefile").read_text(encoding="utf-8")))
    wrong = []
    for program, words in hazecast_commands(text_of(document)):
        if program == "hazecast":
            found = fault(words)
        else:
            found = next((f"no target {w}" for w in words if "=" not in w and w[0] != "-" and w not in targets), None)
        if found:
            wrong.append((program, *words, found))
    assert not wrong


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_settings_of_a_document_exist(document) -> None:
    known = {name for name, _, _ in variables()} | OTHER_VARIABLES
    named = set(SETTING.findall(text_of(document)))
    assert not {name for name in named if name not in known and not any(k.startswith(f"{name}_") for k in known)}


def test_a_command_that_is_gone_would_be_found() -> None:
    text = "```sh\nX=1 hazecast warnings approve ID --by a --reason 'b c' | jq .   # why\nhazecast map a.png --knid o3\n```\n`hazecast forcast`"
    assert [fault(words) for _, words in hazecast_commands(text)] == [
        None, "no option --knid of map", "no command forcast of hazecast",
    ]  # fmt: skip
