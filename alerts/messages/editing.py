"""What a person may edit of a warning's text: the comment on the weather, and the advice. Everything else states facts.

The headline, the sentences on level, times and values and the note on the rules are written by the engine for the message
as it is issued, so no edit can make them say something else. A comment may repeat the engine's figures and use no other;
numbers in words, Chinese ones included, are not seen.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

from hazecast.alerts.engine.draft import Edit
from hazecast.alerts.engine.warning import HazeWarning, Wording
from hazecast.alerts.messages.causes import Causes
from hazecast.alerts.messages.texts import LANGUAGES, Language
from hazecast.alerts.messages.warning_texts import Text, compose
from hazecast.alerts.rules.ruleset import RuleSet
from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import City

# Figures, in the digits of any script: 1,500 and 0.5 are one each.
_FIGURE = re.compile(r"\d+(?:[.,]\d+)*")
# As in m² and µg/m³.
_OF_UNITS = "²³"


def checked_edits(
    given: Mapping[Language, Wording],
    warning: HazeWarning,
    ruleset: RuleSet,
    city: City,
    *,
    issued: HazeWarning | None = None,
    why: Causes | None = None,
) -> tuple[Edit, ...]:
    """Return what some words change of a warning's text, with the engine's words beside them.

    Parameters
    ----------
    given : mapping of str to Wording
        By language.
    warning : HazeWarning
        As the engine wrote it.
    ruleset : RuleSet
        The warning's own.
    city : City
    issued : HazeWarning, optional
        As it would be issued, where its level or times are others: a comment may repeat the figures of this one.
    why : Causes, optional
        As for `hazecast.alerts.messages.warning_texts.compose`.

    Returns
    -------
    tuple of Edit
        Empty where the words are the engine's own.

    Raises
    ------
    InputError
        If a comment holds a figure that is not in the engine's text of its language, as issued.
    """
    found: list[Edit] = []
    for language in LANGUAGES:
        if language not in given:
            continue
        text, words = compose(warning, ruleset, city, language, why=why), given[language]
        if words.comment is not None and words.comment != text.comment:
            said = text if issued is None else compose(issued, ruleset, city, language, why=why)
            _check_figures(words.comment, said, language)
            found.append(Edit(part="comment", language=language, before=text.comment, after=words.comment))
        if words.instruction is not None and words.instruction != text.instruction:
            found.append(Edit(part="instruction", language=language, before=text.instruction, after=words.instruction))
    return tuple(found)


def _check_figures(comment: str, text: Text, language: Language) -> None:
    known = set(_figures(f"{text.headline} {text.description}"))
    for figure in _figures(comment):
        if figure not in known:
            expected = f"no figures but those of the engine's text: {', '.join(sorted(known))}"
            raise InputError(f"texts.{language}.comment", figure, expected)


def _figures(text: str) -> list[str]:
    # "½", "②" and "Ⅳ" are numbers, though no digits.
    others = [one for one in text if unicodedata.category(one) in ("No", "Nl") and one not in _OF_UNITS]
    return _FIGURE.findall(text) + others
