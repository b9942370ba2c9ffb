"""The rule sets of a service, from its settings."""

from __future__ import annotations

from hazecast.alerts.rules.book import RuleBook
from hazecast.services.core.settings import Settings


def rule_book(settings: Settings) -> RuleBook:
    """Return the rule sets shipped and those of the bureau's own folder; check the names that the settings use.

    Parameters
    ----------
    settings : Settings
        Read are `rules_dir`, `rule_sets` and `approval`.

    Returns
    -------
    RuleBook

    Raises
    ------
    InputError
        If the folder or one of its files is unusable, or a name is unknown.
    """
    book = (
        RuleBook.shipped() if settings.warnings.rules_dir is None else RuleBook.with_folder(settings.warnings.rules_dir)
    )
    for name in (*settings.warnings.rule_sets, *settings.warnings.approval):
        book.rule_set(name)
    return book
