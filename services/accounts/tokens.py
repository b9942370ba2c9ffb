"""The text of an API key: ``hz_<id>_<secret>``.

The secret is 32 random bytes. What is stored is the SHA-256 of the complete text: a slow password hash defends short secrets
that a list of guesses can reach, and against 2**256 equally likely ones there is no such list, while every request
would pay for it.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets

_FORM = re.compile(r"hz_([0-9a-f]{12})_[A-Za-z0-9_-]{43}")


def new_token() -> tuple[str, str]:
    """Return the public id of a new key, and its text."""
    key_id = secrets.token_hex(6)
    return key_id, f"hz_{key_id}_{secrets.token_urlsafe(32)}"


def key_id_of(token: str) -> str | None:
    """Return the public id within a key's text; None where it isn't one."""
    found = _FORM.fullmatch(token)
    return found[1] if found else None


def digest_of(token: str) -> str:
    """Return what is stored of a key: the SHA-256 of its text, as 64 hexadecimal digits."""
    return hashlib.sha256(token.encode()).hexdigest()


def matches(token: str, digest: str) -> bool:
    """Compare a key with a stored digest, in a time that doesn't depend on where they differ.

    Parameters
    ----------
    token : str
        The text of the key.
    digest : str
        As `digest_of` returns it.

    Returns
    -------
    bool
    """
    return hmac.compare_digest(digest_of(token), digest)
