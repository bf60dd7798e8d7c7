"""`-brw` and `-brt`: what rewrite rules make of an address, and which retry rule is for it (Exim 5.2, 31.3, 32)."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from pillarbox.app.asking.loading import load_for_checks, stamped
from pillarbox.app.services import quiet_services
from pillarbox.config.model import Config
from pillarbox.flow.facts import MessageFacts
from pillarbox.flow.settings import Identity, Logging
from pillarbox.language.addresses import AddressError, Working, working_address
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed
from pillarbox.language.expand.scope import Scope, replay
from pillarbox.language.retry.errors import as_failure, parse_error_name
from pillarbox.language.retry.parameters import RetrySyntaxError
from pillarbox.language.rewrite.fields import Replacement, change_addresses
from pillarbox.language.rewrite.rules import PLACES, Kind, Result, RewriteRules
from pillarbox.mail.envelope import Origin

_FIELDS: tuple[tuple[str, Kind], ...] = (
    ("sender", "s"),
    ("from", "f"),
    ("to", "t"),
    ("cc", "c"),
    ("bcc", "b"),
    ("reply-to", "r"),
)
_ENVELOPE: tuple[tuple[str, Kind], ...] = (("env-from", "F"), ("env-to", "T"))


def show_rewritten(path: Path, words: Sequence[str], *, macros: Mapping[str, str] | None = None) -> int:
    """Each word as each kind of address. 1: the configuration is no good, or a lookup failed."""
    if not words:
        print("-brw needs an address argument")
        return 1
    config = load_for_checks(path, macros)
    if config is None:
        return 1
    try:
        asyncio.run(_Rewriting(config).show(words[0]))
    except (ExpansionDeferred, ExpansionFailed) as error:
        print(stamped(str(error)), file=sys.stderr)
        return 1
    return 0


class _Rewriting:
    def __init__(self, config: Config) -> None:
        self._rules: RewriteRules = config.rewrite
        self._domain = config.main(Identity).recipient_domain
        self._tells = config.main(Logging).style.shows("address_rewrite")
        self._scope = Scope({Origin: Origin(), MessageFacts: MessageFacts()}, quiet_services(config))

    async def show(self, text: str) -> None:
        if self._rules.is_empty:
            print("No rewrite rules are defined")
            return
        was_rewritten = False
        if self._rules.are_for_smtp:
            found = await self._result(text, "S")
            was_rewritten = found.address != text
            if was_rewritten:
                print(f"    SMTP: {found.address or '<>'}")
        if self._rules.are_only_for_smtp:
            return
        whole = text if "@" in text else f"{text}@{self._domain}"
        try:
            working = working_address(whole)
        except AddressError as error:
            if was_rewritten:
                return
            reason = str(error)
            print(f"Syntax error in {whole}\n{reason[:1].upper()}{reason[1:]}")
            return
        for name, kind in _FIELDS:
            print(f"{name:>8}: {_in_place(whole, await self._result(working.address, kind))}")
        for name, kind in _ENVELOPE:
            print(f"{name:>8}: {(await self._result(working.address, kind)).address or '<>'}")

    async def _result(self, address: str, kind: Kind) -> Result:
        found = await replay(
            self._scope,
            lambda run: self._rules.result_now(
                address, kind, run, qualify_with=self._domain, place=PLACES[kind] if self._tells else ""
            ),
        )
        for note in found.notes:
            print(stamped(note.text), file=sys.stderr)
        return found


def _in_place(text: str, found: Result) -> str:
    """The address with its surroundings."""

    def change(old: Working) -> Replacement | None:
        if found.whole is not None:
            return Replacement(found.whole, is_whole=True)
        return Replacement(found.address) if found.address != old.address else None

    return change_addresses(text, change)


def show_retry_rule(
    path: Path, words: Sequence[str], *, sender: str | None = None, macros: Mapping[str, str] | None = None
) -> int:
    """The rule for an address or a second one, whichever fits first, perhaps for an error.

    `sender`: what `-f` gave, empty or `<>` the null one."""
    if not words:
        print("-brt needs a domain or address argument")
        return 1
    config = load_for_checks(path, macros)
    if config is None:
        return 1
    keys, rest = [words[0]], list(words[1:])
    _warn_of_one_word(words[0])
    if rest and "." in rest[0]:
        keys.append(f"*@{rest.pop(0)}")
    try:
        error, detail = as_failure(parse_error_name(rest[0])) if rest else ("", "")
    except RetrySyntaxError as wrong:
        print(wrong)
        return 1
    return asyncio.run(_show_retry_rule(config, keys, error, detail, sender))


def _warn_of_one_word(address: str) -> None:
    if "@" not in address and "." not in address:
        print(
            f"Warning: \"{address}\" contains no '@' and no '.' characters. It is being \n"
            "treated as a one-component domain, not as a local part.\n"
        )


async def _show_retry_rule(
    config: Config, keys: list[str], error: str, detail: str, sender: str | None
) -> int:
    scope = Scope({Origin: Origin(), MessageFacts: MessageFacts()}, quiet_services(config))
    known = "" if sender is None else None if sender in ("", "<>") else sender
    try:
        rule = await config.retry.find_waiting(keys, error, detail, sender=known, scope=scope)
    except (ExpansionDeferred, ExpansionFailed) as failure:
        sys.stdout.flush()
        print(stamped(str(failure)), file=sys.stderr)
        return 1
    print("No retry information found" if rule is None else f"Retry rule: {rule.show()}")
    return 0
