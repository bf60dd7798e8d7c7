"""What bounces and warnings look like (Exim chapters 14 and 50)."""

from __future__ import annotations

from pillarbox.config.declare import MainOptions, option
from pillarbox.config.errors import OptionError
from pillarbox.config.kinds import ExpandedList, Size
from pillarbox.language.addresses import AddressError, working_address
from pillarbox.language.expand.template import Template

USUAL_AUTHOR = "Mail Delivery System <Mailer-Daemon@$qualify_domain>"


class Bounces(MainOptions):
    """What bounces and warnings look like."""

    bounce_return_body: bool = option(default=True, doc="Return the body too.")
    bounce_return_message: bool = option(default=True, doc="Return the message at all.")
    bounce_return_size_limit: Size = option(default=102400, doc="Return no more than this.")
    return_size_limit: Size | None = option(
        default=None, doc="The old name of bounce_return_size_limit.", is_alias=True
    )
    bounce_return_linesize_limit: Size = option(
        default=998, doc="Return the headers only when a line is longer."
    )
    bounce_message_file: Template | None = option(default=None, doc="Texts for bounces.")
    bounce_message_text: str | None = option(default=None, doc="A paragraph to add to bounces.")
    bounce_charset: Template = option(
        default="us-ascii", doc="Character set named in bounces: us-ascii or UTF-8."
    )
    bounce_sender_authentication: str | None = option(default=None, doc="AUTH= address of bounces.")
    dsn_from: Template = option(
        default=USUAL_AUTHOR, doc="From: of bounces; where it cannot be expanded the default serves."
    )
    errors_copy: ExpandedList | None = option(default=None, doc="Copies of bounces, by address pattern.")
    errors_reply_to: str | None = option(default=None, doc="Reply-To: of bounces.")
    warn_message_file: Template | None = option(default=None, doc="Texts for warnings.")

    def __post_init__(self) -> None:
        if self.return_size_limit is not None:
            object.__setattr__(self, "bounce_return_size_limit", self.return_size_limit)
        if self.errors_reply_to is not None:
            _check_address(self.errors_reply_to)


def _check_address(text: str) -> None:
    """Of `errors_reply_to`. Raises OptionError."""
    try:
        address = working_address(text).address
    except AddressError as error:
        raise OptionError(f"error in errors_reply_to ({text}): {error}") from None
    if "@" not in address:
        raise OptionError(f"errors_reply_to ({text}) does not contain a domain")
