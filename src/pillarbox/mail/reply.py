"""What a server answers, and the two texts of a reason: one for the peer, one for the log."""

from __future__ import annotations

import msgspec


class Reply(msgspec.Struct, frozen=True, gc=False):
    """An SMTP or LMTP reply (RFC 5321 §4.2) with its enhanced status code (RFC 2034)."""

    code: int
    """0: nobody has said it, `text` stands for a reply in the log."""
    text: str
    """Without codes; several lines are divided by `\\n`."""
    enhanced: str = ""
    """`2.1.5` or empty."""
    is_own: bool = False
    """An administrator has written the enhanced status code."""

    @property
    def is_positive(self) -> bool:
        return 200 <= self.code < 400

    @property
    def is_completion(self) -> bool:
        """Nothing more is expected: 2xx."""
        return 200 <= self.code < 300

    @property
    def is_transient(self) -> bool:
        return 400 <= self.code < 500

    @property
    def is_permanent(self) -> bool:
        return self.code >= 500

    @property
    def as_said(self) -> str:
        """As it came: several lines are divided by newlines, each with its codes (`550-5.1.1 no`)."""
        if "\n" not in self.text:
            return str(self)
        codes = f" {self.enhanced} " if self.enhanced else " "
        *first, last = self.text.split("\n")
        lines = [f"{self.code}-{codes[1:]}{line}" for line in first] + [f"{self.code}{codes}{last}"]
        return "\n".join(line.rstrip(" ") for line in lines)

    def __str__(self) -> str:
        """One line, as it stands in logs and bounces: `550 5.1.1 no such user`."""
        if not self.code:
            return self.text
        codes = f"{self.code} {self.enhanced}" if self.enhanced else str(self.code)
        return f"{codes} {self.text}".replace("\n", " ").rstrip(" ")


class Reason(msgspec.Struct, frozen=True, gc=False):
    """Why something did not succeed. What the peer may read is never what the log says."""

    log: str
    peer: str = ""
    """Empty: the peer gets the generic text that fits the reply code."""
