"""A list that cannot be read."""

from __future__ import annotations


class ListSyntaxError(Exception):
    """The list is malformed. `position` counts characters from 0 in the list's text; `suggestion` is ours, the message in Exim's words."""

    def __init__(self, message: str, position: int = 0, suggestion: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.position = position
        self.suggestion = suggestion
