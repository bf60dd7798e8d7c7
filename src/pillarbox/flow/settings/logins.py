"""Who of the machine's own users may read and submit mail here, besides the accounts. All of it is Pillarbox's own."""

from __future__ import annotations

from pillarbox.config.declare import MainOptions, option
from pillarbox.config.errors import CombinationError
from pillarbox.language.expand.template import Template

WAYS = ("", "shadow", "pam")


class Logins(MainOptions):
    """The machine's users."""

    system_logins: str = option(
        default="",
        doc="Let the machine's users log in, by `shadow` or `pam` (`pam/SERVICE`, usually `pam/exim`); unset: only accounts.",
        extension=True,
    )
    system_logins_lowest_uid: int = option(
        default=1000, doc="Only users from this number on; never root or `never_users`.", extension=True
    )
    system_mail_directory: Template | None = option(
        default=None,
        doc="The Maildir of `$local_part`, a login whose `$home` is known; read as the user when it is the user's, else as the mail user. "
        "`mbox:/var/mail/$local_part`, or a path that is a regular file: INBOX is that mbox, read as the user, and other mailboxes are in "
        "`$home/Maildir`, or in DIRECTORY with `mbox:DIRECTORY:INBOX=FILE`. Unset: a Maildir of that name below `mail_directory`.",
        extension=True,
    )

    def __post_init__(self) -> None:
        way, _, service = self.system_logins.partition("/")
        if way not in WAYS or (service and way != "pam"):
            raise CombinationError('system_logins must be "shadow", "pam" or "pam/service"')
        if self.system_mail_directory is not None and not self.system_mail_directory.is_pure:
            raise CombinationError("system_mail_directory may not look anything up")

    @property
    def pam_service(self) -> str:
        """Empty: the shadow file."""
        way, _, service = self.system_logins.partition("/")
        return (service or "exim") if way == "pam" else ""
