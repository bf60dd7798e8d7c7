"""The sender that `-f` names: whatever the command is to do, it must be an address (Exim 5.3)."""

from __future__ import annotations

from pathlib import Path

from pillarbox.cli.arguments import Arguments
from pillarbox.cli.places import fail

NOBODY = ("", "<>")


def take_sender(config: Path, read: Arguments) -> None:
    """Ends the command when it is none. A dot behind a domain in angle brackets goes, and all that stands around an empty address."""
    from pillarbox.language.addresses import EMPTY, AddressError, working_address
    from pillarbox.wire.exim.log_line import printable

    written = read.sender
    if written is None or written in NOBODY:
        return
    try:
        if written.endswith(".") and "<" not in written:
            working_address(written[:-1], utf8_domain=True)
            raise AddressError("domain is malformed (trailing dot not allowed)")
        text = written[:-2] + ">" if written.endswith(".>") else written
        address = working_address(text, allow_null=True, utf8_domain=True).address
        if not address and "<" not in text:
            raise AddressError(EMPTY)
    except AddressError as error:
        if _is_good_when_stripped(config, read):
            return
        shown = printable(written).replace('"', '\\"')
        fail(f'exim: bad -f address "{shown}": {error}')
    read.sender = text if address else ""
    bare = text.removeprefix("<").removesuffix(">")
    if bare.endswith("]") and not _takes_literals(config, read):
        fail(f'exim: bad -f address "{bare}": domain literals not allowed')


def _is_good_when_stripped(config: Path, read: Arguments) -> bool:
    """`strip_trailing_dot`, `strip_excess_angle_brackets`."""
    from pillarbox.app.configuration import load_config
    from pillarbox.app.reception import path_rules
    from pillarbox.flow.accept.paths import stripped
    from pillarbox.language.addresses import AddressError, working_address

    rules = path_rules(load_config(config, read.macros, serving=False))
    try:
        working_address(stripped(read.sender or "", rules), utf8_domain=True)
    except AddressError:
        return False
    return True


def _takes_literals(config: Path, read: Arguments) -> bool:
    """`allow_domain_literals`."""
    from pillarbox.app.configuration import load_config
    from pillarbox.flow.settings import SmtpService

    return load_config(config, read.macros, serving=False).main(SmtpService).allow_domain_literals
