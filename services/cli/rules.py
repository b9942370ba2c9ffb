"""``hazecast rules``: the rule sets that the service knows, and which of them apply to a city."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hazecast.services.cli.options import AsJson, current_time, settings_of
from hazecast.services.cli.output import print_json

if TYPE_CHECKING:
    from hazecast.alerts.rules.choice import Choice
    from hazecast.alerts.rules.criteria import Threshold
    from hazecast.alerts.rules.ruleset import RuleSet

app = typer.Typer(help="Rule sets: list them, check the bureau's own, explain those of a city.", no_args_is_help=True)

Folder = Annotated[Path | None, typer.Option("--dir", help="Folder of own rule sets; default HAZECAST_RULES_DIR.")]
_COMPARED = {"lt": "<", "le": "<=", "gt": ">", "ge": ">="}


@app.command(name="list")
def list_rules(as_json: AsJson = False) -> None:
    """List the rule sets, where each applies and what the settings say of it."""
    from hazecast.services.core.rules import rule_book

    settings = settings_of(None)
    rows = [_row(rules, settings.warnings.rules_dir) for rules in rule_book(settings).sets.values()]
    for row in rows:
        wanted, approval = settings.warnings.rule_sets, settings.warnings.approval
        row["asked_for"], row["approval"] = row["id"] in wanted, row["id"] in approval
    if as_json:
        print_json(rows)
        return
    for row in rows:
        notes = [
            word for word, holds in (("asked for", row["asked_for"]), ("needs approval", row["approval"])) if holds
        ]
        print(
            f"{row['id']:26} {row['version']:12} {row['from']:8} {row['applies_to']}{''.join(f'; {n}' for n in notes)}"
        )


@app.command()
def check(folder: Folder = None) -> None:
    """Check the files of own rule sets, and that no two of a family name one city."""
    from hazecast.alerts.rules.book import RuleBook
    from hazecast.grids.errors import InputError
    from hazecast.grids.spelling import suggestion
    from hazecast.services.core.places import city_registry

    settings = settings_of(None)
    where = folder or settings.warnings.rules_dir
    if where is None:
        raise InputError("HAZECAST_RULES_DIR", "not set", "a folder of own rule sets, there or by --dir")
    book, registry = RuleBook.with_folder(where), city_registry(settings)
    for name in (*settings.warnings.rule_sets, *settings.warnings.approval):
        book.rule_set(name)
    book.of_cities(registry.cities.values(), current_time(), settings.warnings.rule_sets)
    own = [rules for name, rules in book.sets.items() if (where / f"{name}.toml").exists()]
    print(f"{where}: {len(own)} rule sets: {', '.join(rules.id for rules in own)}")
    for rules in own:
        for kind, named, known in (
            ("region", rules.regions, registry.regions),
            ("city", rules.cities, registry.cities),
        ):
            for identifier in sorted(set(named) - set(known)):
                print(f"{rules.id}: {kind} {identifier} is not forecast here{suggestion(identifier, known)}")


@app.command()
def explain(
    city: Annotated[str, typer.Argument(help="Id of the city, such as beijing.")], as_json: AsJson = False
) -> None:
    """Say which rule sets apply to a city now and why, what their levels need, and why others don't apply."""
    from hazecast.alerts.rules.choice import choices
    from hazecast.services.core.places import city_registry
    from hazecast.services.core.rules import rule_book

    settings = settings_of(None)
    place = city_registry(settings).city(city)
    found = choices(rule_book(settings), place, current_time(), settings.warnings.rule_sets)
    if as_json:
        print_json([{"rule_set": c.rules.id, "applies": c.applies, "reason": c.reason} for c in found])
        return
    print(f"{place.name_en} ({place.id}), region {place.region}, {place.country}")
    if not any(choice.applies for choice in found):
        print(
            "no rule set applies: none is shipped for its country; HAZECAST_RULE_SETS=who_guideline asks for the WHO's"
        )
    for choice in found:
        print("\n".join(_explained(choice, choice.rules.id in settings.warnings.approval)))


def _row(rules: RuleSet, folder: Path | None) -> dict[str, object]:
    named = ", ".join((*rules.regions, *rules.cities))
    own = folder is not None and (folder / f"{rules.id}.toml").exists()
    place = f"{rules.country}: {named}" if rules.country and named else rules.country or "where asked for"
    return {
        "id": rules.id, "version": rules.version, "name": rules.name_en, "from": "own" if own else "shipped",
        "applies_to": place, "levels": [level.id for level in rules.levels],
    }  # fmt: skip


def _explained(choice: Choice, approval: bool) -> list[str]:
    rules = choice.rules
    if not choice.applies:
        return [f"- {rules.id} does not apply: {choice.reason}"]
    lines = [
        f"+ {rules.id} applies: it {choice.reason}",
        f"  {rules.name_en}, {rules.authority_en}, version {rules.version}",
    ]
    if approval:
        lines.append("  a person approves its messages (HAZECAST_APPROVAL)")
    for level in rules.levels:
        chance = f"raised at a probability of {level.raise_probability:g}, kept down to {level.lower_probability:g}"
        lines.append(f"  {level.rank} {level.id} ({level.name_en}): {chance}")
        lines += [f"      {' and '.join(map(_said, c.tests))}  [{c.source}]" for c in level.conditions]
    return lines


def _said(test: Threshold) -> str:
    return f"{test.key} {_COMPARED[test.comparator]} {test.value:g} {test.units}"
