"""The languages of texts."""

from __future__ import annotations

from typing import Literal, get_args

Language = Literal["zh", "ja", "en"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
