"""Tables as JSON: a list of records, one in each line or in a document, with the names of the columns in every record."""

from __future__ import annotations

import json
from typing import Any

# How deep the list of records may lie in a document, as in {"data": {"rows": [...]}}.
_DEEPEST = 4


def is_json(text: str) -> bool:
    """Return whether a text is JSON with records, by its first characters."""
    head = text[:200].lstrip("\ufeff \r\n\t")
    return head.startswith("{") or (head.startswith("[") and head[1:].lstrip().startswith("{"))


def records_in(text: str) -> list[list[str]]:
    """Return the records of a document or of lines of JSON as rows, the names of all columns before them.

    Parameters
    ----------
    text : str

    Returns
    -------
    list of list of str
        A value that is no text, number or truth is left empty.

    Raises
    ------
    ValueError
        If it is no JSON, or holds no list of records.

    Examples
    --------
    >>> records_in('{"data": [{"station": "A1", "pm25": 35}, {"station": "B2", "o3": null}]}')
    [['station', 'pm25', 'o3'], ['A1', '35', ''], ['B2', '', '']]
    """
    try:
        document = json.loads(text, parse_float=str, parse_int=str)
    except ValueError:
        document = [json.loads(line, parse_float=str, parse_int=str) for line in text.splitlines() if line.strip()]
    except RecursionError:
        raise ValueError("JSON that is nested too deep") from None
    records = _records(document, 0)
    if records is None:
        raise ValueError("no list of records such as [{...}, {...}]")
    names = list(dict.fromkeys(name for record in records for name in record))
    return [names, *([_text(record.get(name)) for name in names] for record in records)]


def _records(found: Any, depth: int) -> list[dict[str, Any]] | None:
    if isinstance(found, list):
        return found if found and all(isinstance(record, dict) for record in found) else None
    if not isinstance(found, dict) or depth == _DEEPEST:
        return None
    inside = [records for value in found.values() if (records := _records(value, depth + 1)) is not None]
    return inside[0] if len(inside) == 1 else [found] if depth == 0 and not inside else None


def _text(value: Any) -> str:
    return str(value).strip() if isinstance(value, (str, int, float)) else ""
