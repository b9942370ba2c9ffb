"""What a misspelt word probably meant, and the faults of a validated file, in words."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from hazecast.grids.errors import InputError


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return the end of a sentence that names the known word nearest to one; empty where none is near.

    Parameters
    ----------
    word : str
    known : iterable of str

    Returns
    -------
    str

    Examples
    --------
    >>> suggestion("raise_probabilty", ["raise_probability", "rank"])
    '; did you mean "raise_probability"?'
    """
    near = get_close_matches(word, list(known), n=1)
    return f'; did you mean "{near[0]}"?' if near else ""


def model_fault(error: ValidationError, model: type[BaseModel], before: str) -> InputError:
    """Return the first fault of a file's entry as an error that names the field, what was found and what is expected.

    A field of an unknown name comes before one that is missing: it is probably the same, misspelt.

    Parameters
    ----------
    error : pydantic.ValidationError
    model : type
        What the entry should be; its fields are suggested.
    before : str
        The file and the entry, with what separates them from the field.

    Returns
    -------
    InputError
    """
    faults = error.errors(include_url=False)
    fault = next((f for f in faults if f["type"] == "extra_forbidden"), faults[0])
    where = before + (".".join(map(str, fault["loc"])) or model.__name__)
    if fault["type"] == "extra_forbidden":
        return InputError(
            where, fault["input"], "a known field" + suggestion(str(fault["loc"][-1]), _fields(model, fault["loc"]))
        )
    if fault["type"] == "missing":
        return InputError(where, "nothing", "a value")
    expected = str(fault["msg"]).removeprefix("Value error, ")
    if fault["type"] == "literal_error":
        expected += suggestion(str(fault["input"]), re.findall(r"'([^']*)'", fault["ctx"]["expected"]))
    return InputError(where, fault["input"], expected)


def _fields(model: type[BaseModel], place: tuple[int | str, ...]) -> set[str]:
    """Return the names of the fields that the last step of a place could be."""
    kinds = {model}
    for step in place[:-1]:
        fields = [kind.model_fields[step] for kind in kinds if step in kind.model_fields]
        # Any other step is a position in a list, a key or a name of a union's part.
        if fields:
            kinds = {found for field in fields for found in _models(field.annotation)}
    return {name for kind in kinds for name in kind.model_fields}


def _models(annotation: Any) -> set[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return {annotation}
    return {found for part in get_args(annotation) for found in _models(part)}
