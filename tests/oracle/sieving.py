"""Sieve scripts for `exim -bf -v`, ours and the real one's: what is compared, and scripts made up at random.

A file of `sieve_scripts/` holds scripts, each behind a line `%% OPTIONS`; `# Sieve filter` is put in front. `<NAME>` in the options is a
message of `sieve_scripts/messages`; behind ` ! ` stands why a difference is meant: a section of docs/exim-compatibility.md.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import NamedTuple

from tests.oracle.in_process import answered

FOLDER = Path(__file__).parent / "sieve_scripts"
CONFIGURATION = """\
primary_hostname = mail.example.org
spool_directory = {folder}/spool
log_file_path = {folder}/spool/log/%slog
keep_environment =
"""
_NOISE = ("filter_runtest()", "LOG: MAIN", "qualify/rewrite:")


class Script(NamedTuple):
    text: str
    message: bytes
    options: tuple[str, ...] = ()
    explanation: str = ""
    place: str = ""


class Answer(NamedTuple):
    said: str
    trace: str
    code: int


def message(name: str) -> bytes:
    return (FOLDER / "messages" / name).read_bytes()


def scripts() -> Iterator[Script]:
    for path in sorted(FOLDER.glob("*.txt")):
        line = 1
        for part in path.read_bytes().decode("utf-8", "surrogateescape").split("%% ")[1:]:
            head, _, text = part.partition("\n")
            options, _, explanation = head.partition(" ! ")
            named = re.search(r"<(\w+)>", options)
            words = tuple(re.sub(r"<\w+>", "", options).split())
            place = f"{path.name}:{line}"
            yield Script(
                text.removesuffix("\n"), message(named[1] if named else "plain"), words, explanation, place
            )
            line += part.count("\n")


def prepare(folder: Path) -> None:
    (folder / "exim.conf").write_text(CONFIGURATION.format(folder=folder))
    (folder / "spool").mkdir()
    folder.chmod(0o755)


def _command(script: Script, folder: Path) -> list[str]:
    text = f"# Sieve filter\n{script.text}"
    (folder / "filter").write_bytes(text.encode("utf-8", "surrogateescape"))
    options = ["-bfl", "user", *script.options]
    return ["-C", str(folder / "exim.conf"), "-v", *options, "-bf", str(folder / "filter")]


def theirs(exim: str, script: Script, folder: Path) -> Answer:
    command = [exim, *_command(script, folder)]
    answer = subprocess.run(command, input=script.message, capture_output=True, timeout=30, check=False)
    said, errors = (text.decode("utf-8", "surrogateescape") for text in (answer.stdout, answer.stderr))
    return _answer(said, errors, answer.returncode)


def ours(script: Script, folder: Path) -> Answer:
    return _answer(*answered(_command(script, folder), script.message))


def _answer(out: str, errors: str, code: int) -> Answer:
    said = out.partition("Testing Sieve filter file")[2].partition("\n")[2]
    lines = []
    for line in errors.split("\n"):
        plain = line.replace("\u254e", " ").strip()
        if plain and not plain.startswith(_NOISE):
            lines.append(plain)
    return Answer(said, re.sub("  +", " ", "\n".join(lines)), code)


_COMMENT = re.compile(r"(?<=missing end of comment) in line \d+")
_TOLD = ("if ", "fileinto ", "redirect ", "Repeated ", "Sieve: ")


def in_short(answer: Answer) -> Answer:
    """Exim tests what cannot matter any more, tells of an `elsif` that it did not test, and does not count lines in comments."""
    told = [line for line in answer.trace.split("\n") if line.startswith(_TOLD)]
    return Answer(_COMMENT.sub("", answer.said), "\n".join(told), answer.code)


class Author:
    """Writes scripts. `is_careless`: now and then something is missing or wrong."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self._has_answered = False
        """Twice is a mistake, which Exim finds earlier than others."""
        self.is_careless = self._random.random() < 0.25

    def script(self) -> Script:
        random = self._random
        body = "\n".join(self._command(0) for _ in range(random.randint(1, 5)))
        capabilities = [
            "fileinto",
            "envelope",
            "copy",
            "subaddress",
            "vacation",
            "comparator-i;ascii-numeric",
        ]
        if self.is_careless and random.random() < 0.3:
            capabilities.pop(random.randrange(len(capabilities)))
        required = ", ".join(f'"{name}"' for name in capabilities)
        text = f"require [{required}];\n{body}\n"
        if self.is_careless:
            text = self._spoiled(text)
        return Script(text, message(random.choice(["plain", "list", "mime", "odd"])))

    def _spoiled(self, text: str) -> str:
        random = self._random
        words = re.split(r"([\s;,(){}\[\]]+)", text)
        at = random.randrange(len(words))
        words[at : at + 1] = random.choice([[], [words[at], words[at]], [random.choice(_STRAYS)]])
        return "".join(words)

    def _command(self, depth: int) -> str:
        random = self._random
        kind = random.choice(
            ["keep", "discard", "stop", "fileinto", "redirect", "vacation", "if", "if", "if"]
        )
        if kind == "vacation" and self._has_answered:
            kind = "keep"
        copy = random.choice(["", "", ":copy "])
        match kind:
            case "fileinto":
                return f"fileinto {copy}{self._string(_FOLDERS)};"
            case "redirect":
                return f"redirect {copy}{self._string(_RECIPIENTS)};"
            case "vacation":
                self._has_answered = True
                return f"vacation {self._vacation_options()}{self._string(_WORDS)};"
            case "if" if depth < 3:
                return self._condition(depth)
            case "if" | "keep":
                return random.choice(["keep;", "Keep ;", "keep # why\n;", "keep/* so */;"])
        return f"{kind};"

    def _vacation_options(self) -> str:
        choices = [
            ":days 3 ",
            ':subject "away é" ',
            ':addresses ["a@b.example", "x@y"] ',
            ':from "m@n.example" ',
        ]
        return "".join(each for each in choices if self._random.random() < 0.3)

    def _condition(self, depth: int) -> str:
        text = f"if {self._test(0)} {self._block(depth)}"
        while self._random.random() < 0.3:
            text += f" elsif {self._test(0)} {self._block(depth)}"
        return text + (f" else {self._block(depth)}" if self._random.random() < 0.4 else "")

    def _block(self, depth: int) -> str:
        return "{" + " ".join(self._command(depth + 1) for _ in range(self._random.randint(0, 2))) + "}"

    def _test(self, depth: int) -> str:
        random = self._random
        kinds = ["true", "false", "header", "header", "header", "address", "envelope", "exists", "size"]
        match kind := random.choice([*kinds, *(["not", "allof", "anyof"] if depth < 3 else [])]):
            case "header":
                return f"header {self._tags([])}{self._strings(_HEADERS)} {self._strings(_WORDS)}"
            case "address":
                return self._address_test()
            case "envelope":
                return f"envelope {self._tags(_PARTS)}{self._strings(['from', 'to', 'FROM'])} {self._strings(_ADDRESSES)}"
            case "exists":
                return f"exists {self._strings(_HEADERS)}"
            case "size":
                return f"size {random.choice([':over', ':under'])} {random.choice(['0', '100', '10K', '2M', '400'])}"
            case "not":
                return f"not {self._test(depth + 1)}"
            case "allof" | "anyof":
                tests = ", ".join(self._test(depth + 1) for _ in range(random.randint(1, 3)))
                return f"{kind} ({tests})"
        return kind

    def _address_test(self) -> str:
        """With Exim, `:localpart` may find the domain (`sieve-addresses`): these keys are none."""
        tags = self._tags(_PARTS)
        is_local = ":localpart" in tags or ":user" in tags
        return f"address {tags}{self._strings(_PEOPLE)} {self._strings(_LOCAL_PARTS if is_local else _ADDRESSES)}"

    def _tags(self, more: list[str]) -> str:
        random = self._random
        found = [random.choice(more)] if more and random.random() < 0.6 else []
        if random.random() < 0.7:
            found.append(random.choice([":is", ":contains", ":matches", ":matches"]))
        if random.random() < 0.3:
            comparators = _COMPARATORS if found and found[-1] == ":is" else _COMPARATORS[:-1]
            found.append(f':comparator "{random.choice(comparators)}"')
        random.shuffle(found)
        return "".join(f"{each} " for each in found)

    def _string(self, words: list[str]) -> str:
        text = self._random.choice(words)
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

    def _strings(self, words: list[str]) -> str:
        if self._random.random() < 0.5:
            return self._string(words)
        return "[" + ", ".join(self._string(words) for _ in range(self._random.randint(1, 3))) + "]"


_STRAYS = ["bogus", '"', "{", "}", ";", ":is", "9", "[", "elsif true {}"]
_FOLDERS = ["inbox", "lists/x", "/abs/file", "a b", "é", "dir/", "x..y", "INBOX", "../up", ""]
_ADDRESSES = [
    "a@b.example", "user@mail.example.org", "USER@MAIL.example.org", "al", "out.test", "", "*@*", "?l*", "al@out.test",
    "*.example", "det", "x",
]  # fmt: skip
_RECIPIENTS = [
    "a@b.example",
    "al@out.test",
    "USER@MAIL.example.org",
    "A Name <by.name@out.test>",
    "?l*@x",
    "al",
    "",
]
_LOCAL_PARTS = ["al", "AL", "user", "", "det", "?l"]
_WORDS = [
    "test", "TEST", "", "*", "?", "te?t", "*s*", "t*t", "t*t*", "12", "12a", "é", "É", "a b", "a*b", "a\\*b",
    "*é*", "abc", "\\\\", "x\\y", "one two", "??", "two\nlines", "*test *",
]  # fmt: skip
_HEADERS = [
    "subject", "Subject", "x-number", "x-empty", "x-none", "x-twice", "x-folded", "x-words", "from", "received",
    "list-id",
]  # fmt: skip
_PEOPLE = ["from", "to", "cc", "sender", "bcc", "resent-to", "From", "TO"]
_PARTS = [":all", ":localpart", ":domain", ":user", ":detail"]
_COMPARATORS = ["i;octet", "i;ascii-casemap", "en;ascii-casemap", "I;OCTET", "i;ascii-numeric"]
