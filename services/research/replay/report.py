"""A replay in words: the table of its scores and the history of its messages."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from hazecast.alerts.engine.coverage import kinds
from hazecast.alerts.engine.warning import HazeWarning
from hazecast.alerts.rules.ruleset import RuleSet
from hazecast.services.core.places import city_registry
from hazecast.services.core.settings import Settings
from hazecast.services.research.replay.judgement import CLOSE, FEWEST, TenthJudged, judged_csi, judged_tenths
from hazecast.services.research.replay.result import MODEL, PERSISTENCE, ReplayResult, WindowScore, score_table
from hazecast.services.work.local_time import place_name, stamp, zone_name

# Of a longer history only the number is given.
_MOST_MESSAGES = 60


def format_scores(result: ReplayResult) -> str:
    """Write the scores and the history in words."""
    plan = result.plan
    lines = [
        f"{plan.observations.name}, {', '.join(result.cities)}, {plan.start.isoformat()} to {plan.end.isoformat()} "
        f"every {plan.every} h, {len(result.windows)} windows, rule set {result.rules.id} {result.rules.version}",
        f"model {result.model_id}, weather: {result.weather_source}",
        "",
        "| level | warnings by | events | POD | FAR | CSI | bias | episodes | warned before | never | median lead, h | "
        "hours | covered |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    table = score_table(result)
    for level in result.rules.levels:
        lines += [_row(level.id, source, table[source][level.id]) for source in (MODEL, PERSISTENCE)]
    lines += ["", *(_kinds(result, source) for source in (MODEL, PERSISTENCE))]
    lines += [*csi_lines(result.rules, result.windows), *reliability_lines(result.rules, result.windows), ""]
    if len(result.messages[MODEL]) <= _MOST_MESSAGES:
        lines += [history_line(m) for m in result.messages[MODEL]]
    else:
        lines.append(f"{len(result.messages[MODEL])} messages by the model, all in the JSON.")
    return "\n".join(lines)


def reliability_lines(rules: RuleSet, windows: Sequence[WindowScore]) -> list[str]:
    """Write how often a level came by tenths of its probability, all levels together and each by itself.

    Parameters
    ----------
    rules : RuleSet
    windows : sequence of WindowScore
        Those whose events are known count.

    Returns
    -------
    list of str
        A table in Markdown: in each cell the windows, their mean probability and the frequency of the event, and where there are
        enough windows the interval of 95 % of frequency less probability (weeks redrawn); then how many are within 0.05.
    """
    columns: dict[str, int | None] = {"all levels": None, **{level.id: level.rank for level in rules.levels}}
    found = {name: {t.lowest: t for t in judged_tenths(windows, rank)} for name, rank in columns.items()}
    rows = sorted({lowest for tenths in found.values() for lowest in tenths})

    def cell(tenth: TenthJudged | None) -> str:
        if tenth is None:
            return "-"
        close = "" if tenth.windows < FEWEST else f" ({tenth.low:+.2f} to {tenth.high:+.2f})"
        return f"{tenth.windows}: {tenth.probability:.2f}, {tenth.frequency:.2f}{close}"

    return [
        "",
        f"| probability | {' | '.join(found)} |",
        "|---" * (len(found) + 1) + "|",
        *(
            f"| {row:.1f} to {row + 0.1:.1f} | " + " | ".join(cell(tenths.get(row)) for tenths in found.values()) + " |"
            for row in rows
        ),
        "",
        *(f"{name}: {_verdicts([*tenths.values()])}" for name, tenths in found.items() if tenths),
    ]


def _verdicts(tenths: Sequence[TenthJudged]) -> str:
    judged = [t for t in tenths if t.verdict != "few"]
    off = [f"{t.lowest:.1f}" for t in judged if t.verdict == "off"]
    return (
        f"within {CLOSE} in {sum(t.verdict == 'within' for t in judged)} of {len(judged)} tenths with {FEWEST} windows or more; "
        f"off by more than {CLOSE} beyond chance: {', '.join(off) or 'none'}"
    )


def csi_lines(rules: RuleSet, windows: Sequence[WindowScore]) -> list[str]:
    """Write how the model's warnings of each level did, and their critical success index beside persistence's.

    Parameters
    ----------
    rules : RuleSet
    windows : sequence of WindowScore
        Those whose events are known count.

    Returns
    -------
    list of str
        A table in Markdown, with intervals of 95 % (weeks redrawn).
    """

    def cell(value: float, within: tuple[float, float], sign: str = "") -> str:
        if math.isnan(value):
            return "-"
        low, high = within
        return f"{value:{sign}.2f}" + ("" if math.isnan(low) else f" ({low:{sign}.2f} to {high:{sign}.2f})")

    columns = ("level", "events", "POD", "FAR", "bias", "CSI, model", "CSI, persistence", "ahead by")
    lines = ["", f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    for level in rules.levels:
        found = judged_csi(windows, level.rank)
        counts = found.counts
        plain = ["-" if math.isnan(value) else f"{value:.2f}" for value in (counts.pod, counts.far, counts.bias)]
        cells = [
            cell(found.model, found.model_interval),
            cell(found.persistence, found.persistence_interval),
            cell(found.ahead, found.ahead_interval, "+"),
        ]
        lines.append(f"| {level.id} | {counts.hits + counts.misses} | {' | '.join([*plain, *cells])} |")
    return lines


def _kinds(result: ReplayResult, source: str) -> str:
    messages = result.messages[source]
    counted = ", ".join(f"{kind} {number}" for kind, number in kinds(messages).items())
    return f"{source}: {len(messages)} messages" + (f" ({counted})" if counted else "")


def _row(level: str, source: str, scores: dict[str, Any]) -> str:
    def cell(name: str, digits: int = 2) -> str:
        return "-" if scores[name] is None else f"{scores[name]:.{digits}f}"

    events = int(scores["hits"] or 0) + int(scores["misses"] or 0)
    return (
        f"| {level} | {source} | {events} | {cell('pod')} | {cell('far')} | {cell('csi')} | {cell('bias')} | {scores['episodes']} | "
        f"{scores['warned_before']} | {scores['never_warned']} | {cell('median_lead_hours', 0)} | "
        f"{scores['hours']} | {scores['hours_covered']} |"
    )


def history_line(message: HazeWarning) -> str:
    """Return one message of a history as a line, times in the city's own zone."""
    city = city_registry(Settings()).city(message.city)
    issued, onset, expires = (stamp(t, city.time_zone) for t in (message.issued, message.onset, message.expires))
    told = message.probability is not None
    chance = f"probability {message.probability:.2f} against {message.threshold}" if told else "declared on measurement"
    return (
        f"{issued} {place_name(city)} {message.kind} {message.level}: {message.reason}, "
        f"{chance}, onset {onset}, until {expires} ({zone_name(city.time_zone, message.issued)})"
    )
