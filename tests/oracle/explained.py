"""Which differences between the two are meant: those of docs/exim-compatibility.md that generated strings can meet.

`checked-at-load` is not believed but proved: what we say when the string is parsed must be what Exim says itself once it is given the
string from that place on, where nothing fails first.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from tests.oracle.families import ENDED

from pillarbox.app.configuration import declare_bases
from pillarbox.language.expand.errors import ExpandSyntaxError
from pillarbox.language.expand.template import Template

Ask = Callable[[list[str]], list[str]]
_FAILED = "Failed: "
_LISTS = re.compile(r"match_(?:domain|address|local_part|ip)|inlist")
_INSIDE = re.compile(r'(?: inside "[^"]*" (?:item|condition))+\Z')
_SKIPPED_SORT = 'condition name expected, but found ""'
_TAINTED = re.compile(r"[Tt]ainted")
_NEAR = 60
_LOOSE_GROUP = re.compile(r"\$\{addresses:[^{}]*;[^{}]")
_DATA = re.compile("<[^<>]*>")
_UNKNOWN = re.compile(
    "unable to complete match .*(?:unknown named|unknown lookup type|regular expression error)", re.DOTALL
)
_SKIPPED = "${if eq{a}{b}{"
_BEGUN = (
    "${extract{a}",
    "${extract{1}{a}",
    "${extract{a}{a=1}",
    "${extract{a}{a=1}{y}",
    "${extract{a}{a=1}{y}{n}",
    "${sort{a}",
    "${sort{a}{<}",
    "${map{a}",
    "${filter{a}",
    "${reduce{a}",
    "${reduce{a}{b}",
)
"""What may stand in front of a mistake without failing itself."""
_SKIPPED_EXTRACT = "Failed: missing '}' closing extract"
"""Whatever is wrong behind the first arguments of an extraction that is skipped."""
_OF_SORT = ("missing '{' for extractor arg of sort", "missing '{' for last arg of reduce")
_OF_EXTRACT = re.compile(
    "Failed: (?:missing '{' for arg|curly-bracket problem|syntax error in \"extract\" item|missing } at end)"
)
_LOOKUP_KIND = "unknown lookup type"
_ALONE = (
    (re.compile('regular expression error in "(.*)": '), "${{if match{{x}}{{\\N{}\\N}}}}"),
    (re.compile(f'{_LOOKUP_KIND} "(.*)"'), "${{lookup{{a}}{}{{b}}}}"),
    (re.compile(f'{_LOOKUP_KIND} "(.*)"'), "${{if match_domain{{x}}{{\\Na:{};x\\N}}}}"),
)
"""What is wrong with a pattern or a type, asked for by itself."""


def unexplained(found: list[tuple[str, str, str]], ask: Ask) -> list[tuple[str, str, str]]:
    """What of `found` (string, our answer, Exim's) nobody has given a reason for."""
    declare_bases()
    left = [difference for difference in found if not _is_known(*difference)]
    trials = [_behind_the_mistake(text, ours) for text, ours, _ in left]
    told = iter(ask([trial for some in trials for trial in some]))
    return [
        (text, ours, theirs)
        for (text, ours, theirs), some in zip(left, trials, strict=True)
        if not _is_confirmed(ours, [next(told) for _ in some])
    ]


def _is_known(text: str, ours: str, theirs: str) -> bool:
    if "dsearch" in text and ".." in text:
        return True  # dsearch-dots
    if theirs == ENDED:
        return True  # list-reasons, garbage-numbers
    if _LOOSE_GROUP.search(text):
        return True  # address-groups
    if "0b" in text and "expression evaluation" in ours and "expression evaluation" in theirs:
        return True  # garbage-numbers
    if "ipv6norm" in text and (
        ours.startswith(theirs) or theirs.startswith(_FAILED) == ours.startswith(_FAILED)
    ):
        return True  # ipv6norm-end
    if "::ffff:" in text and "match_ip" in text:
        return True  # mapped-address
    if re.search("match_(?:address|domain|ip)", text) and _DATA.sub("<>", ours) == _DATA.sub("<>", theirs):
        return True  # address-data
    if _UNKNOWN.search(ours) and _LISTS.search(text):
        return True  # list-reasons, checked-at-load
    if not theirs.startswith(_FAILED):
        return False
    if _SKIPPED_SORT in theirs and "${sort" in text:
        return True  # sort-not-reached
    if not ours.startswith(_FAILED):
        return False
    if ours.replace(" after forcedfail", "", 1) == theirs:
        return True  # checked-at-load: which it is depends on the condition
    if "unable to complete match" in ours and _LISTS.search(text):
        return True  # list-reasons
    return _TAINTED.search(ours) is not None  # tainted-file-name, tainted-query


def _behind_the_mistake(text: str, ours: str) -> list[str]:
    """The string from each `$` in front of the place where parsing it fails, also where it is skipped; from each `{` as a condition."""
    try:
        Template.parse(text)
    except ExpandSyntaxError as error:
        if ours != _FAILED + error.message:
            return []
        head = text[: error.position + 1]
        trials = [text[found.start() :] for found in re.finditer(r"\$", head)][-_NEAR:]
        trials += [_SKIPPED + trial for trial in trials]
        trials += [begin + text[error.position :] for begin in _BEGUN]
        trials += [trial.replace("${sort", "${reduce") for trial in trials if "${sort" in trial]
        trials += [
            form.format(found.group(1)) for sign, form in _ALONE if (found := sign.match(error.message))
        ]
        return trials + [f"${{if {text[found.end() :]}" for found in re.finditer("{", head)][-_NEAR:]
    return []


def _is_confirmed(ours: str, told: list[str]) -> bool:
    bare = _INSIDE.sub("", ours)
    told = [told.replace(_OF_SORT[1], _OF_SORT[0]) if _OF_SORT[0] in bare else told for told in told]
    if {ours, bare, bare.replace(" after forcedfail", "", 1)} & {
        *told,
        *(_INSIDE.sub("", answer) for answer in told),
    }:
        return True
    if _LOOKUP_KIND in ours and ENDED in told:
        return True  # list-reasons
    return _SKIPPED_EXTRACT in told and bool(_OF_EXTRACT.match(bare))
