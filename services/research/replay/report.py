"""A replay in words: the table of its scores and the history of its messages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hazecast.alerts.engine.coverage import kinds
from hazecast.alerts.engine.scoring import reliability
from hazecast.alerts.engine.warning import HazeWarning
from hazecast.alerts.rules.ruleset import RuleSet
from hazecast.services.core.places import city_registry
from hazecast.services.core.settings import Settings
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
    lines += [*reliability_lines(result.rules, result.windows), ""]
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
        A table in Markdown: in each cell the windows, their mean probability and the frequency of the event.
    """
    known = [w for w in windows if w.events is not None]
    by_level = {level.id: [(w.probabilities[level.rank - 1], bool(w.events and w.events[level.rank - 1])) for w in known]
                for level in rules.levels}  # fmt: skip
    columns = {"all levels": [pair for pairs in by_level.values() for pair in pairs], **by_level}
    found = {}
    for name, pairs in columns.items():
        tenths = reliability([p for p, _ in pairs], [e for _, e in pairs])
        found[name] = {t.lowest: f"{t.cases}: {t.probability:.2f}, {t.frequency:.2f}" for t in tenths}
    rows = sorted({lowest for tenths in found.values() for lowest in tenths})
    return [
        "",
        f"| probability | {' | '.join(found)} |",
        "|---" * (len(found) + 1) + "|",
        *(
            f"| {row:.1f} to {row + 0.1:.1f} | " + " | ".join(tenths.get(row, "-") for tenths in found.values()) + " |"
            for row in rows
        ),
    ]


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
