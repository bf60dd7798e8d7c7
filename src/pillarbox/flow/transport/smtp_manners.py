"""From the smtp transport's lists of hosts to the manners for one host (Exim 30.4).

What is the same for every host is settled when the configuration is loaded; a list is asked, and a string expanded, only where one is set.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Literal

import msgspec

from pillarbox.flow.transport.attempt.habits import Manners
from pillarbox.flow.transport.attempt.session import Session
from pillarbox.flow.transport.attempt.target import Target
from pillarbox.flow.transport.login import Outbound
from pillarbox.flow.transport.smtp_options import SmtpOptions
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed, ForcedFailure
from pillarbox.language.expand.scope import Scope
from pillarbox.language.expand.template import Template
from pillarbox.language.match.hosts import HostList, HostSubject
from pillarbox.ports.network import TlsWish

_EVERYONE = "*"
_SAYABLE = re.compile(r"[^\x00-\x1f\x7f]*")
"""What EHLO can say; blanks are the administrator's choice."""
_LISTS = (
    "hosts_avoid_esmtp",
    "hosts_avoid_pipelining",
    "hosts_avoid_tls",
    "hosts_require_alpn",
    "hosts_require_auth",
    "hosts_require_dane",
    "hosts_require_ocsp",
    "hosts_require_tls",
    "hosts_try_auth",
    "serialize_hosts",
    "tls_verify_hosts",
)
_WITH_DEFAULT = (
    "hosts_pipe_connect",
    "hosts_request_ocsp",
    "hosts_try_chunking",
    "hosts_try_dane",
    "hosts_try_fastopen",
    "hosts_try_prdr",
    "tls_try_verify_hosts",
    "tls_verify_cert_hostnames",
)
_TEMPLATES = (
    "dane_require_tls_ciphers",
    "helo_data",
    "tls_alpn",
    "tls_certificate",
    "tls_privatekey",
    "tls_crl",
    "tls_require_ciphers",
    "tls_sni",
    "tls_verify_certificates",
)


def usual_manners(options: SmtpOptions, *, is_tls_first: bool) -> Manners | None:
    """The manners for every host, when no list tells them apart and nothing is expanded."""
    if any(getattr(options, name) for name in _LISTS):
        return None
    given = [getattr(options, name) for name in _WITH_DEFAULT]
    if any(hosts is not None and hosts.source not in ("", _EVERYONE) for hosts in given):
        return None
    for name in _TEMPLATES:
        template = getattr(options, name)
        if template is not None and not template.is_constant and template.source != "$primary_hostname":
            return None
    is_in = {name: _is_all(getattr(options, name)) for name in _WITH_DEFAULT}
    texts = {name: constant(getattr(options, name)) for name in _TEMPLATES}
    if not _SAYABLE.fullmatch(texts["helo_data"]):
        return None
    return _manners(options, is_in, texts, is_tls_first=is_tls_first)


def _is_all(hosts: HostList | None) -> bool:
    return hosts is not None and hosts.source == _EVERYONE


def constant(template: Template | None) -> str:
    """What it always is; empty when it is unset or depends."""
    return ((template.node.constant if template is not None else "") or "").strip()


async def manners_for(options: SmtpOptions, target: Target, scope: Scope, *, is_tls_first: bool) -> Manners:
    """Raises ExpansionDeferred, ExpansionFailed."""
    subject = HostSubject(target.address, lambda: target.name)
    here = scope.with_facets(target.facets(scope))
    is_in: dict[str, bool] = {}
    late = ("helo_data",) if needs_interface(options.helo_data) else ()
    for name in (*_LISTS, *_WITH_DEFAULT):
        hosts: HostList | None = getattr(options, name)
        is_in[name] = hosts is not None and (_is_all(hosts) or await _surely_matches(hosts, subject, here))
    texts = {name: await _text(getattr(options, name), here, name) for name in _TEMPLATES if name not in late}
    return _manners(options, is_in, texts, is_tls_first=is_tls_first)


async def _surely_matches(hosts: HostList, subject: HostSubject, scope: Scope) -> bool:
    """A list that cannot be decided now, for want of the DNS say, has not this host in it. Raises ExpansionFailed."""
    try:
        return await hosts.matches(subject, scope)
    except ExpansionDeferred:
        return False


def less_tls(
    usual: Callable[[Target], Awaitable[Manners]], avoided: HostList, scope: Scope
) -> Callable[[Target], Awaitable[Manners]]:
    """The manners of a callout: no STARTTLS with these hosts (`hosts_verify_avoid_tls`)."""

    async def manners(target: Target) -> Manners:
        found = await usual(target)
        subject = HostSubject(target.address, lambda: target.name)
        here = scope.with_facet(Outbound, target.outbound())
        if found.tls == "try" and await _surely_matches(avoided, subject, here):
            return msgspec.structs.replace(found, tls="avoid")
        return found

    return manners


async def _text(template: Template | None, scope: Scope, name: str) -> str:
    if template is None:
        return ""
    try:
        text = (await template.expand(scope)).strip()
    except ForcedFailure as error:
        if name == "helo_data":
            raise ExpansionFailed(f"failed to expand {name}: {error}") from error
        return ""
    except ExpansionFailed as error:
        raise ExpansionFailed(f"failed to expand {name}: {error}") from error
    if name == "helo_data" and not _SAYABLE.fullmatch(text):
        raise ExpansionFailed(f"failed to expand {name}: control character in {text!r}")
    return text


def _manners(
    options: SmtpOptions, is_in: dict[str, bool], texts: dict[str, str], *, is_tls_first: bool
) -> Manners:
    tls = "try"
    if is_tls_first:
        tls = "first"
    elif is_in.get("hosts_require_tls"):
        tls = "require"
    elif is_in.get("hosts_avoid_tls"):
        tls = "avoid"
    auth = "no"
    if is_in.get("hosts_require_auth"):
        auth = "require"
    elif is_in.get("hosts_try_auth"):
        auth = "try"
    dane = "no"
    if is_in.get("hosts_require_dane"):
        dane = "require"
    elif is_in["hosts_try_dane"]:
        dane = "try"
    return Manners(
        tls=tls,
        tls_wish=_wish(is_in, texts, asks_all=_is_all(options.hosts_request_ocsp)),
        may_ask_for_proof=_is_all(options.hosts_request_ocsp),
        clear_after_tls_failure=options.tls_tempfail_tryclear,
        auth=auth,
        chunking=is_in["hosts_try_chunking"],
        prdr=is_in["hosts_try_prdr"],
        fast_open=is_in["hosts_try_fastopen"],
        pipelining=not is_in.get("hosts_avoid_pipelining"),
        pipe_connect=is_in["hosts_pipe_connect"] and not needs_interface(options.helo_data),
        esmtp=not is_in.get("hosts_avoid_esmtp"),
        is_serial=is_in.get("serialize_hosts", False),
        helo=texts.get("helo_data", ""),
        dane=dane,
        dane_ciphers=texts["dane_require_tls_ciphers"],
    )


def needs_interface(helo: Template | None) -> bool:
    """The name that we give depends on which of our addresses the connection has: `name_on` tells it then."""
    return helo is not None and any(word in helo.source for word in ("sending_ip_address", "sending_port"))


async def name_on(helo: Template | None, scope: Scope, session: Session) -> str:
    """`helo_data`, now that there is a connection. Raises ExpansionDeferred, ExpansionFailed."""
    return await _text(helo, scope.with_facets(session.facets(scope)), "helo_data")


def _wish(is_in: dict[str, bool], texts: dict[str, str], *, asks_all: bool) -> TlsWish:
    """`asks_all`: for OCSP proofs, as is usual; it is only done where it is of use."""
    verify: Literal["no", "try", "require"] = "no"
    if is_in.get("tls_verify_hosts"):
        verify = "require"
    elif is_in["tls_try_verify_hosts"]:
        verify = "try"
    proof: Literal["no", "ask", "require"] = "no"
    if is_in.get("hosts_require_ocsp"):
        proof = "require"
    elif is_in["hosts_request_ocsp"] and not asks_all:
        proof = "ask"
    authorities = texts["tls_verify_certificates"]
    return TlsWish(
        verify=verify,
        verifies_name=is_in["tls_verify_cert_hostnames"],
        ca_file="" if authorities == "system" else authorities,
        has_no_authorities=not authorities,
        client_certificate=texts["tls_certificate"],
        client_key=texts["tls_privatekey"],
        crl=texts["tls_crl"],
        ciphers=texts["tls_require_ciphers"],
        sni=texts["tls_sni"],
        alpn=texts["tls_alpn"],
        requires_alpn=is_in.get("hosts_require_alpn", False),
        proof=proof,
    )
