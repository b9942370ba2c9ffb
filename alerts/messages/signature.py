"""Signatures of CAP messages: enveloped XML-DSig."""

from __future__ import annotations

from lxml import etree
from signxml import (  # type: ignore[attr-defined]
    CanonicalizationMethod,
    SignatureConfiguration,
    SignatureMethod,
    XMLSigner,
    XMLVerifier,
)
from signxml.exceptions import InvalidInput, InvalidSignature

from hazecast.alerts.messages.cap import NAMESPACE, parse, serialised
from hazecast.grids.errors import InputError


def sign(message: bytes, key: bytes, certificate: bytes) -> bytes:
    """Return a message with an enveloped signature (XML-DSig, RSA-SHA256, exclusive canonical XML).

    Parameters
    ----------
    message : bytes
        As from `hazecast.alerts.messages.cap.cap_message`.
    key, certificate : bytes
        PEM: an RSA private key without passphrase, and the X.509 certificate that goes with it.

    Returns
    -------
    bytes
        XML in UTF-8.

    Raises
    ------
    InputError
        If the key or certificate can't be used.
    """
    signer = XMLSigner(c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0)
    root = parse(message)
    try:
        return serialised(signer.sign(root, key=key, cert=certificate.decode("ascii")))
    except (ValueError, TypeError, InvalidInput) as error:
        raise InputError("CAP signature: key or certificate", error, "an RSA key and its certificate, PEM") from error


def verify(message: bytes, certificate: bytes) -> etree._Element:
    """Return the root of what a certificate's key has signed.

    Parameters
    ----------
    message : bytes
        XML with an enveloped signature, as from `sign`.
    certificate : bytes
        PEM; the X.509 certificate expected.

    Returns
    -------
    lxml.etree._Element

    Raises
    ------
    InputError
        If the message is not signed with that key, or was changed since.
    """
    expected = SignatureConfiguration(
        signature_methods=frozenset({SignatureMethod.RSA_SHA256}), expect_references=1, location="./"
    )
    try:
        found = XMLVerifier().verify(parse(message), x509_cert=certificate.decode("ascii"), expect_config=expected)
    except (InvalidSignature, InvalidInput) as error:
        raise InputError("CAP signature", error, "the signature of the certificate given") from error
    signed = (found[0] if isinstance(found, list) else found).signed_xml
    if signed is None or signed.tag != f"{{{NAMESPACE}}}alert":
        raise InputError("CAP signature", "not over the alert", "a signature of the whole message")
    return signed
