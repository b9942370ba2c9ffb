"""The error that all rooms raise for input they cannot use, and three kinds of it that callers tell apart."""

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
        # An exception is pickled by its message alone; this one goes from process to process whole.
        return type(self), (self.where, str(self.found), self.expected)


class UnknownError(InputError):
    """Input that names something that doesn't exist."""


class ConflictError(InputError):
    """Input that would do elsewhere, but not as things stand: what it asks for is decided, taken or over."""


class MissingExtraError(InputError):
    """A function was asked for that needs an extra of Hazecast which is not installed."""
