"""What can go wrong with an expansion.

A syntax error belongs to whoever wrote the string and is found when the configuration is loaded. The others happen while expanding
and mean different things to the caller: a forced failure is the author's way to say "nothing" (Exim 11.1: what it does depends on the
option), a failure is an error in the configuration or the data, a deferral says that some source cannot answer now.
"""

from __future__ import annotations


class ExpandSyntaxError(Exception):
    """The text is no valid expansion.

    `message` in Exim's words; `position` counts characters from 0 in the text; `suggestion` is what the author may have meant, empty
    when there is no guess: a whole phrase such as `did you mean $sender_address?`, which `str()` leaves out.
    """

    def __init__(self, message: str, position: int = 0, suggestion: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.position = position
        self.suggestion = suggestion


class ExpansionFailed(Exception):
    """The expansion has no value. `str()` is for the log, in Exim's words."""


class ForcedFailure(ExpansionFailed):
    """`fail` stood where a string was wanted."""


class ExpansionDeferred(Exception):
    """A lookup or the DNS cannot say now: ask again later. `str()` is for the log."""
