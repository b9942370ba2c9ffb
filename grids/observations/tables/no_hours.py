"""What a table tells of values that are no means of hours, or not to be used."""

from __future__ import annotations

import re

from hazecast.grids.observations.tables.looked_at import Table

# A column of more different texts holds no flags.
_FLAGS = 20
# Columns that may say which values can be used.
_FLAG = re.compile(
    r"(?:flag|(?<![a-z])mark|qualifier|null.?data.?code|异常|異常|qc|qaqc|qa|quality|validity|valid|status|标记|标识|标志|状态|有效性|フラグ|品質|状態)(?:code)?$",
    re.I,
)
# Parts of a file's name that tell that the values are no hourly ones of what it names.
NO_HOURLY = re.compile(
    r"(?:8|24)(?:h|hr|hours?)|max\w*|min\w*|i?aqi|forecasts?|fcst|predict\w*|.*(?:日均|滑动|滑動|移動|最大|最高|指数|预报|预测|予測|予報).*",
    re.I,
)
# The same in a line above the names.
_TITLE = re.compile(
    r"(?<!\d)(?:8|24)\s*-?(?:小时|小時|時間|시간|h\b|hours?)|日均|日平均|滑动|滑動|移動平均|分指数|预报|预测|予測|予報|forecast",
    re.I,
)
# Cells of a column of averaging times that is no hour.
_LONGER = re.compile(
    r"(?:8|24)[\s-]*(?:h|hrs?|hours?|小时|小時|時間|시간).*|(?:1[\s-]*)?days?|daily|1d|p1d|(?:日|月|年)(?:均|平均)?(?:值|値)|日均|months?|monthly|annual|year(?:ly)?",
    re.I,
)


def doubt_flag(table: Table, name: str) -> None:
    """Say that a column may tell which values can't be used, where it tells some from others.

    Parameters
    ----------
    table : Table
    name : str
        Of the column.
    """
    texts = sorted(table.texts(name)) if _FLAG.search(name.strip()) else []
    if 1 < len(texts) <= _FLAGS:
        table.doubt(
            f"column {name!r} may flag values that can't be used ({', '.join(map(repr, texts))}), and is not used: in a mapping "
            '{ is = "flag", valid = [...] } names those that can'
        )


def doubt_statistic(table: Table, name: str) -> None:
    """Say that a column tells of some rows that their values are means of longer times, such as ``24h`` or 日均值.

    Parameters
    ----------
    table : Table
    name : str
        Of the column.
    """
    texts = sorted(table.texts(name))
    if len(texts) <= _FLAGS and (longer := [text for text in texts if _LONGER.fullmatch(text)]):
        table.doubt(
            f"column {name!r} says {', '.join(map(repr, longer))}, and is not used: the values are taken as hourly ones"
        )


def doubt_title(table: Table) -> None:
    """Say that a line above the names tells of longer means, an index or a forecast."""
    for title in [cell for cell in table.above if _TITLE.search(cell)][:1]:
        table.doubt(f"{title[:80]!r} above the names: the values are taken as hourly ones all the same")
