"""The examples of Exim's specification, read from where it is installed: blocks of configuration text, and configurations made of each."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from bench.servers.server import PEERS

_DOCUMENT = "usr/share/doc/exim4-base"
_DRIVER = re.compile(r"^ +driver *= *(\w+)", re.MULTILINE)
_OPTION = re.compile(r"(?:no_|not_)?[a-z][a-z_0-9]+ *= *\S")
_ACL_VERB = re.compile(r"(accept|deny|warn|require|defer|drop|discard)\b(?!,)")
_RETRY = re.compile(r"\S+ +(\S+ +)?[FGH],\d")
_REWRITE = re.compile(r"\S*[*@^]\S* +\S*[@$]\S*( +[A-Za-z]+)?$")
_ROUTERS = ("accept", "dnslookup", "ipliteral", "iplookup", "manualroute", "queryprogram", "redirect")
_TRANSPORTS = ("appendfile", "autoreply", "lmtp", "pipe", "smtp")
_NAMED = re.compile(r"\b(?:\w+_)?transport *= *(\w+)")
_LIST = re.compile(r"(?<![\w}])\+([a-z]\w+)")
_OWN_LIST = re.compile(r"^\w+list +(\w+)", re.MULTILINE)
_AROUND = {
    "redirect": "begin routers\none:\n  driver = redirect\n  data = x@y.test\nOPTIONS\n",
    "manualroute": "begin routers\none:\n  driver = manualroute\n  transport = some\nOPTIONS\n",
    "dnslookup": "begin routers\none:\n  driver = dnslookup\n  transport = some\nOPTIONS\n",
    "smtp": "begin transports\none:\n  driver = smtp\nOPTIONS\n",
    "appendfile": "begin transports\none:\n  driver = appendfile\n  user = mail\nOPTIONS\n",
    "pipe": "begin transports\none:\n  driver = pipe\n  user = mail\nOPTIONS\n",
    "plaintext": "begin authenticators\none:\n  driver = plaintext\n  public_name = PLAIN\nOPTIONS\n",
}
"""Where an option could belong; the main section besides."""


class Example(NamedTuple):
    line: int
    kind: str
    text: str


def find_documents() -> dict[str, Path]:
    """`spec`, `filter` → the file."""
    found = {}
    for name in ("spec", "filter"):
        places = [*PEERS.glob(f"*/root/{_DOCUMENT}/{name}.txt.gz"), Path(f"/{_DOCUMENT}/{name}.txt.gz")]
        found.update((name, place) for place in places if place.exists())
    return found


@cache
def examples() -> tuple[Example, ...]:
    """Of the specification; empty where it is not installed."""
    document = find_documents().get("spec")
    if document is None:
        return ()
    return tuple(_examples(gzip.decompress(document.read_bytes()).decode("utf-8", "replace")))


def _examples(text: str) -> Iterator[Example]:
    for line, block in blocks(text):
        kind = _kind_of(block)
        if kind:
            yield Example(line, kind, block)


def blocks(text: str) -> Iterator[tuple[int, str]]:
    """What stands between empty lines, with the number of its first line."""
    start, lines = 0, []
    for number, line in enumerate([*text.splitlines(), ""], 1):
        if line.strip():
            start = start if lines else number
            lines.append(line)
        elif lines:
            yield start, "\n".join(lines)
            lines = []


def _kind_of(block: str) -> str:
    first, _, rest = block.partition("\n")
    if found := _DRIVER.search(block):
        name = found[1]
        return "routers" if name in _ROUTERS else "transports" if name in _TRANSPORTS else "authenticators"
    if re.match(r"(domain|host|address|localpart)list ", first) or re.match(r"[A-Z_]+ = ", first):
        return "main"
    if _ACL_VERB.match(first) and (re.search(r"\b\w+ *= *\S", block) or "<some" in block):
        return "acl"
    if _OPTION.match(first):
        return "option"
    if _RETRY.match(first):
        return "retry"
    return "rewrite" if not rest and _REWRITE.match(first) else ""


def configurations(example: Example) -> dict[str, str]:
    """Where the example stands → a whole configuration; an option is tried wherever one could be. Lists and transports that it names exist."""
    own = set(_OWN_LIST.findall(example.text))
    named = [name for name in dict.fromkeys(_LIST.findall(example.text)) if name not in own]
    lists = "".join(
        f"{kind}list {name} = a.test\n" for name in named for kind in ("domain", "host", "address")
    )
    return {place: lists + text for place, text in _placed(example).items()}


def _placed(example: Example) -> dict[str, str]:
    text = example.text
    match example.kind:
        case "main":
            return {"main": f"{text}\n"}
        case "acl":
            indented = "\n".join(f"  {line}" for line in text.splitlines())
            return {"acl": f"acl_smtp_rcpt = one\nbegin acl\none:\n{indented}\n"}
        case "retry" | "rewrite":
            return {example.kind: f"begin {example.kind}\n{text}\n"}
        case "option":
            places = {"main": f"{text}\n"}
            indented = "\n".join(f"  {line.strip()}" for line in text.splitlines())
            for place, around in _AROUND.items():
                places[place] = around.replace("OPTIONS", indented) + _transports("", place in _TRANSPORTS)
            return places
        case section:
            return {section: f"begin {section}\n{text}\n" + _transports(text, section == "transports")}


def _transports(text: str, is_there: bool) -> str:
    """Those that the text names, and one called `some`."""
    names = dict.fromkeys([*_NAMED.findall(text), "some"])
    made = "".join(f"{name}:\n  driver = appendfile\n  file = /tmp/box\n  user = mail\n" for name in names)
    return made if is_there else f"begin transports\n{made}"
