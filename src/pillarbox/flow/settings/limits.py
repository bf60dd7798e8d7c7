"""How much clients may ask for (Exim chapter 14, "SMTP connection limits" and "Message size")."""

from __future__ import annotations

import re

from pillarbox.config.declare import MainOptions, option
from pillarbox.config.errors import OptionError
from pillarbox.config.kinds import CheckedTime, Duration, ExpandedInteger, FixedPoint, Size
from pillarbox.language.match.hosts import HostList

_RATE_LIMIT = re.compile(r"\d+,\s*[\d.]+[wdhms][\dwdhms.]*,\s*\d+(\.\d+)?,\s*[\d.]+[wdhms][\dwdhms.]*")


class SmtpLimits(MainOptions):
    """How much a client may ask for."""

    message_size_limit: ExpandedInteger | None = option(
        default="50M", doc="Largest message in bytes; 0: no limit."
    )
    smtp_accept_max: int = option(default=20, doc="Connections at once; 0: no limit.")
    smtp_accept_max_per_host: ExpandedInteger | None = option(
        default=None, doc="Connections at once from one address."
    )
    smtp_accept_max_per_connection: ExpandedInteger | None = option(
        default="1000", doc="Messages in one connection."
    )
    smtp_accept_max_nonmail: int = option(default=10, doc="Commands that lead to no mail before we hang up.")
    smtp_accept_max_nonmail_hosts: HostList | None = option(
        default="*", doc="Hosts whose commands are counted for smtp_accept_max_nonmail."
    )
    smtp_accept_reserve: int = option(default=0, doc="Connections kept free for smtp_reserve_hosts.")
    smtp_reserve_hosts: HostList | None = option(
        default=None, doc="Hosts that smtp_accept_reserve and smtp_load_reserve are for."
    )
    smtp_load_reserve: FixedPoint | None = option(
        default=None, doc="Above this load of the machine only smtp_reserve_hosts may connect."
    )
    smtp_accept_queue: int = option(
        default=0, doc="Above so many connections, queue without delivering; 0: never."
    )
    smtp_accept_queue_per_connection: int = option(
        default=10,
        doc="After so many messages in a connection, queue without delivering; 0: never.",
    )
    smtp_max_synprot_errors: int = option(default=3, doc="Syntax and protocol errors before we hang up.")
    smtp_max_unknown_commands: int = option(default=3, doc="Unknown commands before we hang up.")
    smtp_receive_timeout: CheckedTime | None = option(
        default="5m", doc="Wait so long for a client's next line."
    )
    receive_timeout: Duration = option(
        default="0s", doc="Wait so long for a message on standard input; 0: for ever."
    )
    recipients_max: ExpandedInteger | None = option(
        default="50000", doc="Recipients of one message; 0: no limit."
    )
    recipients_max_reject: bool = option(
        default=False, doc="Refuse the message that has too many, not only the excess."
    )
    header_maxsize: int = option(default=1048576, doc="Size of all header lines together.")
    header_line_maxsize: int = option(default=0, doc="Size of one header line; 0: header_maxsize.")
    received_headers_max: int = option(default=30, doc="Received: lines above which mail is looping.")
    smtp_ratelimit_hosts: HostList | None = option(default=None, doc="Hosts whose commands are slowed down.")
    smtp_ratelimit_mail: str | None = option(
        default=None, doc="How MAIL is slowed down: threshold, delay, factor, longest delay."
    )
    smtp_ratelimit_rcpt: str | None = option(default=None, doc="How RCPT is slowed down, likewise.")
    message_body_visible: Size = option(
        default=500, doc="How much of the body $message_body and $message_body_end show."
    )
    message_body_newlines: bool = option(default=False, doc="Keep line ends in $message_body.")

    def __post_init__(self) -> None:
        for text in (self.smtp_ratelimit_mail, self.smtp_ratelimit_rcpt):
            if text is not None and not _RATE_LIMIT.fullmatch(text):
                raise OptionError(f"malformed ratelimit data: {text}")
