"""Where a line of an ACL cannot be asked or used; at run time it is a mistake that answers 4xx (asked of Exim 4.100)."""

from __future__ import annotations

from pillarbox.flow.check.acl.state import AclState, CheckFailed, place_name
from pillarbox.flow.check.verdict import Accept, Defer, Discard, Verdict
from pillarbox.mail.reply import Reason

_EARLY = frozenset({"connect", "helo"})
_COMMANDS = frozenset({"atrn", "auth", "etrn", "expn", "mailauth", "starttls", "vrfy", "wellknown"})
_ENDING = frozenset({"notquit", "quit"})
_NO_MESSAGE = _EARLY | _COMMANDS | _ENDING
_NOT_A_RECIPIENT = frozenset(
    {
        "auth",
        "connect",
        "data",
        "etrn",
        "expn",
        "helo",
        "mail",
        "mailauth",
        "mime",
        "not_smtp",
        "predata",
        "starttls",
        "wellknown",
    }
    | _ENDING
)
NOT_SMTP = frozenset({"not_smtp", "not_smtp_start"})
_NO_CONTENT = _NO_MESSAGE | {"mail", "predata", "rcpt"}
_NOT_MIME = _NO_CONTENT | {"data", "data_prdr", "not_smtp", "not_smtp_start"}

CONDITIONS = {
    "authenticated": _EARLY | NOT_SMTP,
    "decode": _NOT_MIME,
    "dkim_signers": _NOT_MIME | {"mime", "data_prdr"},
    "dkim_status": _NO_CONTENT | NOT_SMTP,
    "domains": _NOT_A_RECIPIENT,
    "encrypted": frozenset({"connect"}) | NOT_SMTP,
    "hosts": NOT_SMTP,
    "local_parts": _NOT_A_RECIPIENT,
    "mime_regex": _NOT_MIME,
    "malware": _NO_CONTENT | {"mime"},
    "recipients": _NOT_A_RECIPIENT | {"vrfy"},
    "regex": _NO_CONTENT,
    "sender_domains": _NO_MESSAGE - {"notquit"},
    "senders": _NO_MESSAGE - {"notquit"},
    "spf": _NO_MESSAGE - {"notquit", "mail"},
    "spf_guess": _NO_MESSAGE - {"notquit", "mail"},
    "spam": _NO_CONTENT | {"mime"},
}
MODIFIERS = {
    "add_header": _NO_MESSAGE,
    "delay": frozenset({"notquit"}),
    "queue": frozenset({"data", "not_smtp"}),
    "remove_header": _NO_MESSAGE,
}
_NOT_FOR_LOCAL = NOT_SMTP
CONTROLS = {
    "allow_auth_unadvertised": frozenset(
        {"auth", "data", "etrn", "expn", "mail", "mailauth", "mime", "predata", "rcpt", "starttls", "vrfy"}
    )
    | NOT_SMTP
    | _ENDING,
    "caseful_local_part": _NOT_A_RECIPIENT | {"not_smtp_start", "vrfy"},
    "caselower_local_part": _NOT_A_RECIPIENT | {"not_smtp_start", "vrfy"},
    "dkim_disable_verify": frozenset({"data"}) | NOT_SMTP,
    "dscp": frozenset({"notquit"}) | NOT_SMTP,
    "enforce_sync": _NOT_FOR_LOCAL,
    "fakedefer": _NO_MESSAGE | NOT_SMTP,
    "fakereject": _NO_MESSAGE | NOT_SMTP,
    "freeze": _NO_MESSAGE | {"not_smtp_start"},
    "no_callout_flush": _NOT_FOR_LOCAL,
    "no_delay_flush": _NOT_FOR_LOCAL,
    "no_enforce_sync": _NOT_FOR_LOCAL,
    "no_mbox_unspool": _NO_MESSAGE | NOT_SMTP,
    "no_multiline_responses": _NOT_FOR_LOCAL,
    "no_pipelining": _NOT_FOR_LOCAL,
    "queue": _NO_MESSAGE | {"not_smtp_start"},
    "submission": _NO_MESSAGE | {"data"} | NOT_SMTP,
    "suppress_local_fixups": _NO_MESSAGE | {"data", "not_smtp"},
    "utf8_downconvert": _NOT_A_RECIPIENT - {"vrfy"} | NOT_SMTP,
    "wellknown": _NOT_A_RECIPIENT - {"wellknown"} | {"rcpt", "vrfy"} | NOT_SMTP,
}


_DISCARDS = frozenset({"data", "data_prdr", "dkim", "mail", "mime", "not_smtp", "rcpt"})


def permitted(verdict: Verdict, state: AclState) -> Verdict:
    """The verdict; `discard` where there is nothing to throw away is a mistake."""
    if not isinstance(verdict, Discard) or state.where in _DISCARDS or state.where in _ENDING:
        return verdict
    state.panic(f'"discard" verb not allowed in {place_name(state.where)} ACL')
    return Defer(verdict.reason, is_mistake=True)


def permitted_of(verb: str, verdict: Verdict, state: AclState) -> Verdict:
    """The verdict; at the end of a session it may be good only."""
    if state.where not in _ENDING or isinstance(verdict, Accept):
        return verdict
    if (isinstance(verdict, Defer) and verdict.is_mistake) or state.depth > 1:
        return verdict
    text = f"QUIT or not-QUIT toplevel ACL may not fail ('{verb}' verb used incorrectly)"
    return Defer(Reason(text, verdict.reason.peer), is_mistake=True)


def takes_header_lines(where: str) -> bool:
    """There is a message, or will be, that `warn` may add to."""
    return where not in _NO_MESSAGE | {"not_smtp_start"}


def check_condition(name: str, where: str) -> None:
    """Raises CheckFailed."""
    if where in CONDITIONS.get(name, ()):
        raise CheckFailed(f"cannot test {name} condition in {place_name(where)} ACL")


def check_modifier(name: str, where: str) -> None:
    """Raises CheckFailed."""
    if where in MODIFIERS.get(name, ()):
        raise CheckFailed(f"cannot use {name} condition in {place_name(where)} ACL")


def check_control(name: str, where: str) -> None:
    """Raises CheckFailed."""
    if where in CONTROLS.get(name, ()):
        raise CheckFailed(f'cannot use "control={name}" in {place_name(where)} ACL')
