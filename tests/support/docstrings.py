"""Which public functions lack the sections of a NumPy docstring that their readers need."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

_FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)
# Their docstrings are shown to users as they are: by --help, and in the API's description.
_SHOWN = {
    "study",
    "command_study",
    "command",
    "callback",
    "get",
    "post",
    "put",
    "patch",
    "delete",
    "head",
    "api_route",
    "websocket",
}


def lacking(path: Path) -> Iterator[str]:
    """Yield ``line name: section`` for every section that a public function of a module should have and has not.

    Parameters are asked of functions that take two or more, Returns of those that give something back, and Raises of
    those that raise themselves. Properties, overrides of another class's method and functions within functions are
    left out.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for owner in (tree, *(n for n in tree.body if isinstance(n, ast.ClassDef) and not n.name.startswith("_"))):
        for node in owner.body:
            if isinstance(node, _FUNCTION) and not node.name.startswith("_") and not _exempt(node):
                method = owner is not tree
                for section in _asked(node, method):
                    text = ast.get_docstring(node) or ""
                    if f"{section}\n{'-' * len(section)}" not in text:
                        yield f"{node.lineno} {f'{owner.name}.' if method else ''}{node.name}: {section}"


def _asked(node: ast.FunctionDef | ast.AsyncFunctionDef, method: bool) -> Iterator[str]:
    arguments = node.args
    names = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    static = any(isinstance(d, ast.Name) and d.id == "staticmethod" for d in node.decorator_list)
    many = len(names) - (method and not static) >= 2
    if many:
        yield "Parameters"
        nothing = node.returns is None or (isinstance(node.returns, ast.Constant) and node.returns.value is None)
        never = isinstance(node.returns, ast.Name) and node.returns.id in ("Never", "NoReturn")
        if not nothing and not never:
            generator = "Iterator" in ast.unparse(node.returns) and any(
                isinstance(n, ast.Yield | ast.YieldFrom) for n in ast.walk(node)
            )
            yield "Yields" if generator else "Returns"
    if any(isinstance(n, ast.Raise) and n.exc is not None for n in _own(node)):
        yield "Raises"


def _own(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, (*_FUNCTION, ast.Lambda, ast.ClassDef)):
            yield child
            yield from _own(child)


def _exempt(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    for one in node.decorator_list:
        call = one.func if isinstance(one, ast.Call) else one
        name = call.attr if isinstance(call, ast.Attribute) else call.id if isinstance(call, ast.Name) else ""
        if name in _SHOWN | {
            "property",
            "cached_property",
            "override",
            "overload",
            "setter",
            "field_validator",
            "model_validator",
        }:
            return True
    return False
