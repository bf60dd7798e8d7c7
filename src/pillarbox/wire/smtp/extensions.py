"""Service extensions: what EHLO and LHLO offer, as one value for both ends (RFC 5321 §4.1.1.1).

The server renders one, the client parses one. Which of them a host is offered is policy (Exim's `…_advertise_hosts`), so the
session may give another value at each EHLO; rendering is cached, since there are few different ones in a server's life.
"""

from __future__ import annotations

from functools import lru_cache

import msgspec


class Extensions(msgspec.Struct, frozen=True):
    """Keywords of an EHLO reply."""

    pipelining: bool = False
    """RFC 2920."""
    size: int | None = None
    """RFC 1870: the largest message in octets; 0: no fixed limit; None: SIZE not offered."""
    eightbitmime: bool = False
    """RFC 6152."""
    smtputf8: bool = False
    """RFC 6531."""
    chunking: bool = False
    """RFC 3030, without BINARYMIME."""
    enhanced_status_codes: bool = False
    """RFC 2034."""
    dsn: bool = False
    """RFC 3461."""
    starttls: bool = False
    """RFC 3207."""
    auth: tuple[str, ...] = ()
    """RFC 4954: mechanism names in upper case."""
    prdr: bool = False
    """Exim's reply for each recipient (draft-hall-prdr)."""
    pipeconnect: bool = False
    """May send before our banner next time (Exim's PIPECONNECT)."""
    atrn: bool = False
    """RFC 2645."""
    etrn: bool = False
    """RFC 1985."""
    vrfy: bool = False
    expn: bool = False
    wellknown: bool = False
    """Exim's WELLKNOWN."""
    help: bool = False
    limits: tuple[tuple[str, int], ...] = ()
    """RFC 9422: `(("MAILMAX", 1000), ("RCPTMAX", 50000))`."""
    others: tuple[str, ...] = ()
    """Lines with other keywords."""


@lru_cache(maxsize=256)
def render_extensions(offer: Extensions) -> bytes:
    """The lines of a 250 reply behind its first one, in Exim's order; empty when nothing is offered."""
    size = offer.size
    lines = [
        "" if size is None else f"SIZE {size}" if size else "SIZE",
        f"LIMITS {' '.join(f'{name}={value}' for name, value in offer.limits)}" if offer.limits else "",
        "8BITMIME" if offer.eightbitmime else "",
        "DSN" if offer.dsn else "",
        "ATRN" if offer.atrn else "",
        "ETRN" if offer.etrn else "",
        "VRFY" if offer.vrfy else "",
        "EXPN" if offer.expn else "",
        "PIPELINING" if offer.pipelining else "",
        "PIPECONNECT" if offer.pipeconnect else "",
        "ENHANCEDSTATUSCODES" if offer.enhanced_status_codes else "",
        f"AUTH {' '.join(offer.auth)}" if offer.auth else "",
        "CHUNKING" if offer.chunking else "",
        "STARTTLS" if offer.starttls else "",
        "PRDR" if offer.prdr else "",
        "SMTPUTF8" if offer.smtputf8 else "",
        "WELLKNOWN" if offer.wellknown else "",
        *offer.others,
        "HELP" if offer.help else "",
    ]
    offered = [line for line in lines if line]
    marks = ["-"] * (len(offered) - 1) + [" "]
    return "".join(f"250{mark}{line}\r\n" for mark, line in zip(marks, offered, strict=False)).encode("ascii")


_FLAGS = {
    "PIPELINING": "pipelining",
    "8BITMIME": "eightbitmime",
    "SMTPUTF8": "smtputf8",
    "CHUNKING": "chunking",
    "ENHANCEDSTATUSCODES": "enhanced_status_codes",
    "DSN": "dsn",
    "STARTTLS": "starttls",
    "PRDR": "prdr",
    "PIPECONNECT": "pipeconnect",
    "ATRN": "atrn",
    "ETRN": "etrn",
    "VRFY": "vrfy",
    "EXPN": "expn",
    "WELLKNOWN": "wellknown",
    "HELP": "help",
}


@lru_cache(maxsize=256)
def parse_extensions(text: str) -> Extensions:
    """From the text of an EHLO reply, whose first line is the greeting. Unknown keywords are kept in `others`."""
    flags: dict[str, bool] = {}
    size: int | None = None
    auth: list[str] = []
    limits: list[tuple[str, int]] = []
    others: list[str] = []
    for line in text.split("\n")[1:]:
        words = line.replace("=", " ", 1).split() if line[:5].upper() == "AUTH=" else line.split()
        keyword = words[0].upper() if words else ""
        if keyword in _FLAGS:
            flags[_FLAGS[keyword]] = True
        elif keyword == "SIZE":
            size = _number(words[1]) if len(words) > 1 else 0
        elif keyword == "AUTH":
            auth += [word.upper() for word in words[1:] if word.upper() not in auth]
        elif keyword == "LIMITS":
            pairs = (word.partition("=") for word in words[1:])
            limits += [(name.upper(), _number(value)) for name, _, value in pairs]
        elif keyword:
            others.append(line)
    return Extensions(**flags, size=size, auth=tuple(auth), limits=tuple(limits), others=tuple(others))


def _number(text: str) -> int:
    return int(text) if len(text) <= 20 and text.isascii() and text.isdigit() else 0
