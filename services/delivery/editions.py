"""Bulletins for mails, rendered in a subprocess: typesetting and drawing stay out of the process that delivers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from hazecast.services.core.settings import Settings
from hazecast.services.core.subprocesses import run_in_subprocess
from hazecast.services.work.bulletin_edition import Document, Format
from hazecast.services.work.native_work import edition_of


@dataclass(frozen=True)
class MailParts:
    """What a mail holds of a bulletin: subject, text, HTML, and the pictures that it names by Content-ID."""

    title: str
    text: str
    html: bytes
    pictures: Mapping[str, bytes]


def mail_parts(settings: Settings, cities: Sequence[str], language: str, now: datetime) -> MailParts:
    """Render the daily bulletin for a mail.

    Parameters
    ----------
    settings : Settings
        Name the store.
    cities : sequence of str
        Ids, in the order wanted; empty for all that are forecast.
    language : {"zh", "ja", "en"}
    now : datetime
        Aware.

    Returns
    -------
    MailParts

    Raises
    ------
    InputError
        If there is no forecast, or its file is gone.
    """
    edition = edition_of(settings, cities, language, now)
    return MailParts(edition.title, edition.text, *edition.mail())


class EditionElsewhere:
    """A bulletin as mails need it, rendered in a subprocess.

    Parameters
    ----------
    settings : Settings
        Name the store.
    cities : sequence of str
        Ids, in the order wanted; empty for all that are forecast.
    language : {"zh", "ja", "en"}
    now : datetime
        Aware.
    """

    def __init__(self, settings: Settings, cities: Sequence[str], language: str, now: datetime) -> None:
        self._asked: tuple[Any, ...] = (settings, tuple(cities), language, now)

    @cached_property
    def _parts(self) -> MailParts:
        return run_in_subprocess(mail_parts, *self._asked, where="bulletin")

    @property
    def title(self) -> str:
        """The subject of a mail."""
        return self._parts.title

    @property
    def text(self) -> str:
        """All of it as plain text."""
        return self._parts.text

    def mail(self) -> tuple[bytes, Mapping[str, bytes]]:
        """Return the HTML for a mail and the PNGs that it names, by Content-ID."""
        return self._parts.html, self._parts.pictures

    def document(self, form: Format) -> Document:
        """Return the bulletin in one form."""
        return run_in_subprocess(whole_document, *self._asked, form, where="bulletin")


def whole_document(settings: Settings, cities: Sequence[str], language: str, now: datetime, form: Format) -> Document:
    """Render the daily bulletin in one form, with its name and media type.

    Parameters
    ----------
    settings : Settings
    cities : sequence of str
    language : {"zh", "ja", "en"}
    now : datetime
    form : str

    Returns
    -------
    Document
    """
    return edition_of(settings, cities, language, now).document(form)
