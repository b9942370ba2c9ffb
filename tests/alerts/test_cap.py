"""CAP: valid by the OASIS schema, one event from Alert to Cancel, the same facts in three languages, signed."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from hazecast.alerts.engine.warning import HazeWarning
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
from hazecast.alerts.messages.geojson import feature_collection
from hazecast.alerts.messages.signature import sign, verify
from hazecast.alerts.rules.book import RuleBook
from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import load_registry
from tests.support.cap_messages import NS, SENDER, START, made_warning, schema, texts_at
from tests.support.certificates import key_and_certificate

RULES, REGISTRY = RuleBook.shipped().haze_signal, load_registry()


def event() -> list[HazeWarning]:
    messages = [made_warning()]
    for run, kind in enumerate(("continue", "upgrade", "downgrade", "lift"), start=1):
        messages.append(made_warning(kind, run=run, before=messages[-1]))
    return messages


def cap(warning: HazeWarning, messages: list[HazeWarning] | None = None, sender: Sender = SENDER) -> bytes:
    earlier = event_chain(warning, messages or [])
    return cap_message(warning, earlier, RULES, REGISTRY.city(warning.city), sender)


def test_an_event_is_alert_updates_and_cancel_with_all_references() -> None:
    messages = event()
    roots = [parse(cap(m, messages)) for m in messages]
    for root in roots:
        schema().assertValid(root)
    assert [texts_at(r, "msgType")[0] for r in roots] == ["Alert", "Update", "Update", "Update", "Cancel"]
    assert texts_at(roots[0], "references") == []
    triplets = texts_at(roots[-1], "references")[0].split(" ")
    assert triplets == [f"haze@bureau.example,{m.id},{cap_time(m.issued, 'Asia/Shanghai')}" for m in messages[:-1]]
    assert {texts_at(r, "incidents")[0] for r in roots} == {messages[0].id}
    assert (
        texts_at(roots[-1], "info/responseType") == ["AllClear"] * 3
        and texts_at(roots[-1], "info/urgency")[0] == "Past"
    )


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
    assert texts_at(infos[2], "web") == [f"https://haze.example/v1/warnings/{made_warning().id}"]


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
    link = root.find("a:entry/a:link", NS)
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
