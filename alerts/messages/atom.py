"""A feed of warnings (Atom, RFC 4287), each entry pointing at its page for people and at its CAP message."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from lxml import etree

from hazecast.alerts.engine.warning import HazeWarning
from hazecast.alerts.messages.cap import MEDIA_TYPE, Sender, cancel_identifier, identifier, terms
from hazecast.alerts.messages.causes import Causes
from hazecast.alerts.messages.texts import catalog
from hazecast.alerts.messages.warning_texts import compose
from hazecast.alerts.rules.book import RuleBook
from hazecast.alerts.rules.ruleset import RuleSet
from hazecast.grids.places.cities import Registry
from hazecast.grids.times import format_time

NAMESPACE = "http://www.w3.org/2005/Atom"


def atom_feed(
    warnings: Sequence[HazeWarning],
    registry: Registry,
    book: RuleBook,
    sender: Sender,
    language: str,
    base_url: str,
    *,
    why: Callable[[HazeWarning], Causes] | None = None,
    page: str | None = None,
    following: str | None = None,
    withdrawn: Sequence[tuple[HazeWarning, datetime]] = (),
) -> bytes:
    """Return messages as an Atom feed, newest first, or a page of one (RFC 5005, section 3).

    Parameters
    ----------
    warnings : sequence of HazeWarning
        Messages of every kind, ended ones too, for readers to learn that they have ended.
    registry : Registry
    book : RuleBook
        Holds the rule sets of the messages.
    sender : Sender
    language : {"zh", "ja", "en"}
        Of titles and summaries.
    base_url : str
        Address of the service, without ``/v1``.
    why : callable, optional
        Gives the causes that the summaries name.
    page : str, optional
        Path and query of this document, by default those of the feed in the language.
    following : str, optional
        Path and query of the next page.
    withdrawn : sequence of (HazeWarning, datetime)
        Messages that were withdrawn, and when: each has an entry of its own, before the others.

    Returns
    -------
    bytes
        XML; the same for the same messages, so that it can be cached.

    Raises
    ------
    InputError
        If the language, a city or a rule set is not known.
    """
    base = base_url.rstrip("/")
    newest_first = sorted(warnings, key=lambda w: (w.issued, w.id), reverse=True)
    feed = etree.Element(f"{{{NAMESPACE}}}feed", nsmap={None: NAMESPACE})  # type: ignore[dict-item]
    feed.set("{http://www.w3.org/XML/1998/namespace}lang", catalog(language).tag)
    address = f"{base}/v1/warnings/feed.atom?language={language}"
    _add(feed, "id", address)
    _add(feed, "title", sender.name)
    # Without a message nothing was ever updated; a feed must still give a time, and the same one each time.
    times = [*(warning.issued for warning in newest_first[:1]), *(at for _, at in withdrawn)]
    _add(feed, "updated", format_time(max(times, default=datetime(1970, 1, 1, tzinfo=UTC))))
    author = etree.SubElement(feed, f"{{{NAMESPACE}}}author")
    _add(author, "name", sender.name)
    _link(feed, "self", address if page is None else base + page, "application/atom+xml")
    if following is not None:
        _link(feed, "next", base + following, "application/atom+xml")
    for warning, at in sorted(withdrawn, key=lambda one: (one[1], one[0].id), reverse=True):
        _add_withdrawal(feed, warning, at, registry, book.rule_set(warning.rule_set), language, base)
    for warning in newest_first:
        _add_entry(
            feed, warning, registry, book.rule_set(warning.rule_set), language, base, why(warning) if why else None
        )
    return etree.tostring(feed, xml_declaration=True, encoding="UTF-8")


def _add_entry(
    feed: etree._Element,
    warning: HazeWarning,
    registry: Registry,
    rules: RuleSet,
    language: str,
    base: str,
    why: Causes | None,
) -> None:
    text = compose(warning, rules, registry.city(warning.city), language, why=why, registry=registry)
    entry = etree.SubElement(feed, f"{{{NAMESPACE}}}entry")
    _add(entry, "id", f"{base}/v1/warnings/{identifier(warning.id, warning.simulated)}")
    _add(entry, "title", text.headline)
    _add(entry, "updated", format_time(warning.issued))
    _add(entry, "published", format_time(warning.issued))
    _add(entry, "summary", text.description)
    for term in (terms(warning, rules).message_type, warning.level):
        etree.SubElement(entry, f"{{{NAMESPACE}}}category", term=term)
    name = identifier(warning.id, warning.simulated)
    # Readers open the first: what people can read.
    _link(entry, "alternate", f"{base}/warnings/{name}?lang={language}", "text/html")
    _link(entry, "alternate", f"{base}/v1/warnings/{name}.cap", MEDIA_TYPE)


def _add_withdrawal(
    feed: etree._Element,
    warning: HazeWarning,
    at: datetime,
    registry: Registry,
    rules: RuleSet,
    language: str,
    base: str,
) -> None:
    words, name = catalog(language), f"name_{language}"
    entry = etree.SubElement(feed, f"{{{NAMESPACE}}}entry")
    _add(entry, "id", f"{base}/v1/warnings/{cancel_identifier(warning)}")
    area, level = getattr(registry.city(warning.city), name), getattr(rules.level_of(warning.level), name)
    headline = words.say("headline.withdrawn", area=area, level=level)
    if warning.simulated:
        headline = words.say("headline.simulated", headline=headline)
    _add(entry, "title", headline)
    _add(entry, "updated", format_time(at))
    _add(entry, "published", format_time(at))
    _add(entry, "summary", words.say("note.withdrawn"))
    for term in ("Cancel", warning.level):
        etree.SubElement(entry, f"{{{NAMESPACE}}}category", term=term)
    _link(entry, "alternate", f"{base}/v1/warnings/{cancel_identifier(warning)}.cap", MEDIA_TYPE)


def _add(parent: etree._Element, name: str, text: str) -> None:
    element = etree.SubElement(parent, f"{{{NAMESPACE}}}{name}")
    element.text = text


def _link(parent: etree._Element, relation: str, address: str, media_type: str) -> None:
    etree.SubElement(parent, f"{{{NAMESPACE}}}link", rel=relation, href=address, type=media_type)
