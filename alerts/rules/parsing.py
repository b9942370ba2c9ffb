"""Read rule sets from TOML, resolving ``extends``."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from hazecast.alerts.rules.ruleset import RuleSet
from hazecast.grids.errors import InputError
from hazecast.grids.spelling import model_fault, suggestion

SHIPPED_FOLDER = Path(__file__).resolve().parent
# Beside the rule sets of a folder: what is published for the share of scenarios, see hazecast.alerts.rules.calibration.
CALIBRATIONS = "calibration"


def parse_ruleset(text: str, where: str, own_folder: Path | None = None) -> RuleSet:
    """Return the rule set written as TOML in `text`.

    ``extends = "other"`` takes everything from another rule set except what is written here: tables are
    merged, levels too (by their ids), other values replaced.

    Parameters
    ----------
    text : str
    where : str
        Name of the file, for error messages.
    own_folder : Path, optional
        A bureau's folder, in which ``extends`` is looked up before the shipped rule sets.

    Returns
    -------
    RuleSet

    Raises
    ------
    InputError
        If the text is not TOML, breaks the schema of a rule set, or extends an unknown rule set.
    """
    try:
        return RuleSet.model_validate(_extended(tomllib.loads(text), where, own_folder))
    except tomllib.TOMLDecodeError as error:
        raise InputError(where, str(error), "a TOML file") from error
    except ValidationError as error:
        raise model_fault(error, RuleSet, f"{where}: ") from error


def ruleset_files(own_folder: Path | None = None) -> dict[str, Path]:
    """Return the files of all rule sets by name; a bureau's own file replaces a shipped one of the same name.

    Raises
    ------
    InputError
        If the folder does not exist.
    """
    if own_folder is not None and not own_folder.is_dir():
        raise InputError("rule sets", own_folder, "a folder of TOML files")
    folders = (SHIPPED_FOLDER,) if own_folder is None else (SHIPPED_FOLDER, own_folder)
    files = {path.stem: path for folder in folders for path in folder.glob("*.toml")}
    return dict(sorted(files.items()))


def _extended(table: dict[str, Any], where: str, own_folder: Path | None, seen: tuple[str, ...] = ()) -> dict[str, Any]:
    name = table.pop("extends", None)
    curves = _calibration(str(table.get("id")), own_folder)
    if curves is not None:
        table.setdefault("calibration", curves)
    if name is None:
        return table
    if name in seen:
        raise InputError(f"{where}: extends", name, "a rule set that doesn't lead back to this one")
    # A bureau's cma_haze may extend the shipped cma_haze.
    path = SHIPPED_FOLDER / f"{name}.toml" if name == table.get("id") else _path(str(name), own_folder)
    base = _extended(tomllib.loads(path.read_text(encoding="utf-8")), path.name, own_folder, (*seen, str(name)))
    if table.get("id") != base.get("id"):
        base = {k: v for k, v in base.items() if k not in ("regions", "cities", "zones")}
    return _merged(base, table)


def _calibration(name: str, own_folder: Path | None) -> dict[str, Any] | None:
    for folder in (own_folder, SHIPPED_FOLDER):
        path = folder / CALIBRATIONS / f"{name}.toml" if folder else None
        if path is not None and re.fullmatch(r"[a-z][a-z0-9_]*", name) and path.is_file():
            return tomllib.loads(path.read_text(encoding="utf-8"))
    return None


def _path(name: str, own_folder: Path | None) -> Path:
    files = ruleset_files(own_folder)
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or name not in files:
        raise InputError("rule set", name, f"one of {list(files)}{suggestion(name, files)}")
    return files[name]


def _merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for name, value in over.items():
        if isinstance(value, dict) and isinstance(base.get(name), dict):
            result[name] = _merged(base[name], value)
        elif name == "levels" and name in base:
            changed = {level.get("id"): level for level in value}
            existing = [_merged(level, changed.pop(level["id"], {})) for level in base[name]]
            result[name] = [*existing, *changed.values()]
        else:
            result[name] = value
    return result
