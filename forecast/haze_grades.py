"""The words for how thick haze is: one scale for forecasts, maps, warnings and the page.

Grades 1 to 4 are those of QX/T 113-2010, by visibility. Its 4th, below 2 km, is divided at 1 km as the CMA's haze signal
of 2013 divides it: 重度霾 for orange, 严重霾 for red. So a word means the same on the page and in a warning.
"""

from __future__ import annotations

HAZE_GRADES: dict[int, dict[str, str]] = {
    -1: {"zh": "无资料", "ja": "資料なし", "en": "no data"},
    0: {"zh": "无霾", "ja": "煙霧なし", "en": "no haze"},
    1: {"zh": "轻微霾", "ja": "ごく軽い煙霧", "en": "slight haze"},
    2: {"zh": "轻度霾", "ja": "軽度の煙霧", "en": "mild haze"},
    3: {"zh": "中度霾", "ja": "中程度の煙霧", "en": "moderate haze"},
    4: {"zh": "重度霾", "ja": "重度の煙霧", "en": "severe haze"},
    5: {"zh": "严重霾", "ja": "極めて重度の煙霧", "en": "extremely severe haze"},
}
# Upper bounds of visibility, m, of grades 1 to 5 (strict: 10.0 km is no haze). The numbers of QX/T 113-2010 are cited
# from memory; its text was not available. The last is the CMA's red signal of 2013-01-28.
GRADE_BOUNDS = (10_000.0, 5_000.0, 3_000.0, 2_000.0, 1_000.0)
