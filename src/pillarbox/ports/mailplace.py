"""Where somebody's mail lies, as one line of text: a Maildir, or an mbox file with a Maildir for the other mailboxes.

    /srv/mail/pat                                   a Maildir
    mbox:/home/pat/Maildir:INBOX=/var/mail/pat      INBOX is the file, everything else is in the Maildir

The second is how Dovecot's mail_location has it.
"""

from __future__ import annotations

import msgspec

MBOX = "mbox:"
_INBOX = ":INBOX="


class MailPlace(msgspec.Struct, frozen=True):
    root: str
    """The Maildir: mailboxes, subscriptions, index."""
    inbox: str = ""
    """The mbox file that is INBOX; empty: the Maildir itself is."""

    def __str__(self) -> str:
        return f"{MBOX}{self.root}{_INBOX}{self.inbox}" if self.inbox else self.root


def parse_place(text: str, default_root: str = "") -> MailPlace:
    """`mbox:FILE` alone: that file, and `default_root` for the rest."""
    if not text.startswith(MBOX):
        return MailPlace(text)
    root, mark, inbox = text.removeprefix(MBOX).partition(_INBOX)
    return MailPlace(root, inbox) if mark else MailPlace(default_root, root)
