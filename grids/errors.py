"""The error that all rooms raise for input they cannot use, and three kinds of it that callers distinguish."""

from __future__ import annotations


class InputError(ValueError):
    """Input that cannot be used.

    Parameters
    ----------
    where : str
        The file, field or argument at fault.
    found : object
        The value found there.
    expected : str
        What was expected in its place.
    """

    def __init__(self, where: str, found: object, expected: str) -> None:
        self.where = where
        self.found = found
        self.expected = expected
        super().__init__(f"{where}: found {found!s}; expected {expected}")

    def __reduce__(self) -> tuple[type[InputError], tuple[str, str, str]]:
        # An exception is pickled by its message alone; this one passes between processes with its attributes.
        return type(self), (self.where, str(self.found), self.expected)


class UnknownError(InputError):
    """Input that names something that doesn't exist."""


class ConflictError(InputError):
    """Input that is valid in itself, but conflicts with the present state: what it asks for is decided, taken or over."""


class MissingExtraError(InputError):
    """Something that needs an extra of Hazecast which is not installed.

    Parameters
    ----------
    package : str
        The package that is missing.
    extra : str
        The extra in Hazecast's metadata that installs it.
    """

    def __init__(self, package: str, extra: str) -> None:
        self.extra = extra
        super().__init__(package, "not installed", f"pip install 'hazecast[{extra}]'")
        self.args = (f"this needs {package}, which is not installed: pip install 'hazecast[{extra}]'",)

    def __reduce__(self) -> tuple[type[MissingExtraError], tuple[str, str]]:  # type: ignore[override]
        return type(self), (self.where, self.extra)
