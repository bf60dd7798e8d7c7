"""Variables in ACLs whose facts come later: always empty where they are used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pillarbox.config.model import Config
from pillarbox.flow.check.acl.conditions.acl import NestedAcl
from pillarbox.flow.check.acl.program import Acl, Test
from pillarbox.flow.review.finding import Finding, check
from pillarbox.flow.review.strings import expanded_strings, pieces

_NO_SENDER = frozenset(["sender_address", "sender_address_domain", "sender_address_local_part"])
_NO_RECIPIENT = frozenset(["domain", "domain_data", "local_part", "local_part_data"])
_NO_MESSAGE = frozenset(["body_linecount", "body_zerocount", "message_body", "message_body_end", "message_headers", "message_linecount",
                         "spam_score", "spam_score_int", "malware_name"])  # fmt: skip
_BEFORE_MAIL = ("connect", "helo", "starttls", "auth")
_WITHOUT: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(_BEFORE_MAIL, _NO_SENDER | _NO_RECIPIENT | _NO_MESSAGE),
    "mail": _NO_RECIPIENT | _NO_MESSAGE,
    "rcpt": _NO_MESSAGE,
    "predata": _NO_RECIPIENT | _NO_MESSAGE,
    "mime": _NO_RECIPIENT,
    "data": _NO_RECIPIENT,
}
_HEADER = ("$h_", "$rh_", "$bh_", "$lh_", "$header_", "$rheader_", "$bheader_", "$lheader_")
_NO_HEADERS = frozenset([*_BEFORE_MAIL, "mail", "rcpt", "predata"])


@check("empty variables")
def empty_variables(config: Config) -> Iterator[Finding]:
    stages = acl_stages(config)
    for found in expanded_strings(config):
        used_in = stages.get(found.owner) if found.place == "acl" else None
        if not used_in:
            continue
        for node in pieces(found.node):
            name = node.label.removeprefix("$")
            if not node.label.startswith("$") or not all(_is_empty(node.label, name, at) for at in used_in):
                continue
            yield Finding(
                found.position,
                found.source,
                node.position,
                f"{found.option}: {node.label} is always empty here: ACL {found.owner} runs at {', '.join(sorted(used_in))}",
            )


def _is_empty(label: str, name: str, stage: str) -> bool:
    if label.startswith(_HEADER):
        return stage in _NO_HEADERS
    return name in _WITHOUT.get(stage, frozenset())


def acl_stages(config: Config) -> dict[str, set[str]]:
    """ACL → the SMTP stages that run it (`rcpt`, `data` …); ACLs that are chosen by an expansion count for none."""
    stages: dict[str, set[str]] = {}
    for option in config.raw.main:
        name = (option.value or "").strip()
        if option.name.startswith("acl_smtp_") and name in config.acls:
            _spread(config, name, option.name.removeprefix("acl_smtp_"), stages)
    if any(option.name.startswith("acl_") and "$" in (option.value or "") for option in config.raw.main):
        return {}
    return stages


def _spread(config: Config, name: str, stage: str, stages: dict[str, set[str]]) -> None:
    known = stages.setdefault(name, set())
    if stage in known:
        return
    known.add(stage)
    acl = config.acls.get(name)
    for statement in acl.statements if isinstance(acl, Acl) else ():
        for line in statement.lines:
            if isinstance(line, Test) and isinstance(line.condition, NestedAcl):
                _spread(config, line.condition.called, stage, stages)
