"""Routers that no address can reach, because one above takes or stops every address."""

from __future__ import annotations

from collections.abc import Iterator

from pillarbox.config.model import Config
from pillarbox.config.raw import RawDriver
from pillarbox.flow.review.finding import Finding, check
from pillarbox.flow.review.strings import driver_kind, given

PRECONDITIONS = frozenset(
    [
        "address_test",
        "check_account",
        "check_local_user",
        "condition",
        "dnssec_request_domains",
        "domains",
        "expn",
        "local_part_prefix",
        "local_part_suffix",
        "local_parts",
        "require_files",
        "senders",
        "verify",
        "verify_only",
        "verify_recipient",
        "verify_sender",
    ]
)
_TRUE = frozenset(["", "true", "yes"])


@check("unreachable routers")
def unreachable_routers(config: Config) -> Iterator[Finding]:
    routers = config.raw.routers
    targets = {
        (option.value or "").strip()
        for raw in routers
        for option in raw.options
        if option.name in ("pass_router", "redirect_router")
    }
    stopper: RawDriver | None = None
    for raw in routers:
        if stopper is not None and raw.name not in targets:
            yield Finding(
                raw.position,
                "",
                -1,
                f"router {raw.name} can never be reached: {stopper.name} ({stopper.position}) {_why(stopper)}",
                "give the router above a condition, or move this one before it",
            )
        if stopper is None and _stops_everything(raw):
            stopper = raw


def _stops_everything(raw: RawDriver) -> bool:
    options = given(raw)
    if any(_restricts(raw, name) for name in PRECONDITIONS) or "unseen" in options:
        return False
    return driver_kind(raw) == "accept" or _is_off(raw, "more")


def _restricts(raw: RawDriver, name: str) -> bool:
    option = given(raw).get(name)
    if option is None:
        return False
    if name in ("local_part_prefix", "local_part_suffix"):
        return f"{name}_optional" not in given(raw)
    return not (name in ("domains", "local_parts") and (option.value or "").strip() == "*")


def _is_off(raw: RawDriver, name: str) -> bool:
    option = given(raw).get(name)
    if option is None:
        return False
    return option.is_negated or (option.value or "").strip().lower() in ("false", "no")


def _why(raw: RawDriver) -> str:
    if driver_kind(raw) == "accept":
        return "accepts every address"
    return "has no_more and no condition"
