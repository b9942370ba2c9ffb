"""Every block of commands in the documents is run as it stands there; those that can't be say why."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator

import pytest

from tests.support.doc_blocks import Block, all_blocks, blocks_of
from tests.support.doc_world import World, world
from tests.support.paths import ROOT

# The tutorial is one story: tests/project/test_tutorial.py runs it as a whole.
BLOCKS = [block for block in all_blocks() if block.document.parent.name != "tutorials"]
# Seconds of processor time and more, each.
SLOWEST = re.compile(
    r"intervention-check|study (visibility|trend|provinces|wind|trajectories|climatology|ekma|sites|ozone )|replay|models compare"
    r"|hazecast (run|serve)\b|ingest|8001|study-jobs|hazecast bulletin|studies/duplicates|data system|hazecast map|jobs check"
)
NEEDS_DATA = re.compile(r"\bDIR\b|\b2013")
MOST_LEFT_OUT = 14


def asked(block: Block) -> object:
    """Return a block as a case, marked by what it takes."""
    marks = [pytest.mark.slowest, pytest.mark.timeout(900)] if SLOWEST.search(block.text) else []
    if NEEDS_DATA.search(block.text):
        marks.append(pytest.mark.data)
    return pytest.param(block, id=block.name, marks=marks)


@pytest.fixture(scope="module")
def documents(tmp_path_factory) -> Iterator[World]:
    if shutil.which("curl") is None:
        pytest.skip("no curl on this machine")
    with world(tmp_path_factory.mktemp("documents")) as made:
        yield made


@pytest.mark.parametrize("block", [asked(block) for block in BLOCKS if block.left_out is None])
def test_a_block_of_commands_runs(block, documents, request) -> None:
    if NEEDS_DATA.search(block.text):
        request.getfixturevalue("shared_data")
    ran = documents.run(block)
    assert not ran.faults, "\n".join([*ran.faults, ran.printed[-3000:]])


def test_few_blocks_are_left_out_and_each_says_why() -> None:
    left_out = [block for block in BLOCKS if block.left_out is not None]
    print(*(f"{block.name}: {block.left_out}" for block in left_out), sep="\n")
    assert len(left_out) <= MOST_LEFT_OUT
    assert all(len(str(block.left_out).split()) > 2 for block in left_out)


def test_no_block_escapes_by_its_spelling() -> None:
    for document in {block.document for block in all_blocks()}:
        text = document.read_text(encoding="utf-8")
        assert len(blocks_of(document)) == len(re.findall(r"^ *```\s*(?:sh|bash|shell|console)\b", text, re.MULTILINE))
        left_out = sum(block.left_out is not None for block in blocks_of(document))
        assert len(re.findall(r"^<!-- not run", text, re.MULTILINE)) == left_out


def test_what_fails_is_named_with_its_line_wherever_the_shell_would_go_on(documents) -> None:
    text = (
        "export X=$(hazecast forecast nowhere) || true\n"
        "hazecast accounts list --no-such && hazecast runs list\n"
        "hazecast runs list --json > runs.json\n"
        "curl localhost:8000/v1/cities/nowhere || true\n"
        "make no-such-target || true\n"
        "hazecast map /nowhere/haze.txt\n"
    )
    ran = documents.run(Block(ROOT / "docs" / "made_up.md", 11, text, None))
    assert [re.sub(r": (exit code|no such).*", "", fault) for fault in ran.faults] == [
        "docs/made_up.md:11: hazecast forecast nowhere",
        "docs/made_up.md:12: hazecast accounts list --no-such",
        f"docs/made_up.md:14: curl 127.0.0.1:{documents.port}/v1/cities/nowhere",
        "docs/made_up.md:15: make no-such-target",
        "docs/made_up.md:16: hazecast map /nowhere/haze.txt",
        "docs/made_up.md:11: /nowhere/haze.txt was not written",
    ]


def test_blocks_are_found_with_their_lines_and_reasons(tmp_path) -> None:
    document = tmp_path / "a.md"
    document.write_text("# A\n\n```sh\nx\n```\n\n<!-- not run: needs a ship -->\n```sh\ny\nz\n```\n", encoding="utf-8")
    assert blocks_of(document) == [Block(document, 4, "x\n", None), Block(document, 9, "y\nz\n", "needs a ship")]
