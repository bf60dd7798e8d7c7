"""Hours of malformed input: `python -m tests.fuzz.long --minutes N [--seed S]`.

Configurations (Exim 4 and 3), expansions, lists, filters, rewrite and retry rules: generated ones, and spoilt copies of real ones. Each is
either understood or refused by an error of its own kind, in a configuration with the line; never a traceback, never longer than PATIENCE.
Prints each kind of failure once, with the input that showed it, and how much was tried; exits with 1 when anything failed.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

from tests.oracle.generate import Grammar

from pillarbox.app.configuration import declare_all, load_config
from pillarbox.app.converting import convert
from pillarbox.config.errors import ConfigError
from pillarbox.config.show import show_configuration
from pillarbox.flow.review.finding import review
from pillarbox.language.expand.errors import ExpandSyntaxError, ExpansionDeferred, ExpansionFailed
from pillarbox.language.expand.template import Template
from pillarbox.language.filter.circumstances import Circumstances
from pillarbox.language.filter.commands import Permissions
from pillarbox.language.filter.errors import FilterSyntaxError
from pillarbox.language.filter.interpreter import interpret_now
from pillarbox.language.filter.parser import parse_filter
from pillarbox.language.filter.printing import lines_of
from pillarbox.language.match.addresses import AddressList
from pillarbox.language.match.domains import DomainList
from pillarbox.language.match.errors import ListSyntaxError
from pillarbox.language.match.hosts import HostList, HostSubject
from pillarbox.language.match.local_parts import LocalPartList
from pillarbox.language.match.named import NamedLists
from pillarbox.language.match.strings import StringList
from pillarbox.language.nowhere import empty_scope
from pillarbox.language.retry.rules import RetrySyntaxError, parse_retry_rule

TESTS = Path(__file__).parents[1]
PATIENCE = 20
"""Seconds for one input."""
_WORDS = r"""
${ } { $ \ \N : :: <; ! + @ @@ ^ * / ; = == ' " # ( ) [ ] % -1 0 0x 1h 2147483648 99999999999999999999
[::1] 10.0.0.0/33 lsearch; partial- fail F,1h,1m no_ ${if ${lookup{ end .else .endif if elif then endif
begin acl routers transports retry rewrite authenticators hide driver = .include .ifdef MACRO deny accept warn set condition
"""
_CHUNKS = (
    *_WORDS.split(),
    *(f" {word} " for word in _WORDS.split()),
    "\n",
    "\\\n",
    "\nbegin ",
    "\t",
    " ",
    "a" * 300,
    "\0",
    "\xff",
    "\udcff",
)


class TooSlow(BaseException):
    """An input took longer than PATIENCE."""


class Block:
    """The message that filters see."""

    def read(self, scope: object) -> bytes:
        return b"To: a@b\nFrom: c@d\nSubject: x\n"

    def with_block(self, scope: object, block: bytes) -> object:
        return scope

    def with_charset(self, scope: object, charset: str) -> object:
        return scope


class Spoiler:
    """Seeded changes of a text."""

    def __init__(self, seed: int, corpus: list[str]) -> None:
        self.random = random.Random(seed)
        self.corpus = corpus

    def spoilt(self) -> str:
        text = self.random.choice(self.corpus)
        for _ in range(self.random.choice((1, 1, 2, 3, 8, 20))):
            text = self._once(text)
        return text

    def _once(self, text: str) -> str:
        at = self.random.randrange(len(text) + 1)
        length = min(self.random.choice((1, 1, 2, 5, 20, 100)), len(text) - at)
        match self.random.randrange(6):
            case 0:
                return text[:at] + text[at + length :]
            case 1:
                return text[:at] + self.random.choice(_CHUNKS) + text[at:]
            case 2:
                return text[:at] + text[at : at + length] * 2 + text[at + length :]
            case 3:
                return text[:at] + self._lines() + text[at:]
            case 4:
                return text[:at] + chr(self.random.randrange(256)) + text[at + 1 :]
            case _:
                return (
                    text[:at]
                    if self.random.random() < 0.2
                    else text[:at] + self.random.choice(_CHUNKS) + text[at + length :]
                )

    def _lines(self) -> str:
        """Some lines of another text."""
        lines = self.random.choice(self.corpus).splitlines(keepends=True)
        start = self.random.randrange(max(1, len(lines)))
        return "".join(lines[start : start + self.random.randint(1, 4)])


Target = Callable[[str], None]


def try_expansion(text: str) -> None:
    with contextlib.suppress(ExpandSyntaxError, ExpansionFailed, ExpansionDeferred, BlockingIOError):
        assert isinstance(Template.parse(text).expand_now(empty_scope()), str)


def try_lists(text: str) -> None:
    kinds = (
        (DomainList, "a.test"),
        (AddressList, "a@b.test"),
        (LocalPartList, "a"),
        (StringList, "a"),
        (HostList, HostSubject("192.0.2.1")),
    )
    for kind, subject in kinds:
        with contextlib.suppress(ListSyntaxError, ExpansionFailed, ExpansionDeferred, BlockingIOError):
            kind.parse(text, NamedLists()).matches_now(subject, empty_scope())  # type: ignore[arg-type]


def try_retry(text: str) -> None:
    with contextlib.suppress(RetrySyntaxError):
        parse_retry_rule(text, NamedLists()).next_try(0.0, 5.0, 10.0)


def try_filter(text: str) -> None:
    for permissions in (Permissions.system(), Permissions()):
        try:
            rules = parse_filter(text, permissions)
        except FilterSyntaxError as error:
            assert error.message
            continue
        where = Circumstances(Block(), "c@d", "c@d", ("a@b",), "q", is_test=True, traces_conditions=True)  # type: ignore[arg-type]
        list(lines_of(interpret_now(rules, empty_scope(), where)))


class Configurations:
    """Loads texts from a file of its own."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "exim.conf"

    def __call__(self, text: str) -> None:
        self.path.write_text(text, "utf-8", "surrogateescape")
        try:
            config = load_config(self.path, serving=False)
        except ConfigError as error:
            assert error.problems
            for problem in error.problems:
                assert problem.reason.strip() or problem.exim, problem
                assert problem.line >= 0, problem
                assert str(problem)
                assert problem.exim_form
            return
        for finding in review(config):
            assert str(finding)
        list(show_configuration(config, version="4.100.1", is_admin=True, is_laid_out=True))

    def convert(self, text: str) -> None:
        self.path.write_text(text, "utf-8", "surrogateescape")
        with (
            open(os.devnull, "w", errors="surrogateescape") as nowhere,
            contextlib.redirect_stdout(nowhere),
            contextlib.redirect_stderr(nowhere),
        ):
            assert convert(self.path, None) in (0, 1)


def texts(*patterns: str) -> list[str]:
    return [
        path.read_text("utf-8", "surrogateescape")
        for pattern in patterns
        for path in sorted(TESTS.glob(pattern))
        if path.is_file()
    ]


def targets(seed: int, folder: Path) -> dict[str, tuple[Callable[[], str], Target]]:
    """By name: where texts come from, and what is done with them."""
    configurations = Configurations(folder)
    exim4 = texts(
        "configurations/*.conf",
        "oracle/small_configurations/*.conf",
        "oracle/show/*.conf",
        "oracle/rules/*.conf",
        "oracle/expand/*/exim.conf",
    )
    shipped = (TESTS.parent / "src/pillarbox/app/shipped.conf").read_text("utf-8")
    written = [line for text in texts("oracle/expand/*/strings.txt") for line in text.splitlines() if line]
    generated = Grammar(seed).strings(3000)
    expansions = Spoiler(seed, written + generated)
    lists = Spoiler(
        seed + 1,
        [line for line in written if "match_" in line]
        + ["a : *.b : ^c : !d", "<; 10.0.0.0/8 ; net-lsearch;/x ; @[] ; +caseful"],
    )
    return {
        "expansion": (expansions.spoilt, try_expansion),
        "lists": (lists.spoilt, try_lists),
        "configuration": (Spoiler(seed + 2, [*exim4, shipped]).spoilt, configurations),
        "exim3": (Spoiler(seed + 3, texts("configurations/exim3/*")).spoilt, configurations),
        "conversion": (Spoiler(seed + 4, texts("configurations/exim3/*")).spoilt, configurations.convert),
        "filter": (Spoiler(seed + 5, texts("oracle/filters/*.txt", "oracle/filters/*/*")).spoilt, try_filter),
        "retry": (
            Spoiler(
                seed + 6,
                [
                    "*  *  F,2h,15m; G,16h,1h,1.5; F,4d,6h",
                    "a.test refused_A senders=a@b F,1h,1m",
                    "* timeout_connect",
                ],
            ).spoilt,
            try_retry,
        ),
    }


def run(seconds: float, seed: int, folder: Path) -> tuple[Counter[str], dict[str, str]]:
    """Round after round. How many inputs each target had, and what failed: by name and the end of the traceback, the input."""
    declare_all()
    signal.signal(signal.SIGALRM, _stop)
    counts: Counter[str] = Counter()
    failures: dict[str, str] = {}
    known = targets(seed, folder)
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        for name, (make, target) in known.items():
            for _ in range(1 if name in ("configuration", "exim3", "conversion") else 20):
                text = make()
                counts[name] += 1
                if failure := _failure(target, text):
                    _tell(failures, name, failure, text)
    return counts, failures


def _failure(target: Target, text: str) -> str:
    signal.alarm(PATIENCE)
    try:
        target(text)
    except TooSlow:
        return f"longer than {PATIENCE} seconds"
    except Exception as error:
        places = [
            f"{frame.filename}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)[-3:]
        ]
        return f"{type(error).__name__}: {str(error)[:200]} at {' < '.join(reversed(places))}"
    finally:
        signal.alarm(0)
    return ""


def _tell(failures: dict[str, str], name: str, failure: str, text: str) -> None:
    kind = f"{name}: {failure.partition(' at ')[2] or failure}"
    if kind not in failures:
        failures[kind] = text
        print(f"{name}: {failure}\n  {text!r}", flush=True)


def _stop(number: int, frame: FrameType | None) -> Iterator[None]:
    raise TooSlow


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.long", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        counts, failures = run(arguments.minutes * 60, arguments.seed, Path(folder))
    print(
        f"{sum(counts.values())} inputs in {arguments.minutes:g} minutes: {dict(counts)}; {len(failures)} kinds of failure"
    )
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
