"""The bureau's own rule sets and choices, from the settings."""

from __future__ import annotations

from hazecast.alerts.rules.ruleset import add_folder, load_ruleset, ruleset_names
from hazecast.services.core.settings import Settings


def prepare_rules(settings: Settings) -> None:
    """Make the bureau's own rule sets known, and check the names that the settings use.

    Raises
    ------
    InputError
        If the folder or one of its files is unusable, or a name is unknown.
    """
    if settings.warnings.rules_dir is not None:
        add_folder(settings.warnings.rules_dir)
    for name in (*settings.warnings.rule_sets, *settings.warnings.approval):
        load_ruleset(name)


def level_ids() -> list[str]:
    """Return the ids of all levels of all known rule sets."""
    return sorted({level.id for name in ruleset_names() for level in load_ruleset(name).levels})
