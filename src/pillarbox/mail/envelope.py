"""The envelope: what was fixed when a message was accepted. Written once, never edited.

What becomes of the message later is kept apart, in `mail.progress`.
"""

from __future__ import annotations

import msgspec

from pillarbox.mail.reception import Reception


class Recipient(msgspec.Struct, frozen=True, gc=False):
    """One RCPT TO, with its DSN parameters (RFC 3461 §4.1, §4.2)."""

    address: str
    notify: tuple[str, ...] = ()
    """Subset of NEVER, SUCCESS, FAILURE, DELAY in upper case; empty: not given."""
    orcpt: str = ""
    """ORCPT as received, still xtext (`rfc822;Bob@Example.ORG`); empty: not given."""


class Origin(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Where a message came from: the connection or the local caller.

    Empty strings and zeros mean "not known" or "does not apply" as Exim's variables do.
    """

    protocol: str = "local"
    """Exim's `$received_protocol`: smtp, esmtp, esmtps, esmtpa, esmtpsa, local, local-smtp, … (RFC 3848)."""
    host_address: str = ""
    host_port: int = 0
    host_name: str = ""
    """Verified name of the sending host, when it was looked up."""
    helo: str = ""
    interface_address: str = ""
    interface_port: int = 0
    authenticated_id: str = ""
    authenticator: str = ""
    """Name of the authenticator driver's instance (`A=` in the log)."""
    mechanism: str = ""
    """What clients call it (RFC 4422); empty where it is not known any more."""
    tls_cipher: str = ""
    """`TLS1.3:TLS_AES_256_GCM_SHA384:256` (`X=` in the log); empty: no TLS."""
    tls_resumed: bool = False
    """The session goes on from an earlier one."""
    tls_sni: str = ""
    tls_verified: bool = False
    """The client's certificate is good (`CV=` in the log)."""
    tls_peer_name: str = ""
    """Of the client's certificate (`DN=` in the log)."""
    ident: str = ""
    """RFC 1413 name, or the login name of a local caller (`U=` in the log)."""
    caller_uid: int = -1
    caller_gid: int = -1
    caller_login: str = ""
    """Of a local caller whom `ident` calls otherwise (`-oMt`)."""
    connection_id: str = ""
    """`Ci=` in the log; a message that has been spooled has none."""


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about a message but its text. `id` has Exim's form (23 characters)."""

    id: str
    sender: str | None
    """`None` is the null reverse-path `<>`: a bounce, which never causes another."""
    recipients: tuple[Recipient, ...]
    origin: Origin
    received_at: float
    """Seconds since the epoch."""
    body_type: str = ""
    """MAIL's BODY parameter: `7BIT`, `8BITMIME` or empty (RFC 6152)."""
    smtputf8: bool = False
    ret: str = ""
    """`FULL` or `HDRS` (RFC 3461 §4.3); empty: not given."""
    envid: str = ""
    """ENVID as received, still xtext (RFC 3461 §4.4)."""
    acl_variables: tuple[tuple[str, str], ...] = ()
    """`acl_c…`/`acl_m…` names and values, as they were at the end of the data."""
    tainted_variables: tuple[str, ...] = ()
    """Names of those whose value came from outside."""
    auth_sender: str = ""
    """Who vouches for the message, as far as we believe it: AUTH= of MAIL (RFC 4954 §5), or a local caller's own address; empty: not known."""
    queue: str = ""
    """Name of the queue that it waits in; empty: the usual one."""
    is_dry: bool = False
    """Submitted with `-N`: transports only pretend."""
    reception: Reception | None = None
    """None: there is nothing of the kind."""
    utf8_downconvert: str = ""
    """`control = utf8_downconvert`: `1`, `0` or `-1`, as the option of transports has them; empty: nothing was said."""
