"""Which representation an answer takes: by ``?format=``, else by the header Accept with its weights (RFC 9110, 12.5.1)."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal, TypeVar, cast

import mimeparse
from fastapi import HTTPException, Query, Request, Response
from fastapi.responses import JSONResponse

Format = Literal["json", "geojson", "csv", "netcdf", "parquet", "cap"]
JSON, GEOJSON, CSV, NETCDF = "application/json", "application/geo+json", "text/csv", "application/x-netcdf"
PARQUET = "application/vnd.apache.parquet"
MEDIA_TYPES: dict[str, str] = {
    "json": JSON, "geojson": GEOJSON, "csv": CSV, "netcdf": NETCDF, "parquet": PARQUET,
    "cap": "application/cap+xml", "html": "text/html", "pdf": "application/pdf",
}  # fmt: skip
F = TypeVar("F", bound=str)


# Items of a list that are encoded in one call: a city's hours of a forecast take 1 ms.
_ENCODED_AT_ONCE = 4
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class GeoJSON(JSONResponse):
    """A response whose media type is GeoJSON's."""

    media_type = GEOJSON


AsFormat = Annotated[Format | None, Query(alias="format", description="Representation, before the header Accept.")]


def choose(request: Request, form: F | None, offered: Sequence[F]) -> F:
    """Return the representation to answer with: the first offered where the client leaves it open.

    Parameters
    ----------
    request : Request
    form : str or None
        The representation that the address names; else the header Accept decides.
    offered : sequence of str
        The representations that the route has.

    Returns
    -------
    str
        One of `offered`.

    Raises
    ------
    HTTPException
        406 if none of them is acceptable.
    """
    media = {MEDIA_TYPES[name]: name for name in offered}
    if form is not None:
        if form not in offered:
            raise HTTPException(406, f"format: found {form}; this is answered as one of {', '.join(offered)}")
        return form
    accept = ", ".join(request.headers.getlist("accept")).lower() or "*/*"
    # GeoJSON is JSON: a client that knows only the latter may have it as such.
    if "geojson" in offered and "json" not in offered:
        media[JSON] = cast(F, "geojson")
    try:
        # Of equals, the library takes the last.
        found = mimeparse.best_match([*reversed(media)], accept)
    except mimeparse.MimeTypeParseException:
        found = ""
    if not found:
        raise HTTPException(406, f"Accept: found {accept[:80]}; this is answered as one of {', '.join(media)}")
    return media[found]


def representations(*offered: Format, like: type | None = None) -> dict[int | str, dict[str, Any]]:
    """Return the part of OpenAPI's `responses` that names the media types of an answer.

    Parameters
    ----------
    *offered : str
        The representations, as for `choose`.
    like : type, optional
        The model of the JSON one.

    Returns
    -------
    dict
        By status: 200, 406 and what making one of them may end with.
    """
    content: dict[str, Any] = {}
    for name in offered:
        binary = {"type": "string", "format": "binary"} if name in ("netcdf", "parquet") else {"type": "string"}
        content[MEDIA_TYPES[name]] = (
            {} if name == "json" else {"schema": {"type": "object"} if "json" in name else binary}
        )
    found: dict[str, Any] = {"content": content}
    if like is not None:
        found["model"] = like
    answers: dict[int | str, dict[str, Any]] = {
        200: found,
        406: {"description": "Not in the media types that are accepted"},
    }
    if "parquet" in offered:
        answers |= {501: {"description": "Parquet, where its extra is not installed"}, 503: {"description": "Too busy"}}
    return answers


def answer(body: bytes | str, form: Format, *, name: str = "hazecast") -> Response:
    """Return a body in a representation.

    Parameters
    ----------
    body : bytes or str
    form : str
        The representation.
    name : str
        Under which tables and files are saved, without the ending.

    Returns
    -------
    Response
    """
    response = Response(body, media_type=MEDIA_TYPES[form])
    response.headers["Vary"] = "Accept"
    if form == "csv":
        response.headers["Content-Type"] = "text/csv; charset=utf-8; header=present"
    if form in ("csv", "netcdf", "parquet"):
        ending = "nc" if form == "netcdf" else form
        response.headers["Content-Disposition"] = f'attachment; filename="{name}.{ending}"'
    return response


def as_json(content: Mapping[str, Any]) -> str:
    """Return JSON without spaces between its parts, a list of `content` encoded some items at a time."""
    return "{" + ",".join(f"{_encode(name)}:{_value_as_json(value)}" for name, value in content.items()) + "}"


def _value_as_json(value: Any) -> str:
    if not isinstance(value, list):
        return _encode(value)
    # The encoder holds the interpreter's lock for as long as a call takes: 40 ms for a forecast of 40 cities.
    parts = (value[start : start + _ENCODED_AT_ONCE] for start in range(0, len(value), _ENCODED_AT_ONCE))
    return "[" + ",".join(_encode(part)[1:-1] for part in parts) + "]"


def point(longitude: float, latitude: float, name: str, properties: dict[str, Any]) -> dict[str, Any]:
    """Return a GeoJSON feature at a place (RFC 7946, 3.1.1: longitude first).

    Parameters
    ----------
    longitude, latitude : float
        degrees east and north, WGS 84
    name : str
        Id of the feature.
    properties : dict

    Returns
    -------
    dict
    """
    geometry = {"type": "Point", "coordinates": [longitude, latitude]}
    return {"type": "Feature", "id": name, "geometry": geometry, "properties": properties}


def as_csv(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """Return rows as CSV with a header (RFC 4180); what is missing is empty.

    Parameters
    ----------
    rows : iterable of mapping
        By column; those of no column are left out.
    columns : sequence of str
        In the order of the table.

    Returns
    -------
    str
    """
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, restval="", extrasaction="ignore")
    writer.writeheader()
    writer.writerows({name: str(v).lower() if isinstance(v, bool) else v for name, v in row.items()} for row in rows)
    return text.getvalue()
