"""How the page answers: security headers, revalidation by ETag, compression, its own files under immutable names."""

from __future__ import annotations

import base64
import gzip
import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any

from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from hazecast.services.web.answers import SMALLEST_COMPRESSED, compressible, names_tag, takes_gzip

STATIC = Path(__file__).with_name("static")
# Nothing inline but the page's own style, by its digest; nothing from elsewhere. Leaflet sets styles through the DOM, which
# this allows.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' '{style}'; img-src 'self' data:; connect-src 'self'; "
    "manifest-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors {ancestors}"
)
_A_YEAR = 365 * 24 * 3600


def answer(
    request: Request, body: bytes | str, media_type: str, *, seconds: int, framed: bool = False, status: int = 200
) -> Response:
    """Return a public answer, or 304 where the client has it already. Text is compressed: to be called in a thread.

    Parameters
    ----------
    request : Request
    body : bytes or str
    media_type : str
    seconds : int
        For how long a cache may answer with it without revalidating.
    framed : bool
        Whether any site may show it in a frame; else only the service itself may.
    status : int
        Other than 200, the answer is not stored by caches.

    Returns
    -------
    Response
    """
    content = body.encode() if isinstance(body, str) else body
    # Weak: the compressed and the plain form have the same tag.
    tag = f'W/"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {
        "Cache-Control": f"public, max-age={seconds}" if status == 200 else "no-store",
        "ETag": tag,
        "Vary": "Accept-Language",
        "Content-Security-Policy": _POLICY.format(style=style_digest(), ancestors="*" if framed else "'self'"),
        "Referrer-Policy": "strict-origin-when-cross-origin",
        "X-Content-Type-Options": "nosniff",
    }
    if status == 200 and names_tag(request.headers.get("if-none-match", "").encode("latin-1"), tag.encode()):
        return Response(status_code=304, headers=headers)
    if compressible(media_type) and len(content) >= SMALLEST_COMPRESSED:
        headers["Vary"] += ", Accept-Encoding"
        if takes_gzip(request.headers.get("accept-encoding", "").encode("latin-1")):
            headers["Content-Encoding"] = "gzip"
            content = gzip.compress(content, 6, mtime=0)
    return Response(content, status, headers, media_type)


@lru_cache
def page_style() -> str:
    """Return the style of the page, as its HTML holds it: the first paint then waits for one answer and not for two."""
    return (STATIC / "page.css").read_text(encoding="utf-8")


@lru_cache
def style_digest() -> str:
    """Return the digest of the page's style, by which the policy admits it (Content Security Policy 3, 2.3.1)."""
    return f"sha256-{base64.b64encode(hashlib.sha256(page_style().encode()).digest()).decode()}"


# Each is read once by a browser, for a year.
_COMPRESSED = [Middleware(GZipMiddleware, minimum_size=SMALLEST_COMPRESSED, compresslevel=6)]


class _ImmutableFiles(StaticFiles):
    """Files whose address changes with their content: clients never need to revalidate them."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = f"public, max-age={_A_YEAR}, immutable"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response


@lru_cache
def static_prefix() -> str:
    """Return the path of the page's files; it names their content, so that a new version is a new address."""
    digest = hashlib.sha256()
    for path in sorted(p for p in STATIC.rglob("*") if p.is_file()):
        digest.update(path.relative_to(STATIC).as_posix().encode() + b"\0" + path.read_bytes())
    return f"/page/static/{digest.hexdigest()[:16]}"


def static_files() -> Mount:
    """Return the route of the page's own files."""
    return Mount(static_prefix(), app=_ImmutableFiles(directory=STATIC), middleware=_COMPRESSED)
