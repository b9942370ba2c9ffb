"""E-mail: HTML and text with the map, one mail for all messages of a run to a subscriber."""

from __future__ import annotations

import logging
import smtplib
import ssl
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from hazecast.alerts.engine.warning import HazeWarning
from hazecast.alerts.messages.texts import Language, catalog
from hazecast.alerts.messages.warning_texts import compose
from hazecast.alerts.rules.book import RuleBook
from hazecast.alerts.rules.severity import SEVERITIES, severity
from hazecast.grids.errors import InputError, MissingExtraError
from hazecast.grids.places.cities import Registry
from hazecast.services.core.settings import Settings
from hazecast.services.core.subprocesses import run_in_subprocess
from hazecast.services.delivery.channel import Message, Outcome
from hazecast.services.delivery.content import FORMATS as BULLETIN_FORMATS
from hazecast.services.delivery.content import (
    EditionSource,
    cities_of,
    confirmation_url,
    languages_of,
    warning_links,
)
from hazecast.services.delivery.editions import EditionElsewhere
from hazecast.services.delivery.mail_parts import Part, advice_once
from hazecast.services.store.outbox import BULLETIN, CONFIRMATION, FORECAST, TEST, WARNING_TYPES, WITHDRAWN
from hazecast.services.store.run_files import read_product
from hazecast.services.store.store import Store
from hazecast.services.store.tables.delivery import Subscription
from hazecast.services.work.explain import explain
from hazecast.services.work.native_work import haze_map, make_product
from hazecast.services.work.public_haze import haze_name, shown_warnings
from hazecast.services.work.stored_forecast import Look

log = logging.getLogger(__name__)

_FOLDER = Path(__file__).parent
# A server may take its time over a large message (RFC 5321, 4.5.3.2, asks for minutes; a lease is shorter).
_SMTP_SECONDS = 30.0


@dataclass
class _Content:
    """The content of a mail besides its headers: one section for each language, files, and a picture."""

    subject: str = ""
    sections: list[dict[str, Any]] = field(default_factory=list)
    editions: list[EditionElsewhere] = field(default_factory=list)
    picture: bytes | None = None


class MailChannel:
    """Sends messages by SMTP; those of one batch together, as one mail.

    Parameters
    ----------
    store : Store
    settings : Settings
    registry : Registry
    book : RuleBook
    bulletins : callable, optional
        Returns the daily bulletin of some cities in a language, at a time.
    pictures : bool
        Whether mails hold the map; drawing one may take seconds.
    """

    batch_size = 60

    def __init__(
        self,
        store: Store,
        settings: Settings,
        registry: Registry,
        book: RuleBook,
        bulletins: EditionSource | None = None,
        *,
        pictures: bool = True,
    ) -> None:
        self._pictures = pictures
        self._store, self._settings, self._registry, self._bulletins = store, settings, registry, bulletins
        self._book = book
        self._base = (settings.server.public_url or "").rstrip("/")

    def send(self, subscription: Subscription, messages: Sequence[Message], now: datetime) -> Outcome:
        """Send messages as one mail.

        Parameters
        ----------
        subscription : Subscription
        messages : sequence of Message
            Of one batch.
        now : datetime
            Aware.

        Returns
        -------
        Outcome
            Of all of them.
        """
        mail = self.compose(subscription, messages, now)
        try:
            with self._server() as server:
                server.send_message(mail)
        except smtplib.SMTPRecipientsRefused as error:
            code, text = next(iter(error.recipients.values()))
            return _refusal(code, text)
        except smtplib.SMTPDataError as error:
            return _refusal(error.smtp_code, error.smtp_error)
        except smtplib.SMTPResponseException as error:
            # Between this service and its mail server, such as a refused login: not the message's fault.
            return Outcome("failed", error.smtp_code, _server_text(error.smtp_error))
        except (OSError, smtplib.SMTPException) as error:
            return Outcome("failed", error=f"{type(error).__name__}: {error}"[:500])
        return Outcome("delivered", 250)

    def compose(self, subscription: Subscription, messages: Sequence[Message], now: datetime) -> EmailMessage:
        """Return messages as one mail.

        Parameters
        ----------
        subscription : Subscription
        messages : sequence of Message
            Of one batch.
        now : datetime
            Aware; the mail's date.

        Returns
        -------
        EmailMessage

        Raises
        ------
        InputError
            If a bulletin is asked for and there is no forecast for it.
        ValueError
            If a header would contain a line break.
        """
        content = self._content(subscription, messages, now)
        first = messages[0]
        mail = EmailMessage(policy=SMTP)
        mail["Subject"] = content.subject
        mail["From"] = Address(self._settings.warnings.sender_name, addr_spec=self._settings.subscriptions.mail_from)
        mail["To"] = Address(addr_spec=subscription.target)
        mail["Date"] = now
        # The same through all attempts: mail programs show a repeated mail once.
        mail["Message-ID"] = f"<{first.id}@{self._settings.subscriptions.mail_from.rsplit('@', 1)[-1]}>"
        mail["Auto-Submitted"] = "auto-generated"
        for message in messages:
            mail["X-Hazecast-Message"] = f"{message.id} {message.type} {message.event_id}"
        unsubscribe = None
        if first.type != CONFIRMATION:
            unsubscribe = f"{self._base}/v1/subscriptions/{subscription.id}/unsubscribe?code={subscription.code}"
            mail["List-Unsubscribe"] = f"<{unsubscribe}>"
            mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        picture = f"map.{first.id}@hazecast" if content.picture else None
        values = {
            "subject": content.subject, "sections": content.sections, "unsubscribe": unsubscribe, "picture": picture,
        }  # fmt: skip
        if content.editions:
            self._add_bulletin(mail, subscription, content.editions, values)
            return mail
        mail.set_content(_templates().get_template("mail.txt").render(values))
        mail.add_alternative(_templates().get_template("mail.html").render(values), subtype="html")
        if content.picture and picture:
            _add_pictures(mail, {picture: content.picture})
        return mail

    def _add_bulletin(
        self,
        mail: EmailMessage,
        subscription: Subscription,
        editions: Sequence[EditionElsewhere],
        values: dict[str, Any],
    ) -> None:
        """Fill a mail with the bulletin: HTML in the first language, text in all, and the files asked for."""
        del mail["Subject"]
        mail["Subject"] = editions[0].title
        foot = _templates().get_template("foot.txt").render(values)
        mail.set_content("\n\n".join([*(edition.text for edition in editions), foot]))
        html, pictures = editions[0].mail()
        mail.add_alternative(html.decode(), subtype="html")
        _add_pictures(mail, pictures)
        for edition in editions:
            for name in BULLETIN_FORMATS:
                if name in subscription.formats:
                    try:
                        document = edition.document(name)
                    except MissingExtraError as error:
                        # The mail itself has the same content as the file.
                        log.warning("delivery: the bulletin goes without its %s: %s", name, error)
                        continue
                    main, sub = document.media_type.split(";")[0].split("/")
                    mail.add_attachment(document.content, maintype=main, subtype=sub, filename=document.name)

    def _content(self, subscription: Subscription, messages: Sequence[Message], now: datetime) -> _Content:
        content = _Content()
        messages = self._gravest_first(messages)
        asked = messages[0].type == CONFIRMATION
        for language in languages_of(subscription):
            words = texts(language)
            parts = [self._part(subscription, message, language, words) for message in messages]
            items = advice_once(parts, words)
            if not content.sections:
                first = items[0].title
                content.subject = first if len(items) == 1 else words["several"].format(first=first, n=len(items) - 1)
            content.sections.append(
                {
                    "parts": items,
                    # Who has not confirmed reads nothing that the subscriber wrote.
                    "why": "" if asked else words["why"].format(name=subscription.name),
                    **{name: words[name] for name in ("tag", "disclaimer", "map", "unsubscribe")},
                }
            )
        first_language = languages_of(subscription)[0]
        content.picture = next(
            (
                picture
                for message in messages
                if self._pictures
                and message.type.startswith("warning.")
                and (picture := self._map_of(message, first_language)) is not None
            ),
            None,
        )
        if any(message.type == BULLETIN for message in messages):
            content.editions = self._editions(subscription, now)
        return content

    def _gravest_first(self, messages: Sequence[Message]) -> list[Message]:
        """Return what warns by severity, then what ends a warning, then all else."""

        def order(message: Message) -> tuple[int, int]:
            if message.type not in WARNING_TYPES:
                return 2, 0
            rules = self._book.rule_set(message.content["rule_set"])
            ends = message.type == WITHDRAWN or message.content["kind"] == "lift"
            return int(ends), SEVERITIES.index(severity(rules, message.content["level"]))

        return sorted(messages, key=order)

    def _part(self, subscription: Subscription, message: Message, language: Language, words: dict[str, str]) -> Part:
        if message.type == CONFIRMATION:
            link = confirmation_url(self._base, subscription)
            return Part(words["confirm"], [words["confirm_note"]], [(words["confirm_button"], link)])
        if message.type == TEST:
            return Part(words["test"].format(name=subscription.name), [words["test_note"]])
        if message.type == FORECAST:
            init_time, written = datetime.fromisoformat(message.content["init_time"]), catalog(language)
            zone = subscription.time_zone
            time = f"{written.stamp(init_time, zone)} ({written.zone(zone, init_time)})"
            notes = [words["forecast_note"].format(time=time)]
            if message.content["degraded"]:
                notes.append(words["degraded"])
            mark = words["simulated"] if message.simulated else ""
            return Part(mark + words["forecast"].format(time=time), notes)
        if message.type == BULLETIN:
            return Part(words["bulletin"].format(date=message.content["date"]), [])
        warning = HazeWarning.model_validate(message.content)
        rules = self._book.rule_set(warning.rule_set)
        why = explain(self._store, warning)
        text = compose(warning, rules, self._registry.city(warning.city), language, why=why, registry=self._registry)
        links = warning_links(warning.id, message.simulated, self._base)
        labelled = [(words["details"], f"{links['page']}?lang={language}"), (words["cap"], links["cap"])]
        colour = rules.level_of(warning.level).colour
        if message.type == WITHDRAWN:
            title = words["withdrawn"].format(headline=text.headline)
            return Part(title, [words["withdrawn_note"], text.description], labelled, colour)
        return Part(text.headline, [text.description], labelled, colour, text.instruction.split("\n"))

    def _map_of(self, message: Message, language: str) -> bytes | None:
        warning = HazeWarning.model_validate(message.content)
        run = self._store.run_at(warning.run_init_time, warning.simulated)
        if run is None:
            return None
        in_force, look = shown_warnings(self._store, run, self._book), Look(language, "phone")
        path, name = run.netcdf_path, haze_name(self._settings, in_force, look)
        made = read_product(Path(path), name)
        if made is not None:
            return made
        try:
            drawn = (path, name, haze_map, self._settings, path, in_force, look)
            return run_in_subprocess(make_product, *drawn, where=path)
        except InputError as error:
            # The forecast's file is gone: the warning goes out without a picture.
            log.warning("delivery: a warning goes without its map: %s", error)
            return None

    def _editions(self, subscription: Subscription, now: datetime) -> list[EditionElsewhere]:
        if self._bulletins is None:
            raise InputError("bulletin", "none", "a service that makes bulletins")
        cities = cities_of(subscription, self._registry)
        return [self._bulletins(cities, language, now) for language in languages_of(subscription)]

    def _server(self) -> smtplib.SMTP:
        given = self._settings.smtp
        assert given.host is not None
        if given.tls == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                given.host, given.port, timeout=_SMTP_SECONDS, context=_tls(given.ca_file)
            )
        else:
            server = smtplib.SMTP(given.host, given.port, timeout=_SMTP_SECONDS)
        try:
            if given.tls == "starttls":
                server.starttls(context=_tls(given.ca_file))
            if given.user is not None:
                server.login(given.user, given.password.get_secret_value())
        except BaseException:
            server.close()
            raise
        return server


@cache
def texts(language: str) -> dict[str, str]:
    """Return the texts of mails and pages in a language, besides those of warnings.

    Raises
    ------
    InputError
        If the language is not known.
    """
    known: dict[str, dict[str, str]] = tomllib.loads((_FOLDER / "texts.toml").read_text(encoding="utf-8"))
    return known[catalog(language).language]


@cache
def _templates() -> Environment:
    return Environment(
        loader=FileSystemLoader(_FOLDER / "templates"), autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip


def page(language: str, title: str, *, button: str | None = None, action: str = "") -> str:
    """Return an HTML page of one sentence, with a button where the reader has to decide.

    Parameters
    ----------
    language : str
    title : str
        Key of the sentence in ``texts.toml``.
    button : str, optional
        Key of the button's text; without it, the page has no button.
    action : str
        Address to which the button posts.

    Returns
    -------
    str
    """
    words = texts(language)
    return _templates().get_template("page.html").render(
        words=words, title=words[title], button=words[button] if button else None, action=action
    )  # fmt: skip


def _add_pictures(mail: EmailMessage, pictures: Mapping[str, bytes]) -> None:
    html = mail.get_body(("html",))
    assert isinstance(html, EmailMessage)
    for name, content in pictures.items():
        html.add_related(content, maintype="image", subtype="png", cid=f"<{name}>", disposition="inline")


def _refusal(code: int, text: object) -> Outcome:
    # RFC 5321, 4.2.1: 4yz may succeed later, 5yz will not.
    return Outcome("refused" if 500 <= code < 600 else "failed", code, _server_text(text))


def _server_text(text: object) -> str:
    return (text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text))[:500]


@cache
def _tls(ca_file: Path | None) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=ca_file)
