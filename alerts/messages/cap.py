"""Warnings as messages of the Common Alerting Protocol 1.2 (OASIS Standard, 2010-07-01).

One message for each `HazeWarning`: Alert for an issue, Update for what follows it, a lift with the response AllClear,
with one info block a language; and a Cancel for each that is withdrawn. A message follows from the warning alone, so it is the same whenever it is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from lxml import etree

from hazecast.alerts.engine.warning import HazeWarning
from hazecast.alerts.geography.city_areas import city_area, rings
from hazecast.alerts.messages.causes import Causes
from hazecast.alerts.messages.rounding import rounded
from hazecast.alerts.messages.state_texts import bounds
from hazecast.alerts.messages.texts import LANGUAGES, catalog
from hazecast.alerts.messages.warning_texts import Text, compose
from hazecast.alerts.rules.criteria import HOURLY
from hazecast.alerts.rules.ruleset import RuleSet
from hazecast.alerts.rules.severity import Severity, severity
from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import City, Registry

NAMESPACE = "urn:oasis:names:tc:emergency:cap:1.2"
MEDIA_TYPE = "application/cap+xml"
# The name of the hazard in the WMO's list (Eighteenth Congress), as tools that publish to the WMO's hub write it;
# for China's warnings, which are of haze. The CMA's own code of the signal could not be verified and is left out.
_EVENT_CODE = ("WMO", "Haze/Smoke")
_IDENTIFIER = re.compile(r"[^\s,<&]+")


@dataclass(frozen=True)
class Sender:
    """Who publishes: a globally unique name (CAP's ``sender``), and how people are to know and reach them.

    `web` is the address of the service, to which ``/warnings/<id>``, the page of a warning for people, is added.
    """

    id: str
    name: str = "Hazecast"
    contact: str | None = None
    web: str | None = None

    def __post_init__(self) -> None:
        if not _IDENTIFIER.fullmatch(self.id):
            raise InputError("CAP sender", self.id, "a name without spaces, commas, < or &")


@dataclass(frozen=True)
class Terms:
    """The words of CAP for one warning, the same in every language."""

    status: Literal["Actual", "Test"]
    message_type: Literal["Alert", "Update"]
    urgency: Literal["Immediate", "Expected", "Future", "Past"]
    severity: Severity
    certainty: Literal["Observed", "Likely", "Possible"]
    response: tuple[str, ...]


def terms(warning: HazeWarning, ruleset: RuleSet) -> Terms:
    """Return what CAP calls a warning's status, type, urgency, severity, certainty and response.

    CAP 1.2, section 3.2.2: urgency is Immediate where the level is observed, Expected where it begins within
    an hour of issue, else Future. Certainty is Observed where it is, else Likely above a probability of 50 %
    (or where none is given: the median forecast meets the level), else Possible ("p <= ~50%"). What is only possible is
    never Extreme and asks to prepare and to monitor: a choice of this service. A simulated warning is a Test.

    Parameters
    ----------
    warning : HazeWarning
    ruleset : RuleSet
        The warning's own.

    Returns
    -------
    Terms

    Raises
    ------
    InputError
        If the rule set has no such level.
    """
    status: Literal["Actual", "Test"] = "Test" if warning.simulated else "Actual"
    message_type: Literal["Alert", "Update"] = "Update" if warning.references else "Alert"
    if warning.kind == "lift":
        return Terms(status, message_type, "Past", "Minor", "Likely", ("AllClear",))
    level_severity = severity(ruleset, warning.level)
    response = {"Extreme": ("Shelter", "Avoid"), "Severe": ("Avoid",)}.get(level_severity, ("Prepare", "Monitor"))
    if warning.observed_now:
        return Terms(status, message_type, "Immediate", level_severity, "Observed", response)
    soon = warning.onset - warning.issued <= timedelta(hours=1)
    urgency: Literal["Expected", "Future"] = "Expected" if soon else "Future"
    if warning.is_likely:
        return Terms(status, message_type, urgency, level_severity, "Likely", response)
    # Nobody is sent indoors, and no threat called extraordinary, for what is not likely.
    milder: Severity = "Severe" if level_severity == "Extreme" else level_severity
    return Terms(status, message_type, urgency, milder, "Possible", ("Prepare", "Monitor"))


def identifier(warning_id: str, simulated: bool) -> str:
    """Return the CAP identifier of a warning: its id, marked where it is simulated.

    Parameters
    ----------
    warning_id : str
    simulated : bool

    Returns
    -------
    str

    Raises
    ------
    InputError
        If the id holds a space, comma, ``<`` or ``&``.
    """
    name = f"{warning_id}.simulated" if simulated else warning_id
    if not _IDENTIFIER.fullmatch(name):
        raise InputError("CAP identifier", name, "a name without spaces, commas, < or &")
    return name


def cap_message(
    warning: HazeWarning,
    earlier: Mapping[str, HazeWarning],
    ruleset: RuleSet,
    city: City,
    sender: Sender,
    *,
    why: Causes | None = None,
    registry: Registry | None = None,
) -> bytes:
    """Return a warning as a CAP 1.2 message.

    Parameters
    ----------
    warning : HazeWarning
    earlier : mapping of str to HazeWarning
        By id, at least all that the warning refers to.
    ruleset : RuleSet
        The warning's own.
    city : City
        Gives names, time zone, area and codes.
    sender : Sender
    why : Causes, optional
        For the description.
    registry : Registry, optional
        The city's own, for its area.

    Returns
    -------
    bytes
        XML in UTF-8; times with the offset of the city, never ``Z``.

    Raises
    ------
    InputError
        If an earlier message is missing, or a name contains what CAP does not allow.
    """
    what = terms(warning, ruleset)
    name, sent = identifier(warning.id, warning.simulated), cap_time(warning.issued, city.time_zone)
    root = _alert(name, sent, sender, what.status, what.message_type)
    if warning.simulated:
        _add(root, "note", "Made from simulated data: a test, not a warning.")
    if warning.references:
        _add(root, "references", _references(warning, earlier, city, sender))
    _add(root, "incidents", identifier((*warning.references, warning.id)[0], warning.simulated))
    for language in LANGUAGES:
        text = compose(warning, ruleset, city, language, why=why, registry=registry)
        info = _add_info(root, warning, what, text, ruleset, city, sender)
        _add_area(info, text, city, registry)
    return serialised(root)


def cancel_message(warning: HazeWarning, withdrawn: datetime, city: City, sender: Sender) -> bytes:
    """Return the message that cancels one which was withdrawn: to whoever has it, it still says that it is in force.

    Parameters
    ----------
    warning : HazeWarning
    withdrawn : datetime
        When, aware.
    city : City
        The warning's own: gives the time zone and the names.
    sender : Sender

    Returns
    -------
    bytes
        CAP 1.2 with msgType Cancel, a note and no info (section 3.2.1).

    Raises
    ------
    InputError
        If a name contains what CAP does not allow.
    """
    name, sent = cancel_identifier(warning), cap_time(withdrawn, city.time_zone)
    root = _alert(name, sent, sender, "Test" if warning.simulated else "Actual", "Cancel")
    _add(root, "note", " ".join(catalog(language).say("note.withdrawn") for language in LANGUAGES))
    _add(root, "references", _references_to([warning], city, sender))
    _add(root, "incidents", identifier((*warning.references, warning.id)[0], warning.simulated))
    return serialised(root)


def cancel_identifier(warning: HazeWarning) -> str:
    """Return the CAP identifier of the message that cancels a warning."""
    return f"{identifier(warning.id, warning.simulated)}.withdrawn"


def _alert(name: str, sent: str, sender: Sender, status: str, message_type: str) -> etree._Element:
    root = etree.Element(f"{{{NAMESPACE}}}alert", nsmap={None: NAMESPACE})  # type: ignore[dict-item]
    values = {"identifier": name, "sender": sender.id, "sent": sent, "status": status, "msgType": message_type}
    for element, text in (values | {"scope": "Public"}).items():
        _add(root, element, text)
    return root


def _references(warning: HazeWarning, earlier: Mapping[str, HazeWarning], city: City, sender: Sender) -> str:
    for reference in warning.references:
        if reference not in earlier:
            raise InputError(f"{warning.id}: references", reference, "a message that is given")
    return _references_to([earlier[reference] for reference in warning.references], city, sender)


def _references_to(messages: Sequence[HazeWarning], city: City, sender: Sender) -> str:
    return " ".join(
        f"{sender.id},{identifier(one.id, one.simulated)},{cap_time(one.issued, city.time_zone)}" for one in messages
    )


def _add_info(
    root: etree._Element, warning: HazeWarning, what: Terms, text: Text, ruleset: RuleSet, city: City, sender: Sender
) -> etree._Element:
    info = etree.SubElement(root, f"{{{NAMESPACE}}}info")
    _add(info, "language", text.language)
    for category in ("Env", "Met"):
        _add(info, "category", category)
    _add(info, "event", text.event)
    for response in what.response:
        _add(info, "responseType", response)
    _add(info, "urgency", what.urgency)
    _add(info, "severity", what.severity)
    _add(info, "certainty", what.certainty)
    if ruleset.country == "CN":
        _add_pair(info, "eventCode", *_EVENT_CODE)
    for name in ("effective", "onset", "expires"):
        time = warning.issued if name == "effective" else getattr(warning, name)
        _add(info, name, cap_time(time, city.time_zone))
    _add(info, "senderName", sender.name)
    _add(info, "headline", text.headline)
    _add(info, "description", text.description)
    _add(info, "instruction", text.instruction)
    if sender.web:
        page = f"{sender.web.rstrip('/')}/warnings/{identifier(warning.id, warning.simulated)}"
        _add(info, "web", f"{page}?lang={text.language.partition('-')[0]}")
    if sender.contact:
        _add(info, "contact", sender.contact)
    for name, value in (parameters(warning, ruleset) | city_code(city)).items():
        _add_pair(info, "parameter", name, value)
    return info


def _add_area(info: etree._Element, text: Text, city: City, registry: Registry | None) -> None:
    area = etree.SubElement(info, f"{{{NAMESPACE}}}area")
    _add(area, "areaDesc", text.area)
    for ring in rings(city_area(city, registry).geometry):
        _add(area, "polygon", " ".join(f"{lat:.3f},{lon:.3f}" for lon, lat in ring))
    for scheme, code in geocodes(city, registry).items():
        _add_pair(area, "geocode", scheme, code)


def parameters(warning: HazeWarning, ruleset: RuleSet) -> dict[str, str]:
    """Return further machine-readable facts of a warning, as CAP's parameters.

    Parameters
    ----------
    warning : HazeWarning
    ruleset : RuleSet
        The warning's own.

    Returns
    -------
    dict of str to str
        By name.
    """
    found = {
        "kind": warning.kind,
        "level": warning.level,
        "rule_set": f"{ruleset.id} {warning.rule_version or ruleset.version}",
        "weather_source": warning.weather_source,
        "simulated": str(warning.simulated).lower(),
    }
    if warning.reason:
        found["reason"] = warning.reason
    for name, value in (("probability", warning.probability), ("threshold", warning.threshold)):
        if value is not None:
            found[name] = f"{value:.2f}"
    mass = [e.pm25 for e in warning.evidence if e.pm25 is not None]
    seen = [e.visibility for e in warning.evidence if e.visibility is not None]
    if mass:
        found["pm25_max_ug_m3"] = str(rounded(max(mass), 1.0, bounds(ruleset, "pm25")))
    if seen:
        found["visibility_min_m"] = str(rounded(min(seen), 1.0, bounds(ruleset, "visibility")))
    for name in sorted({name for e in warning.evidence for name in e.values} - set(HOURLY)):
        found[f"{name}_max"] = f"{max(e.values[name] for e in warning.evidence if name in e.values):g}"
    return found


def geocodes(city: City, registry: Registry | None = None) -> dict[str, str]:
    """Return the code of a city's area by scheme; empty where the area isn't what the code names.

    A receiver warns the union of polygons and codes (CAP 1.2, section 3.2.4): the code of a whole city or province
    beside the polygon of a part of it would warn more than is meant.

    Parameters
    ----------
    city : City
    registry : Registry, optional
        The city's own.

    Returns
    -------
    dict of str to str
    """
    if city.code is None or not city_area(city, registry).administrative:
        return {}
    return {_scheme(city): city.code}


def city_code(city: City) -> dict[str, str]:
    """Return the code of the city that a warning is for, as a parameter; empty where the registry gives none."""
    return {} if city.code is None else {"city_code": f"{_scheme(city)} {city.code}"}


def _scheme(city: City) -> str:
    return {"CN": "GB/T 2260", "JP": "JIS X 0402"}.get(city.country, f"code of {city.country}")


def cap_time(time: datetime, zone: str) -> str:
    """Return a time as CAP 1.2 (section 3.3.2) writes it.

    Parameters
    ----------
    time : datetime
        Aware.
    zone : str
        IANA name.

    Returns
    -------
    str
        To the second, with a numeric offset; UTC is ``-00:00``.
    """
    text = time.astimezone(ZoneInfo(zone)).isoformat(timespec="seconds")
    return text.removesuffix("+00:00") + "-00:00" if text.endswith("+00:00") else text


def parse(message: bytes) -> etree._Element:
    """Return the root of an XML message from elsewhere: no entities, no document type, no network.

    Raises
    ------
    InputError
        If it is not well-formed XML, declares a document type, or is no CAP 1.2 alert.
    """
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(message, parser)
    except etree.XMLSyntaxError as error:
        raise InputError("CAP message", error, "well-formed XML") from error
    doctype = str(root.getroottree().docinfo.doctype)  # type: ignore[union-attr]
    if doctype:
        raise InputError("CAP message: document type", doctype, "none")
    if root.tag != f"{{{NAMESPACE}}}alert":
        raise InputError("CAP message: root", root.tag, f"alert of {NAMESPACE}")
    return root


def _add(parent: etree._Element, name: str, text: str) -> None:
    element = etree.SubElement(parent, f"{{{NAMESPACE}}}{name}")
    element.text = text


def _add_pair(parent: etree._Element, name: str, value_name: str, value: str) -> None:
    pair = etree.SubElement(parent, f"{{{NAMESPACE}}}{name}")
    _add(pair, "valueName", value_name)
    _add(pair, "value", value)


def serialised(root: etree._Element) -> bytes:
    """Return a message as XML in UTF-8 with its declaration."""
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def event_chain(warning: HazeWarning, messages: Sequence[HazeWarning]) -> dict[str, HazeWarning]:
    """Return those of `messages` that a warning refers to.

    Parameters
    ----------
    warning : HazeWarning
    messages : sequence of HazeWarning

    Returns
    -------
    dict of str to HazeWarning
        By id.
    """
    wanted = set(warning.references)
    return {m.id: m for m in messages if m.id in wanted and m.simulated == warning.simulated}
