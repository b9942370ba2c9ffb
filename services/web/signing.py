"""Signatures of CAP messages, by the key that the settings name."""

from __future__ import annotations

from collections.abc import Callable

from hazecast.grids.errors import InputError
from hazecast.services.core.settings import Settings


def signer_of(settings: Settings) -> Callable[[bytes], bytes]:
    """Return the function that signs a CAP message; the key is read once and tested, and without one nothing is signed.

    Raises
    ------
    InputError
        If there is a key without a certificate or the other way round, or either can't be read or used.
    """
    if settings.warnings.cap_key_file is None and settings.warnings.cap_certificate_file is None:
        return lambda message: message
    if settings.warnings.cap_key_file is None or settings.warnings.cap_certificate_file is None:
        raise InputError("CAP signature", "a key or a certificate alone", "both cap_key_file and cap_certificate_file")
    try:
        key, certificate = (
            settings.warnings.cap_key_file.read_bytes(),
            settings.warnings.cap_certificate_file.read_bytes(),
        )
    except OSError as error:
        raise InputError("CAP key and certificate", error, "two PEM files") from error
    # Imported only by a service that signs.
    from hazecast.alerts.messages.signature import sign

    sign(b'<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"/>', key, certificate)
    return lambda message: sign(message, key, certificate)
