"""Messages from programs on this machine, and what is done to all headers (Exim chapters 14 and 47)."""

from __future__ import annotations

from pillarbox.config.declare import MainOptions, option
from pillarbox.config.errors import OptionError
from pillarbox.language.expand.template import Template
from pillarbox.language.match.hosts import HostList
from pillarbox.language.regex import RegexError, compile_regex


class LocalMail(MainOptions):
    """Messages as they come and as they are taken in."""

    extract_addresses_remove_arguments: bool = option(
        default=True, doc="With -t, addresses on the command line are those not to send to."
    )
    ignore_fromline_hosts: HostList | None = option(
        default=None, doc="Hosts that may put a `From ` line in front of a message."
    )
    ignore_fromline_local: bool = option(default=False, doc="Local programs may do so.")
    uucp_from_pattern: str = option(
        default=(
            r"^From\s+(\S+)\s+(?:[a-zA-Z]{3},?\s+)?(?:[a-zA-Z]{3}\s+\d?\d|\d?\d\s+[a-zA-Z]{3}\s+\d\d(?:\d\d)?)\s+\d\d?:\d\d?"
        ),
        doc="What a `From ` line of UUCP looks like.",
    )
    uucp_from_sender: Template | None = option(default="$1", doc="The sender that such a line gives.")
    delivery_date_remove: bool = option(default=True, doc="Take Delivery-date: off messages that come in.")
    envelope_to_remove: bool = option(default=True, doc="Take Envelope-to: off messages that come in.")
    return_path_remove: bool = option(default=True, doc="Take Return-path: off messages that come in.")
    headers_charset: str = option(default="UTF-8", doc="Character set into which $h_… is translated.")
    check_rfc2047_length: bool = option(
        default=True, doc="Encoded words must not be longer than the standard has it."
    )
    message_id_header_domain: Template | None = option(
        default=None, doc="Domain of the Message-ID: that we make."
    )
    message_id_header_text: Template | None = option(default=None, doc="Text to add to it.")
    bi_command: str | None = option(
        default=None, doc="Command for -bi, which others use to build alias files."
    )

    def __post_init__(self) -> None:
        try:
            compile_regex(self.uucp_from_pattern)
        except RegexError as error:
            raise OptionError(str(error)) from None
