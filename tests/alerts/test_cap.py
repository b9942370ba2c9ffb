"""CAP: valid by the OASIS schema, one event from Alert to AllClear, the same facts in three languages, signed."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from itertools import pairwise

import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from hazecast.alerts.engine.approval import approve
from hazecast.alerts.engine.draft import Draft
from hazecast.alerts.engine.lifecycle import advance
from hazecast.alerts.engine.warning import HazeWarning, as_issued
from hazecast.alerts.geography.city_areas import city_area
from hazecast.alerts.geography.shapes import provinces
from hazecast.alerts.messages.atom import atom_feed
from hazecast.alerts.messages.cap import (
    NAMESPACE,
    Sender,
    cap_message,
    cap_time,
    event_chain,
    identifier,
    parse,
    terms,
)
from hazecast.alerts.messages.causes import Causes, Seen
from hazecast.alerts.messages.geojson import feature_collection
from hazecast.alerts.messages.signature import sign, verify
from hazecast.alerts.messages.texts import LANGUAGES
from hazecast.alerts.messages.warning_texts import compose
from hazecast.alerts.rules.book import RuleBook
from hazecast.grids.errors import ConflictError, InputError
from hazecast.grids.places.cities import load_registry
from tests.support.cap_messages import NS, SENDER, START, made_warning, schema, texts_at
from tests.support.certificates import key_and_certificate
from tests.support.warning_cases import assessed

RULES, REGISTRY = RuleBook.shipped().haze_signal, load_registry()


def event() -> list[HazeWarning]:
    messages = [made_warning()]
    for run, kind in enumerate(("continue", "upgrade", "downgrade", "lift"), start=1):
        messages.append(made_warning(kind, run=run, before=messages[-1]))
    return messages


def cap(warning: HazeWarning, messages: list[HazeWarning] | None = None, sender: Sender = SENDER) -> bytes:
    earlier = event_chain(warning, messages or [])
    return cap_message(warning, earlier, RULES, REGISTRY.city(warning.city), sender)


def test_an_event_is_alert_and_updates_with_all_references() -> None:
    messages = event()
    roots = [parse(cap(m, messages)) for m in messages]
    for root in roots:
        schema().assertValid(root)
    assert [texts_at(r, "msgType")[0] for r in roots] == ["Alert", "Update", "Update", "Update", "Update"]
    assert texts_at(roots[0], "references") == []
    triplets = texts_at(roots[-1], "references")[0].split(" ")
    assert triplets == [f"haze@bureau.example,{m.id},{cap_time(m.issued, 'Asia/Shanghai')}" for m in messages[:-1]]
    assert {texts_at(r, "incidents")[0] for r in roots} == {messages[0].id}
    assert (
        texts_at(roots[-1], "info/responseType") == ["AllClear"] * 3
        and texts_at(roots[-1], "info/urgency")[0] == "Past"
    )


@settings(max_examples=15, deadline=None)
@given(
    steps=st.lists(
        st.tuples(st.sampled_from([(0.0, 0.0, 0.0), (0.9, 0.0, 0.0), (0.9, 0.9, 0.0), (0.9, 0.9, 0.9)]), st.booleans()),
        min_size=2,
        max_size=7,
    ),
    late=st.integers(1, 100),
)
def test_references_name_what_was_published_and_sent_is_when(steps, late) -> None:
    """Cycles late by some minutes, and approvals that come up to hours later, or not at all."""
    published: list[HazeWarning] = []
    for run, (probabilities, by_person) in enumerate(steps):
        init = START + timedelta(hours=12 * run)
        assessment = assessed(RULES, "beijing", init, probabilities)
        for message in advance(published, [assessment], init, ruleset=RULES):
            at = init + timedelta(minutes=late, seconds=30)
            if by_person:
                draft = Draft(proposed=message, drafted_at=init)
                with suppress(ConflictError):  # what it follows may have expired by then
                    published.append(
                        approve(draft, published, by="Li Na", reason="seen", at=at + timedelta(hours=1))[1]
                    )
            elif late % 3:
                published.append(as_issued(message, at))
    sent: dict[str, str] = {}
    for message in published:
        root = parse(cap(message, published))
        schema().assertValid(root)
        assert texts_at(root, "sent") == [cap_time(message.issued, "Asia/Shanghai")]
        assert message.issued > message.run_init_time
        (moment,) = set(texts_at(root, "info/effective"))
        assert moment == texts_at(root, "sent")[0]
        triplets = [t for line in texts_at(root, "references") for t in line.split(" ")]
        assert triplets == [f"{SENDER.id},{name},{sent[name]}" for name in message.references]
        if message.kind == "lift":
            assert texts_at(root, "msgType") == ["Update"] and set(texts_at(root, "info/responseType")) == {"AllClear"}
            assert timedelta(0) < message.expires - message.issued <= timedelta(hours=2)
        sent[message.id] = texts_at(root, "sent")[0]


def test_the_time_of_issue_stays_where_the_same_is_said_again_and_history_is_not_issued_anew() -> None:
    message = made_warning()
    first = as_issued(message, START + timedelta(minutes=40))
    assert first.issued == START + timedelta(minutes=40) and first.run_init_time == START
    assert as_issued(message, START + timedelta(minutes=50), first) == first
    other = message.model_copy(update={"level": "red"})
    assert as_issued(other, START + timedelta(minutes=50), first).issued == START + timedelta(minutes=50)
    assert as_issued(message, START + timedelta(days=900)) == message
    assert as_issued(message, START - timedelta(minutes=5)).issued == START


def test_a_lift_says_what_was_observed() -> None:
    lift = made_warning("lift", run=1, before=made_warning())
    seen = Causes(seen=Seen(START + timedelta(hours=12), 34.6, 80.84))
    texts = {language: compose(lift, RULES, REGISTRY.city("beijing"), language, why=seen) for language in LANGUAGES}
    assert all("PM2.5 35" in text.description for text in texts.values())
    ozone = RuleBook.shipped().rule_set("jp_ox")
    lift = lift.model_copy(update={"rule_set": "jp_ox", "level": "advisory"})
    assert "0.041 ppm" in compose(lift, ozone, REGISTRY.city("kitakyushu"), "ja", why=seen).description


def test_languages_say_the_same() -> None:
    infos = parse(cap(made_warning())).findall("c:info", NS)
    assert [texts_at(i, "language") for i in infos] == [["zh-CN"], ["ja-JP"], ["en-US"]]
    for name in (
        "urgency",
        "severity",
        "certainty",
        "category",
        "onset",
        "expires",
        "area/polygon",
        "area/geocode/value",
    ):
        assert len({tuple(texts_at(i, name)) for i in infos}) == 1 and texts_at(infos[0], name), name
    for name in ("event", "headline", "description", "instruction", "area/areaDesc"):
        assert len({tuple(texts_at(i, name)) for i in infos}) == 3, name
    assert texts_at(infos[0], "category") == ["Env", "Met"] and texts_at(infos[0], "area/geocode/value") == ["110000"]
    assert texts_at(infos[2], "senderName") == ["Bureau & Test"]
    assert texts_at(infos[2], "web") == [f"https://haze.example/warnings/{made_warning().id}?lang=en"]


def test_times_carry_the_city_offset_and_never_z() -> None:
    root = parse(cap(made_warning()))
    assert texts_at(root, "sent") == ["2013-01-11T18:00:00+08:00"]
    assert texts_at(root, "info/onset")[0] == "2013-01-11T20:00:00+08:00"
    assert cap_time(START, "UTC") == "2013-01-11T10:00:00-00:00"


def test_a_simulated_warning_is_a_test_and_says_so() -> None:
    root = parse(cap(made_warning(simulated=True)))
    schema().assertValid(root)
    assert texts_at(root, "status") == ["Test"] and "simulated" in texts_at(root, "note")[0]
    assert texts_at(root, "identifier")[0] != made_warning().id
    assert all(
        word in text for word, text in zip(("模拟", "模擬", "simulated"), texts_at(root, "info/headline"), strict=True)
    )


@pytest.mark.parametrize(
    ("probability", "expected"),
    [
        (0.12, ("Severe", "Possible", ("Prepare", "Monitor"))),
        (0.5, ("Severe", "Possible", ("Prepare", "Monitor"))),
        (0.51, ("Extreme", "Likely", ("Shelter", "Avoid"))),
        (None, ("Extreme", "Likely", ("Shelter", "Avoid"))),
    ],
)
def test_what_is_not_likely_is_no_extreme_threat_and_sends_nobody_indoors(probability, expected) -> None:
    warning = made_warning(level="red", onset=START + timedelta(hours=2), probability=probability)
    forecast = tuple(e.model_copy(update={"basis": "forecast"}) for e in warning.evidence)
    what = terms(warning.model_copy(update={"evidence": forecast}), RULES)
    assert (what.severity, what.certainty, what.response) == expected
    text = compose(warning, RULES, load_registry().city("beijing"), "en").description
    assert (" may occur in " in text) == (expected[1] == "Possible") and " will " not in text
    assert (" is likely in " in text) == (expected[1] == "Likely")


@pytest.mark.parametrize(
    ("level", "wait", "basis", "expected"),
    [
        ("yellow", 2, "forecast", ("Future", "Moderate", "Likely")),
        ("orange", 1, "forecast", ("Expected", "Severe", "Likely")),
        ("red", 0, "observed", ("Immediate", "Extreme", "Observed")),
    ],
)
def test_terms_follow_level_and_evidence(level, wait, basis, expected) -> None:
    warning = made_warning(level=level, onset=START + timedelta(hours=wait))
    hours = tuple(e.model_copy(update={"basis": basis}) for e in warning.evidence)
    what = terms(warning.model_copy(update={"evidence": hours}), RULES)
    assert (what.urgency, what.severity, what.certainty) == expected


def test_what_cannot_stand_in_cap_is_named() -> None:
    for name in ("a b", "a,b", "a<b", "a&b", ""):
        with pytest.raises(InputError, match="CAP"):
            identifier(name, False)
        with pytest.raises(InputError, match="CAP sender"):
            Sender(name)
    messages = event()
    with pytest.raises(InputError, match=messages[0].id):
        cap(messages[-1], messages[1:])


@settings(max_examples=30, deadline=None)
@given(
    city=st.sampled_from(sorted(REGISTRY.cities)), level=st.sampled_from(["yellow", "orange", "red"]),
    hours=st.integers(0, 40), run=st.integers(0, 40), simulated=st.booleans(),
)  # fmt: skip
def test_any_warning_is_valid_and_its_polygon_holds_the_city(city, level, hours, run, simulated) -> None:
    issued = START + timedelta(hours=12 * run)
    warning = made_warning(
        run=run, city=city, level=level, simulated=simulated, onset=issued, expires=issued + timedelta(hours=hours)
    )
    root = parse(cap(warning))
    schema().assertValid(root)
    place = REGISTRY.city(city)
    rings = [[tuple(map(float, p.split(","))) for p in ring.split(" ")] for ring in texts_at(root, "info/area/polygon")]
    assert all(ring[0] == ring[-1] and len(ring) >= 4 for ring in rings)
    shapes = [shapely.Polygon([(lon, lat) for lat, lon in ring]) for ring in rings]
    assert all(shape.is_valid for shape in shapes)
    assert any(shape.contains(shapely.Point(place.longitude, place.latitude)) for shape in shapes)


def test_codes_of_cities_agree_with_the_shapes() -> None:
    shapes = {(p.country, p.code): p for p in provinces()}
    assert len(shapes) == 31 + 47
    for city in REGISTRY.cities.values():
        own = shapes[(city.country, str(city.province_code))]
        assert own.geometry.contains(shapely.Point(city.longitude, city.latitude)), city.id
        area = city_area(city).geometry
        assert area.is_valid and area.contains(shapely.Point(city.longitude, city.latitude)), city.id


def test_signature_holds_and_a_changed_message_fails() -> None:
    key, certificate = key_and_certificate()
    signed = sign(cap(made_warning()), key, certificate)
    schema().assertValid(parse(signed))
    assert texts_at(verify(signed, certificate), "identifier") == [made_warning().id]
    assert sign(cap(made_warning()), key, certificate) == signed
    with pytest.raises(InputError, match="CAP signature"):
        verify(signed.replace(b"Severe", b"Minor"), certificate)
    with pytest.raises(InputError, match="CAP signature"):
        verify(signed, key_and_certificate()[1])
    with pytest.raises(InputError, match="CAP signature"):
        verify(cap(made_warning()), certificate)
    with pytest.raises(InputError, match="key or certificate"):
        sign(cap(made_warning()), b"no key", certificate)


def test_hostile_xml_is_refused(tmp_path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    entity = f'<!DOCTYPE alert [<!ENTITY x SYSTEM "{secret.as_uri()}">]><alert xmlns="{NAMESPACE}">&x;</alert>'
    for text in (entity, "<alert>", "<html/>", f'<alert xmlns="{NAMESPACE}">'):
        with pytest.raises(InputError, match="CAP message"):
            parse(text.encode())


def test_feed_lists_newest_first_and_points_at_cap() -> None:
    messages = event()
    root = etree.fromstring(atom_feed(messages, REGISTRY, RuleBook.shipped(), SENDER, "ja", "https://haze.example/"))
    stamps = [str(e.text) for e in root.findall("a:entry/a:updated", NS)]
    assert (
        len(stamps) == 5
        and all(a > b for a, b in pairwise(stamps))
        and root.findtext("a:updated", None, NS) == stamps[0]
    )
    page, link = root.findall("a:entry/a:link", NS)[:2]
    assert page.get("href") == f"https://haze.example/warnings/{messages[-1].id}?lang=ja"
    assert link.get("href") == f"https://haze.example/v1/warnings/{messages[-1].id}.cap"
    assert link.get("type") == "application/cap+xml" and "解除" in str(root.findtext("a:entry/a:title", None, NS))
    ids = [str(e.text) for e in root.findall("a:entry/a:id", NS)]
    assert len(set(ids)) == 5
    empty = etree.fromstring(atom_feed([], REGISTRY, RuleBook.shipped(), SENDER, "en", "https://haze.example"))
    assert empty.findtext("a:updated", None, NS) and not empty.findall("a:entry", NS)


def test_geojson_has_the_names_of_weather_services() -> None:
    feature = feature_collection([made_warning()], REGISTRY, RuleBook.shipped())["features"][0]
    shape = shapely.geometry.shape(feature["geometry"])
    assert shape.is_valid and shape.contains(shapely.Point(*feature["properties"]["position"]))
    properties = feature["properties"]
    assert (
        properties["messageType"] == "Alert" and properties["severity"] == "Severe" and properties["status"] == "Actual"
    )
    assert set(properties["headline"]) == set(properties["instruction"]) == {"zh", "ja", "en"}
    assert properties["geocode"] == {"GB/T 2260": "110000"} and properties["sent"].endswith("+08:00")
