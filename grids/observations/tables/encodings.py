"""The encoding of a table's text, told by its bytes.

Statistical detectors need more text than a table holds: a header and station names, often twenty characters. Here the
encodings in use in China, Japan and Taiwan are compared by how many of the characters that each gives are common in its own
standard (level 1 of GB/T 2312, JIS X 0208 and Big5). Korean in EUC-KR lies in the bytes of GB/T 2312: it is told by its
usual names of columns, else a mapping must say so.
"""

from __future__ import annotations

import codecs

from hazecast.grids.errors import InputError
from hazecast.grids.observations.tables.names import VOCABULARY

UTF8 = "utf-8"
# In the order that decides between equals.
_OTHERS = ("gb18030", "cp932", "big5", "euc_jp", "cp1252")
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip
# Names of columns that are in no Chinese text by chance.
_KOREAN = frozenset(
    {
        "측정소",
        "측정일",
        "일시",
        "날짜",
        "시간",
        "초미세먼지",
        "미세먼지",
        "오존",
        "기온",
        "습도",
        "풍속",
        "지점",
        "관측",
    }
)
# Enough to tell; a table of years is not decoded seven times.
_SAMPLE = 200_000
_COMMON, _RARE, _DOUBTFUL, _LATIN, _BROKEN = 1.0, 0.3, 0.1, 0.6, -3.0
# Characters of headers and of places' names tell Chinese from Japanese, which share their bytes in part.
_EXPECTED, _PLACES = 1.5, frozenset("北南东東西中市区區县縣県镇鎮乡郷町村山海江河州城京大新")


def decode(data: bytes, where: str, encoding: str | None = None) -> tuple[str, str, str]:
    """Decode a table's text.

    Parameters
    ----------
    data : bytes
    where : str
        The file, for errors.
    encoding : str, optional
        As the mapping gives it; else it is told by the bytes.

    Returns
    -------
    text : str
        U+FFFD stands for what the encoding doesn't know.
    encoding : str
    why : str
        What it was told by.

    Raises
    ------
    InputError
        If the encoding is unknown, or the data are no text.
    """
    if encoding is not None:
        try:
            return data.decode(encoding, "replace"), encoding, "the mapping"
        except (LookupError, ValueError) as error:
            raise InputError(f"{where}: encoding", encoding, "an encoding that Python knows") from error
    for mark, name in _BOMS:
        if data.startswith(mark):
            # Programs that join files leave marks within.
            return data.decode(name, "replace").replace("\ufeff", ""), name, "its byte order mark"
    if b"\0" in data[:_SAMPLE]:
        if wide := _without_mark(data):
            return data.decode(wide, "replace"), wide, "every other byte of its separators is zero"
        raise InputError(where, "bytes of zero", "a table as text, Excel or Parquet")
    try:
        return data.decode(UTF8), UTF8, "valid UTF-8" if not data.isascii() else "ASCII"
    except UnicodeDecodeError:
        pass
    sample = data[:_SAMPLE]
    if len(data) > _SAMPLE:
        sample = sample[: sample.rfind(b"\n") + 1] or sample
    korean = sample.decode("cp949", "replace")
    if any(word in korean for word in _KOREAN) and "\ufffd" not in korean:
        return data.decode("cp949", "replace"), "cp949", "its Korean names of columns"
    scores = {name: _score(sample, name) for name in (UTF8, *_OTHERS)}
    best = max(scores, key=lambda name: scores[name])
    return data.decode(best, "replace"), best, "the characters it gives"


def _without_mark(data: bytes) -> str | None:
    """Return the encoding of two bytes a character that a text without a byte order mark is in; None for none."""
    for encoding in ("utf-16-le", "utf-16-be"):
        try:
            text = data[: _SAMPLE - _SAMPLE % 2].decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text and "\n" in text and any(mark in text for mark in ",;\t|"):
            return encoding
    return None


def _score(sample: bytes, encoding: str) -> float:
    """Return how usual the characters are that an encoding gives."""
    text = [c for c in sample.decode(encoding, "replace") if ord(c) > 0x7F]
    return sum(_weight(c, encoding) for c in text) / max(len(text), 1)


def _weight(character: str, encoding: str) -> float:
    if character == "�":
        return _BROKEN
    if encoding == UTF8:
        return _COMMON
    if encoding == "cp1252":
        return _LATIN if character.isalpha() or character in "°²³µ" else _DOUBTFUL
    if character in VOCABULARY or character in _PLACES:
        return _EXPECTED
    if "｡" <= character <= "ﾟ":
        return _DOUBTFUL
    if "\u3040" <= character <= "\u30ff":
        return _COMMON if encoding in ("cp932", "euc_jp") else _RARE
    try:
        lead = character.encode({"gb18030": "gb2312", "cp932": "euc_jp"}.get(encoding, encoding))[0]
    except UnicodeEncodeError:
        return 0.0
    if lead < 0x80:
        return 0.0
    return _COMMON if lead in _LEVEL_1[encoding] else _RARE


# First bytes of the rows of common characters; punctuation and units before them.
_LEVEL_1: dict[str, range | tuple[int, ...]] = {
    "gb18030": (*range(0xA1, 0xA4), *range(0xB0, 0xD8)),
    "cp932": (*range(0xA1, 0xA4), *range(0xB0, 0xD0)),
    "euc_jp": (*range(0xA1, 0xA4), *range(0xB0, 0xD0)),
    "big5": range(0xA1, 0xC7),
}
