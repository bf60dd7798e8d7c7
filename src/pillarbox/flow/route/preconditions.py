"""May this router see this address? The tests in Exim's order (3.12), and only those that the router really has.

Each test is a plain function `(visit) -> why it is skipped | None`; a test that must wait raises BlockingIOError, and the chain replays all of
them when the answer is there. What depends on the purpose alone is settled when the chain is built.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from enum import StrEnum

from pillarbox.flow.route.affixes import find_prefix, find_suffix
from pillarbox.flow.route.candidate import Purpose
from pillarbox.flow.route.required_files import required_files
from pillarbox.flow.route.result import LogLine
from pillarbox.flow.route.router import Router
from pillarbox.flow.route.visit import Visit
from pillarbox.language.expand.errors import ExpansionDeferred, ExpansionFailed, ForcedFailure
from pillarbox.language.expand.template import Template
from pillarbox.language.match.steps import Matcher
from pillarbox.mail.taint import Tainted

Check = Callable[[Visit], "str | None"]
"""The reason to skip the router, for `-bt`; None: the test holds."""

_FALSE = frozenset(("", "0", "no", "false"))


class Skip(StrEnum):
    """The reasons of tests that have values to show; `trace.py` does that for who looks."""

    PREFIX = "local part has no wanted prefix"
    SUFFIX = "local part has no wanted suffix"
    DOMAINS = "domain is not in domains"
    LOCAL_PARTS = "local part is not in local_parts"
    LOGIN = "local part is not a login name"
    ACCOUNT = "address is not an account"
    SENDERS = "sender is not in senders"
    CONDITION = "condition is false"


def purpose_skips(router: Router, purpose: Purpose) -> str | None:
    """Steps 2 to 5: why `router` is never used for `purpose`."""
    match purpose:
        case "verify" | "verify_sender":
            if not (router.verify_sender if purpose == "verify_sender" else router.verify_recipient):
                return "verify is not set"
        case "test" if not router.address_test:
            return "address_test is not set"
        case "expn" if not router.expn:
            return "expn is not set"
        case _ if router.verify_only:
            return "verify_only is set"
    return None


def shared_domains(routers: Sequence[Router]) -> frozenset[str]:
    """Lists that several routers have, and that depend on nothing but the domain: each is asked once for an address."""
    counts = Counter(r.domains.source for r in routers if r.domains is not None and r.domains.is_pure)
    return frozenset(source for source, count in counts.items() if count > 1)


def compile_checks(
    router: Router, purpose: Purpose, shared: frozenset[str] = frozenset()
) -> tuple[Check, ...]:
    """The tests of one router in order; one that always skips when the purpose rules it out. `shared`: see `shared_domains`."""
    why = purpose_skips(router, purpose)
    if why is not None:
        return (lambda visit: why,)
    checks: list[Check] = []
    if router.prefixes or router.suffixes:
        checks.append(_affix_check(router))
    if router.domains is not None:
        checks.append(_domains_check(router, is_shared=router.domains.source in shared))
    if router.local_parts is not None:
        checks.append(_local_parts_check(router))
    if router.check_local_user:
        checks.append(_local_user_check())
    if router.check_account:
        checks.append(_account_check())
    if router.router_home_directory is not None:
        checks.append(_home_step(router))
    if router.debug_print is not None and purpose == "test":
        checks.append(_debug_step(router.debug_print))
    if router.senders is not None:
        checks.append(_senders_check(router))
    if router.require_files is not None:
        checks.append(required_files(router.require_files))
    if router.condition is not None:
        checks.append(_condition_check(router))
    return tuple(checks)


def _list_deferred(name: str, visit: Visit, error: Exception) -> ExpansionDeferred:
    """What a list cannot tell postpones the address, in Exim's words; the log is told why."""
    visit.log.append(LogLine(str(error), is_panic=True))
    return ExpansionDeferred(f"{name} check lookup or other defer")


def _affix_check(router: Router) -> Check:
    prefixes, suffixes = router.prefixes, router.suffixes
    needs_prefix = bool(prefixes) and not router.local_part_prefix_optional
    needs_suffix = bool(suffixes) and not router.local_part_suffix_optional

    def check(visit: Visit) -> str | None:
        local_part = visit.local_part
        taken, variable = find_prefix(local_part, prefixes)
        if taken:
            visit.prefix, local_part = local_part[:taken], local_part[taken:]
            visit.prefix_v = visit.prefix[:variable]
            if variable:
                visit.prefix = Tainted(visit.prefix)
        elif needs_prefix:
            return Skip.PREFIX
        taken, variable = find_suffix(local_part, suffixes)
        if taken:
            visit.suffix, local_part = local_part[-taken:], local_part[:-taken]
            visit.suffix_v = visit.suffix[taken - variable :]
            if variable:  # without a wildcard the option has it word for word: nothing of the sender's
                visit.suffix = Tainted(visit.suffix)
        elif needs_suffix:
            return Skip.SUFFIX
        visit.local_part = local_part
        visit.is_stale = True
        return None

    return check


def _domains_check(router: Router, *, is_shared: bool) -> Check:
    domains = router.domains
    assert domains is not None
    match, is_pure = domains.match_data_now, domains.is_pure
    find = _remembering(domains.source, match)

    def check(visit: Visit) -> str | None:
        try:
            if is_shared:
                data = find(visit)
            else:
                data = match(visit.candidate.domain, visit.scope_now if is_pure else visit.scope)
        except (ExpansionDeferred, ExpansionFailed) as error:
            raise _list_deferred("domains", visit, error) from None
        if data is None:
            return Skip.DOMAINS
        if data:
            visit.domain_data = data
            visit.is_stale = True
        return None

    return check


def _remembering(source: str, match: Matcher[str]) -> Callable[[Visit], str | None]:
    """The list's answer for the domain of a visit, with what it leaves in `$0 $1 …`."""

    def find(visit: Visit) -> str | None:
        known, scope = visit.domains_known.get(source), visit.scope_now
        if known is None:
            data = match(visit.candidate.domain, scope)
            visit.domains_known[source] = data, scope.captures
            return data
        data, scope.captures = known
        return data

    return find


def _local_parts_check(router: Router) -> Check:
    local_parts = router.local_parts
    assert local_parts is not None
    if router.caseful_local_part:  # case counts in the list too
        local_parts = local_parts.caseful
    find, is_pure = local_parts.match_data_now, local_parts.is_pure

    def check(visit: Visit) -> str | None:
        try:
            data = find(visit.local_part, visit.scope_now if is_pure else visit.scope)
        except (ExpansionDeferred, ExpansionFailed) as error:
            raise _list_deferred("local_parts", visit, error) from None
        if data is None:
            return Skip.LOCAL_PARTS
        if data:
            visit.local_part_data = data
            visit.is_stale = True
        return None

    return check


def _local_user_check() -> Check:
    def check(visit: Visit) -> str | None:
        users = visit.services.system_users
        if users is None:
            raise ExpansionDeferred("check_local_user: this process cannot look up login names")
        user = users.find(visit.local_part)
        if user is None:
            return Skip.LOGIN
        visit.local_user = user
        visit.local_part_data, visit.home = user.name, user.home
        visit.user, visit.group = str(user.uid), str(user.gid)
        visit.is_stale = True
        return None

    return check


def _account_check() -> Check:
    def check(visit: Visit) -> str | None:
        users = visit.services.users
        if users is None:
            raise ExpansionDeferred("check_account: there are no accounts")
        account = users.find(f"{visit.local_part}@{visit.candidate.domain}")
        if account is None:
            return Skip.ACCOUNT
        visit.account, visit.home = account.name, account.home
        visit.local_part_data = visit.local_part_data or account.name.rpartition("@")[0] or account.name
        visit.is_stale = True
        return None

    return check


def _home_step(router: Router) -> Check:
    """Not a test: `$home` for what follows (step 9)."""
    template = router.router_home_directory
    assert template is not None

    def check(visit: Visit) -> str | None:
        try:
            visit.home = template.expand_now(visit.scope)
            visit.is_stale = True
        except ForcedFailure:
            pass
        except (ExpansionDeferred, ExpansionFailed) as error:
            text = f'failed to expand "{template.source}" for router_home_directory: {error}'
            raise type(error)(text) from None
        return None

    return check


def _debug_step(template: Template) -> Check:
    """Not a test: `debug_print`. Exim has it here, before the tests that mostly fail."""

    def check(visit: Visit) -> str | None:
        try:
            text = template.expand_now(visit.scope)
        except (ForcedFailure, ExpansionFailed, ExpansionDeferred) as error:
            text = f'failed to expand debug_output "{template.source}": {error}'
        if text:
            visit.log.append(LogLine(text.rstrip("\n"), is_main=False, is_debug=True))
        return None

    return check


def _senders_check(router: Router) -> Check:
    senders = router.senders
    assert senders is not None
    find = senders.match_data_now

    def check(visit: Visit) -> str | None:
        try:
            data = find(visit.sender, visit.scope)
        except (ExpansionDeferred, ExpansionFailed) as error:
            raise _list_deferred("senders", visit, error) from None
        return None if data is not None else Skip.SENDERS

    return check


def _condition_check(router: Router) -> Check:
    template = router.condition
    assert template is not None

    def check(visit: Visit) -> str | None:
        try:
            visit.seen = template.expand_now(visit.scope)
            holds = visit.seen.strip().lower() not in _FALSE
        except ForcedFailure:
            visit.seen, holds = "forced failure", False
        except ExpansionDeferred:
            raise ExpansionDeferred("condition check lookup defer") from None
        except ExpansionFailed as error:
            source, name = template.source, visit.router
            text = f'failed to expand condition "{source}" for {name} router: {error}'
            visit.log.append(LogLine(text, is_panic=True))
            visit.seen, holds = "an error", False
        return None if holds else Skip.CONDITION

    return check
