"""What became of one address in one delivery: Delivered, Deferred or Failed.

One recipient of the envelope may become several addresses (an alias), each with an outcome of its own. The log line, the
bounce and the retry hints are all made from these.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from pillarbox.mail.reply import Reason, Reply


class RemoteHost(msgspec.Struct, frozen=True, gc=False):
    """The host an SMTP or LMTP attempt spoke with (`H=name [address]:port`)."""

    name: str
    address: str
    port: int = 25
    is_secure: bool = False
    """DNSSEC vouches for the name and the address (`DS`)."""


class Security(msgspec.Struct, frozen=True, gc=False):
    """How the session with that host was protected, and who we were there."""

    cipher: str = ""
    """`X=`; empty without TLS."""
    certificate: str = ""
    """`yes`: the host's certificate was verified; `no`: it was not (`CV=`); empty without TLS."""
    authenticator: str = ""
    """The client authenticator used, `name` or `name:client_set_id` (`A=`)."""
    auth_sender: str = ""
    """Who vouched for the message there: AUTH= of MAIL (RFC 4954 §5)."""
    peer_name: str = ""
    """Subject of the host's certificate (`DN=`)."""
    proxy: tuple[str, int] = ("", 0)
    """The SOCKS proxy on the way (`PRX=`): address and port."""


CLEAR = Security()


class Outcome(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The facts all outcomes share; always one of the three subclasses."""

    address: str
    """The address that was delivered or tried, after redirection."""
    recipient: str
    """The envelope's recipient it came from; the same unless redirected."""
    parents: tuple[str, ...] = ()
    """What stands between them, nearest first, without `recipient` and `address`."""
    done_name: str = ""
    """What -H says once it is done (`flow.route.done_names`); empty: its address."""
    router: str = ""
    transport: str = ""
    host: RemoteHost | None = None
    reply: Reply | None = None
    """The remote host's last words about this address."""
    security: Security = CLEAR
    is_reused: bool = False
    """The connection had carried another message before (`*` behind the address in `H=`)."""
    chunking: bool = False
    """Sent with BDAT (`K` in the log)."""
    pipelining: str = ""
    """`L` where it was offered and used, `-` behind it where it was not used."""
    return_path: str | None = None
    """The sender that the other host was told, where it is known (`P=`)."""
    size: int = 0
    """Octets of the message as it went; 0: not known (`S=`)."""
    interface: tuple[str, int] = ("", 0)
    """Our end of the connection (`I=`)."""
    startup: str = ""
    """The steps with which the session began, a letter for each (`PS=`)."""
    is_prdr: bool = False
    """The host has said of each recipient what it thinks of the message (`PRDR`)."""
    signers: str = ""
    """`domain:selector:…` of our DKIM signatures (`DKIM=`)."""
    elapsed: float = 0.0
    """Seconds the attempt took (`DT=`)."""
    log_word: str = ""
    """What to log in place of `address` (`/var/mail/x`, `|command`, `:blackhole:`); empty: the address."""
    is_unlogged: bool = False
    """`disable_logging`: no line in the log."""
    is_in_own_log: bool = False
    """The message's own log has it also when it is unlogged (`disable_logging`)."""
    shows_domain: bool = False
    """`no_log_as_local`: the log has the whole address of a local delivery too."""
    is_dsn_passed_on: bool = False
    """The next host offered DSN (RFC 3461) and was given NOTIFY: it reports, not we."""
    announce: Callable[[], Awaitable[None]] | None = None
    """Tells whoever wants to hear of it, with its line in the log (`event_action`)."""
    host_trouble: str | None = None
    """What the message's own log tells of the host besides; empty: nothing; None: the reason, where that is usual."""
    is_hidden: bool = False
    """`hide_child_in_errmsg`: notices do not tell the address, only the recipient it came from."""

    @property
    def names(self) -> tuple[str, ...]:
        """Its own in -H, and behind it the recipient's where that is another."""
        name = self.done_name or self.address
        return (name,) if name == self.recipient else (name, self.recipient)


class Delivered(Outcome, frozen=True, kw_only=True, tag=True):
    """Final: taken by the next host, or in the mailbox."""

    path: str = ""
    """For local deliveries: the file or directory, as logged by Exim in `=> address <recipient>`; else empty."""
    is_additional: bool = False
    """Not the first address of its transaction (`->`)."""
    is_dry: bool = False
    """The transport only pretended (`*>`)."""
    host_list: str = ""
    """Of a local delivery: the hosts that its router found or named all the same (`H=`)."""
    is_late: bool = False
    """Another host has put it off before: the retry time that it has for that stays."""
    shadow: str = ""
    """The shadow transport that got it too, and in parentheses why it failed (`ST=`)."""


class Deferred(Outcome, frozen=True, kw_only=True, tag=True):
    """To be tried again. `retry_keys` are the retry database keys that the failure concerns (Exim 32.1)."""

    reason: Reason
    retry_keys: tuple[str, ...] = ()
    """`T:host:ip`, `T:host:ip:id`, `T:local@domain`, `R:domain`, `R:local@domain`."""
    error: str = ""
    """Name for the retry rules' second field: `refused`, `timeout_connect`, `rcpt_4xx`, `tls_required`, `quota` …; empty: none fits."""
    error_detail: str = ""
    """Its detail: `A`/`MX` for refused and timeout_connect, the three digits for `…_4xx`."""
    is_by_mx: bool = False
    """An MX record has led to the host; of a temporary response, whose detail does not say so."""
    reached: RemoteHost | None = None
    """Of other hosts: the last one that there was a connection to."""
    also_for: tuple[str, ...] = ()
    """Other recipients that it is for: they wait too."""
    first: str = ""
    """The first of the addresses that have been put off together: a host's retry rule is that for its domain."""
    hint: str = ""
    """What the retry hint says of it, where that is not the reason."""
    is_frozen: bool = False
    """An administrator must look: the message is frozen (`self = freeze`, `:defer:` with freezing allowed …)."""
    is_panic: bool = False
    """An administrator must read of it: the panic log has the line too."""


class Failed(Outcome, frozen=True, kw_only=True, tag=True):
    """Final: it cannot be delivered. Causes a bounce unless the sender is null or NOTIFY=NEVER."""

    reason: Reason
    output: bytes = b""
    """What a command wrote, for the sender to read."""
    is_silent: bool = False
    """No bounce, by configuration (`:fail:` in an automatic message, NOTIFY=NEVER …)."""
