"""The parts of a mail say the same advice once."""

from __future__ import annotations

from itertools import product

import pytest

from hazecast.alerts.messages.texts import catalog
from hazecast.alerts.messages.warning_texts import AUDIENCES
from hazecast.services.delivery.mail import texts
from hazecast.services.delivery.mail_parts import Part, advice_once


@pytest.mark.parametrize("language", ["zh", "ja", "en"])
def test_no_pair_of_warnings_says_a_line_twice(language) -> None:
    words, guidance = catalog(language), catalog(language).messages["guidance"]
    advices = [
        [words.say("audience.line", audience=words.say(f"audience.{who}"), advice=tier[who]) for who in AUDIENCES]
        for name, family in guidance.items()
        if name != "lifted"
        for tier in family.values()
    ]
    assert len(advices) == 7
    for one, two in product(advices, advices):
        first, second = advice_once([Part("A", [], advice=one), Part("B", [], advice=two)], texts(language))
        assert list(first.advice) == one
        assert not set(first.advice) & set(second.advice)
        if one != two:
            assert len(second.advice) == len(two)
            for line, said in zip(two, second.advice, strict=True):
                assert said == line if line not in one else ("A" in said and said.startswith(line[:2]))
        else:
            assert len(second.advice) == 1


def test_an_edited_line_to_nobody_stays() -> None:
    edited = "Stay in"
    parts = [Part("A", [], advice=[edited, "Schools: x"]), Part("B", [], advice=[edited])]
    assert list(advice_once(parts, texts("en"))[1].advice) == [edited]
