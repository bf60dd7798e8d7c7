"""Every option of every router and transport stands in a scenario that the real Exim is asked too, or its exception says why not.

The configurations are those of the scenario files beside this one. A generic option has been compared once any driver of its family had it.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.oracle.flow import commands, mailbox_faults, mailbox_scenarios, mailboxes, queueing, remote

from pillarbox.app.configuration import declare_all
from pillarbox.config.declare import Driver
from pillarbox.flow.route.router import Router
from pillarbox.flow.transport.transport import Transport

HERE = Path(__file__).parent
_NOT_BUILT = "the real one is built without it"
_REFUSED = "does not act yet: refused when serving"
_PASSED_OVER = "does not act yet: said at the start"
EXCEPTIONS: dict[tuple[str, str], str] = {
    ("router", "translate_ip_address"): _NOT_BUILT,
    ("pipe", "permit_coredump"): "the real one may not raise the limit in its sandbox",
    ("pipe", "use_classresources"): _NOT_BUILT,
    ("queuefile", "directory"): _NOT_BUILT,
    ("smtp", "tls_crl"): "nobody has revoked a certificate in these worlds",
    ("smtp", "gnutls_compat_mode"): _NOT_BUILT,
    ("smtp", "dane_require_tls_ciphers"): "GnuTLS's names of ciphers there, OpenSSL's here",
}
"""(driver, or family for a generic option; option) → why it is in no scenario."""
_BLOCK = re.compile(r"(\w[-\w]*) *: *$")
_OPTION = re.compile(r"(?:no_|not_)?(\w+)")
_DRIVER = re.compile(r"driver *= *(\w+)")


def configurations() -> Iterator[str]:
    """What the runners of this folder write into configuration files."""
    for folder in ("redirecting", "routing", "pipes"):
        yield from (path.read_text() for path in sorted((HERE / folder).glob("*.conf")))
    yield from (commands.CONFIG, queueing.CONFIG)
    for waiting in queueing.scenarios().values():
        yield "begin transports\nsmtp:\n  driver = smtp\n" + "".join(f"  {line}\n" for line in waiting.smtp)
    with tempfile.TemporaryDirectory() as name:
        for scenario in remote.scenarios().values():
            if not scenario.not_yet:
                remote.write_config(scenario, Path(name))
                yield (Path(name) / "conf").read_text()
    for local in (mailbox_scenarios.SCENARIOS | mailbox_faults.SCENARIOS).values():
        yield mailboxes.CONFIG.format(
            top="", main="", options=local.options, routers=local.routers, transports=local.transports
        )


def drivers_in(text: str) -> Iterator[tuple[str, str, set[str]]]:
    """Family, driver and options of each router and transport."""
    parts = re.split(r"(?m)^begin +(\w+)\n", text)
    for section, body in zip(parts[1::2], parts[2::2], strict=True):
        if section in ("routers", "transports"):
            body = re.split(r"(?m)^#===", body)[0].replace("\\\n", "")
            for lines in _blocks(body):
                driver = next((found[1] for line in lines if (found := _DRIVER.match(line))), "")
                yield section[:-1], driver, {found[1] for line in lines if (found := _OPTION.match(line))}


def _blocks(body: str) -> Iterator[list[str]]:
    lines: list[str] = []
    for line in (line.strip() for line in body.split("\n")):
        if _BLOCK.match(line):
            yield lines
            lines = []
        else:
            lines.append(line)
    yield lines


def used() -> set[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    generic = {"router": set(Router.options()), "transport": set(Transport.options())}
    for text in configurations():
        for family, driver, options in drivers_in(text):
            found |= {(family if option in generic[family] else driver, option) for option in options}
    return found


def declared(family: type[Driver]) -> Iterator[tuple[str, str]]:
    declare_all()
    generic = family.options()
    owners = [(family.family, generic), *((name, made.options()) for name, made in family.registry.items())]
    for owner, options in owners:
        for name, option in options.items():
            if not option.extension and (owner == family.family or name not in generic):
                yield owner, name


@pytest.mark.parametrize("family", [Router, Transport], ids=lambda family: family.family)
def test_every_option_is_compared(family: type[Driver]) -> None:
    seen = used()
    missing = {one for one in declared(family) if one not in seen}
    assert missing <= EXCEPTIONS.keys()


def test_no_exception_is_left_over() -> None:
    assert not EXCEPTIONS.keys() & used()
    assert EXCEPTIONS.keys() <= {one for family in (Router, Transport) for one in declared(family)}


def test_what_does_not_act_is_declared_so() -> None:
    declare_all()
    smtp = Transport.registry["smtp"].options()
    inert = {_REFUSED: "refused", _PASSED_OVER: "noted"}
    for (driver, name), why in EXCEPTIONS.items():
        if driver == "smtp" and why in inert:
            assert smtp[name].inert == inert[why], name
