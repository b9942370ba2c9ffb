"""Hooks of MkDocs: files outside ``docs`` that documents link to, and pages of the commands and the settings.

A link out of ``docs`` leads to a copy of the file in the site, below ``source``: a document as a page, code as text, a folder as
a list of its files, a notebook as a page with its outputs, below ``notebooks``. So the links of the documents hold in the repository and
in the site alike.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.tools.notebook_pages import page_of
from tests.tools.notebooks import notebooks

ROOT = Path(__file__).resolve().parents[2]
SOURCE = "source"
LINK = re.compile(r"(\]\()([^)\s#]+)(#[^)\s]*)?(\))")
CODE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
# Shown as text; a browser would offer other files of code for saving.
AS_TEXT = {".py", ".toml", ".yml", ".yaml", ".conf", ".mako", ".cff"}


def home_of(uri: str) -> str:
    """Return where a page of the site lies in the repository."""
    if uri.startswith("notebooks/"):
        return uri.removesuffix(".md") + ".ipynb"
    return uri.removeprefix(f"{SOURCE}/") if uri.startswith(f"{SOURCE}/") else f"docs/{uri}"


def uri_of(path: str) -> str:
    """Return where a path of the repository lies in the site."""
    if path == "docs" or path.startswith("docs/"):
        return path.removeprefix("docs").lstrip("/")
    if (ROOT / path).is_dir():
        return f"{SOURCE}/{path}/index.md"
    if path.endswith(".ipynb"):
        return path.removesuffix(".ipynb") + ".md"
    return f"{SOURCE}/{path}.txt" if Path(path).suffix in AS_TEXT else f"{SOURCE}/{path}"


def linked(text: str, home: str) -> Iterator[str]:
    """Yield the paths in the repository that a document links to."""
    for _, address, _, _ in LINK.findall(CODE.sub("", text)):
        if not re.match(r"[a-z]+:", address):
            path = posixpath.normpath(posixpath.join(posixpath.dirname(home), address))
            if (ROOT / path).exists():
                yield path


def listing(path: str) -> str:
    """Return a page that lists the files of a folder."""
    names = sorted(p.name for p in (ROOT / path).iterdir() if p.is_file() and p.suffix in AS_TEXT | {".md", ".ipynb"})
    return f"# {path}\n\n" + "".join(f"- [{name}]({name})\n" for name in names)


def text_of(path: str) -> str:
    """Return the document at a path of the repository, or the list of a folder."""
    if path.endswith(".ipynb"):
        return page_of(ROOT / path)[0]
    return listing(path) if (ROOT / path).is_dir() else (ROOT / path).read_text(encoding="utf-8")


def outside(pages: list[str]) -> list[str]:
    """Return all paths outside ``docs`` that documents link to, also from there on."""
    found: dict[str, None] = {}
    waiting = list(pages)
    while waiting:
        home = waiting.pop()
        folder = (ROOT / home).is_dir()
        for path in linked(text_of(home), f"{home}/index.md" if folder else home):
            if path not in found and not path.startswith("docs"):
                found[path] = None
                if path.endswith(".md") or (ROOT / path).is_dir():
                    waiting.append(path)
    return list(found)


def on_files(files: Any, config: Any) -> Any:
    """Add what lies outside ``docs``, and the generated pages."""
    from mkdocs.structure.files import File, InclusionLevel

    def add(uri: str, **given: Any) -> None:
        files.append(File.generated(config, uri, inclusion=InclusionLevel.NOT_IN_NAV, **given))

    pages = [f"docs/{file.src_uri}" for file in files.documentation_pages()]
    for path in notebooks():
        page, drawn = page_of(path)
        pages.append(f"notebooks/{path.name}")
        for uri, content in {f"{path.stem}.md": page, **drawn}.items():
            files.append(File.generated(config, f"notebooks/{uri}", content=content))
    for path in outside(pages):
        if path.endswith(".ipynb"):
            continue
        if (ROOT / path).is_dir():
            add(uri_of(path), content=listing(path))
        else:
            add(uri_of(path), abs_src_path=str(ROOT / path))
    for name, content in (("commands", commands_page()), ("settings", settings_page())):
        files.append(File.generated(config, f"reference/{name}.md", content=content))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Turn links to files of the repository into links of the site."""
    here = page.file.src_uri

    def turned(match: re.Match[str]) -> str:
        before, address, anchor, after = match.groups()
        if re.match(r"[a-z]+:", address):
            return match.group(0)
        path = posixpath.normpath(posixpath.join(posixpath.dirname(home_of(here)), address))
        if not (ROOT / path).exists():
            return match.group(0)  # a generated page, or a lost link, which the strict build reports
        return f"{before}{posixpath.relpath(uri_of(path), posixpath.dirname(here) or '.')}{anchor or ''}{after}"

    return LINK.sub(turned, markdown)


def commands_page() -> str:
    """Return the page of all commands with their options, from the command line itself."""
    import typer

    from hazecast.services.cli.app import app

    parts = ["# Commands\n\nAs `hazecast COMMAND --help` prints them.\n"]

    def add(command: Any, name: str) -> None:
        subcommands = getattr(command, "commands", {})
        if name != "hazecast":
            parts.append(f"## {name}\n\n{_escaped(command.help or '')}\n")
        rows = [row for parameter in command.params if (row := _row(parameter))]
        if rows:
            parts.append("| option or argument | meaning |\n|---|---|\n" + "\n".join(rows) + "\n")
        for word, subcommand in subcommands.items():
            add(subcommand, f"{name} {word}")

    add(typer.main.get_command(app), "hazecast")
    return "\n".join(parts)


def _row(parameter: Any) -> str:
    if parameter.name in ("install_completion", "show_completion"):
        return ""
    is_option = parameter.param_type_name == "option"
    names = ", ".join(f"`{name}`" for name in ([*parameter.opts, *parameter.secondary_opts] if is_option else ()))
    names = names or f"`{(parameter.metavar or parameter.name).upper()}`"
    needed = " Required." if parameter.required else ""
    return f"| {names} | {_escaped(getattr(parameter, 'help', None) or '')}{needed} |"


def settings_page() -> str:
    """Return the page of all settings, from their definitions."""
    from hazecast.services.core.settings import variables

    parts = [
        "# Settings\n\nEnvironment variables; also files in `HAZECAST_SECRETS_DIR`. See [Deploy](../deployment.md).\n"
    ]
    group = None
    for name, owner, field in variables():
        if owner is not group:
            group = owner
            parts.append(
                f"\n## {(owner.__doc__ or owner.__name__).splitlines()[0]}\n\n| variable | default | meaning |\n|---|---|---|"
            )
        default = (
            ""
            if field.default_factory is not None or field.is_required() or field.default is None
            else f"`{field.default}`"
        )
        parts.append(f"| `{name}` | {_escaped(default)} | {_escaped(field.description or '')} |")
    return "\n".join(parts) + "\n"


def _escaped(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace("|", "\\|").replace("<", "&lt;")
