# ruff: noqa: E501
"""Strings nobody thought of: a grammar of expansions, lists, quoting and addresses, with a few characters spoilt now and then.

The same seed gives the same strings. Left out: what depends on the time, on the machine or on chance, and what waits.
"""

from __future__ import annotations

import random
from collections.abc import Callable

MAX_LINE = 500
"""Bytes of a string. Exim reads a little more than a thousand as one line, the rest as the next; the names of files come in."""
FILES = {
    "keys": (
        'alice: one\nbob: two words\n  and more\n"quo ted" three\ncarol\n*: default\n*@d.test: at default\n'
        "a.b.test: deep\n*.b.test: partial\n192.0.2.1: host\n::1: six\nlist: a:b:c\nx=y: z\n"
    ),
    "wild": "^a(.)c\\$: regex $1\n*.d.test: suffix\nplain: it\n\\N^x\\d+$\\N: digits\n",
    "networks": "192.0.2.0/24: net\n10.0.0.0/8: ten\n2001:db8::/32: six\n*: any\n",
}
"""Files beside the configuration."""

_WORDS = ("alice", "bob", "a", "b", "abc", "ABC", "x1", "10", "-3", "0", "1k", "2M", "0x1f", "yes", "no", "true", "false", "", " ", "a b",
          "a:b:c", "a::b", " a : b ", "<;a;b", "<, a,b", "<; ", ":", "a,b,,c", "x=1 y=2", 'x="q u" y=2', "caf\\303\\251", "\\377",
          "user@d.test", "<user@d.test>", '"q u"@d.test', "Full Name <u@x.test>", "a@b, c@d", "192.0.2.1", "192.0.2.0/24", "::1",
          "2001:db8::1", "[192.0.2.1]", "1.2.3", "a.b.test", "*.b.test", "^a", "^(.)(.)", "\\N^a\\d+$\\N", "%41", "=?utf-8?q?caf=C3=A9?=",
          "/", "/a/b", "..", "!", "!a", "\\n", "\\t", "\\x41", "\\101", "\\\\", "$1", "${1}", "\\$", "\\{", "\\}", "#", "+", "ä", "日本",
          "{\"a\":1,\"b\":[1,2]}", "[1,\"x\",{}]", "123456789012345678901234567890")  # fmt: skip
_VARIABLES = ("$primary_hostname", "$value", "$item", "$0", "$1", "$2", "$h_subject:", "$qualify_domain", "${primary_hostname}",
              "$sender_address", "$local_part", "$domain", "$nosuch", "$acl_m_x", "$message_size", "$h_x-none:")  # fmt: skip
_OPERATORS = ("address", "addresses", "base32", "base32d", "base62", "base62d", "base64", "base64d", "domain", "escape", "escape8bit",
              "eval", "eval10", "expand", "hash_3", "hash_3_62", "hex2b64", "hexquote", "ipv6denorm", "ipv6norm", "l", "lc",
              "length_2", "length_0", "listcount", "local_part", "mask", "md5", "nhash_7", "nhash_5_3", "quote", "quote_local_part",
              "reverse_ip", "rfc2047", "rfc2047d", "rxquote", "s_1_2", "sha1", "sha256", "sha3", "sha3_224", "str2b64", "strlen",
              "substr_1", "substr_1_2", "substr_-2", "substr_-2_1", "time_eval", "time_interval", "uc", "utf8clean",
              "utf8_domain_to_alabel", "utf8_domain_from_alabel", "xtextd", "nosuch", "length_x", "h_4")  # fmt: skip
_TWO = ("eq", "eqi", "lt", "lti", "le", "gt", "gei", "=", "==", "<", "<=", ">", ">=", "match", "match_domain", "match_address",
        "match_local_part", "match_ip", "inlist", "inlisti", "nosuch")  # fmt: skip
_ONE = ("bool", "bool_lax", "exists", "isip", "isip4", "isip6", "def_", "queue_running", "first_delivery")
_EXPRESSIONS = ("1+2", "7/2", "7%0", "2*3-4", "(1+2)*3", "1<<3", "0x10", "010", "-5/2", "~1", "1&3|4", "5^1", "1K", "", "a", "9999999999*9999999999",
                "(1", "1)", "1 + 2", "3**2")  # fmt: skip


def _is_one_line(text: str) -> bool:
    """`-be` takes a line that begins with a capital letter for a macro, `#` for a comment, and `\\` at the end for its continuation."""
    return (
        text.strip() not in ("", "quit", "q")
        and len(text.encode("utf-8", "surrogateescape")) <= MAX_LINE
        and "\n" not in text
        and not text[0].isupper()
        and text[0] not in "# "
        and text[-1] not in "\\ "
    )


class Grammar:
    """Strings of bounded depth."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._items: tuple[Callable[[int], str], ...] = (
            self._if,
            self._if,
            self._operator,
            self._operator,
            self._operator,
            self._map,
            self._filter,
            self._reduce,
            self._sort,
            self._extract,
            self._listextract,
            self._replace,
            self._cut,
            self._lookup,
            self._json,
            self._hmac,
        )

    def strings(self, count: int) -> list[str]:
        found = []
        while len(found) < count:
            text = self.text(self._random.randint(0, 4))
            if self._random.random() < 0.25:
                text = self._spoil(text)
            if _is_one_line(text):
                found.append(text)
        return found

    def _spoil(self, text: str) -> str:
        if not text:
            return text
        at = self._random.randrange(len(text))
        kind = self._random.randrange(4)
        if kind == 0:
            return text[:at] + text[at + 1 :]
        if kind == 1:
            return text[:at] + self._random.choice("{}$\\:_ a1!^@") + text[at:]
        if kind == 2:
            return text[:at]
        return text[:at] + text[at : at + 1] * 2 + text[at + 1 :]

    def text(self, depth: int) -> str:
        return "".join(self._piece(depth) for _ in range(self._random.choice((1, 1, 1, 2, 2, 3))))

    def _piece(self, depth: int) -> str:
        chance = self._random.random()
        if depth > 0 and chance < 0.65:
            return self._random.choice(self._items)(depth - 1)
        if chance < 0.8:
            return self._random.choice(_WORDS)
        return self._random.choice(_VARIABLES)

    def _braced(self, depth: int) -> str:
        space = self._random.choice(("", "", "", " "))
        return f"{space}{{{self.text(depth)}}}"

    def _branches(self, depth: int) -> str:
        return self._random.choice(
            (
                lambda: "",
                lambda: self._braced(depth),
                lambda: self._braced(depth) + self._braced(depth),
                lambda: self._braced(depth) + "fail",
                lambda: self._braced(depth) + " fail",
            )
        )()

    def _operator(self, depth: int) -> str:
        name = self._random.choice(_OPERATORS)
        if name.startswith("eval"):
            return f"${{{name}:{self._random.choice(_EXPRESSIONS)}}}"
        return f"${{{name}:{self.text(depth)}}}"

    def _condition(self, depth: int) -> str:
        chance = self._random.random()
        if chance < 0.1:
            return "!" + self._condition(depth)
        if depth > 0 and chance < 0.2:
            inner = "".join(f"{{{self._condition(depth - 1)}}}" for _ in range(self._random.randint(0, 3)))
            return f"{self._random.choice(('and', 'or'))}{{{inner}}}"
        if depth > 0 and chance < 0.3:
            kind = self._random.choice(("forany", "forall", "forany_json", "forall_jsons"))
            return f"{kind}{self._braced(depth - 1)}{{{self._condition(depth - 1)}}}"
        if chance < 0.4:
            return f"def:{self._random.choice(('primary_hostname', 'h_subject:', 'acl_m_x', 'nosuch', 'local_part', '1'))}"
        if chance < 0.55:
            return f"{self._random.choice(_ONE).rstrip('_')}{self._braced(depth)}"
        return f"{self._random.choice(_TWO)}{self._braced(depth)}{self._braced(depth)}"

    def _if(self, depth: int) -> str:
        return f"${{if {self._condition(depth)}{self._branches(depth)}}}"

    def _map(self, depth: int) -> str:
        return f"${{map{self._braced(depth)}{{{self._with_item(depth)}}}}}"

    def _with_item(self, depth: int) -> str:
        return self._random.choice(("$item", "x$item", "${uc:$item}", "$item:$item", self.text(depth)))

    def _filter(self, depth: int) -> str:
        test = self._random.choice(
            ("eq{$item}{a}", "!eq{$item}{}", ">{${strlen:$item}}{1}", "match{$item}{^a}")
        )
        return f"${{filter{self._braced(depth)}{{{test}}}}}"

    def _reduce(self, depth: int) -> str:
        body = self._random.choice(("$value$item", "${eval:$value+1}", "$item,$value"))
        return f"${{reduce{self._braced(depth)}{self._braced(0)}{{{body}}}}}"

    def _sort(self, depth: int) -> str:
        compare = self._random.choice(("lt", "gt", "lei", "<", ">=", "ge", ">"))
        return f"${{sort{self._braced(depth)}{{{compare}}}{{$item}}}}"

    def _extract(self, depth: int) -> str:
        if self._random.random() < 0.5:
            return f"${{extract{self._braced(0)}{self._braced(depth)}{self._branches(depth)}}}"
        number = self._random.choice(("1", "2", "-1", "0", "9", "", "x"))
        separators = self._random.choice((":", ",", " ", ":,", "/", ""))
        return f"${{extract{{{number}}}{{{separators}}}{self._braced(depth)}{self._branches(depth)}}}"

    def _listextract(self, depth: int) -> str:
        number = self._random.choice(("1", "2", "-1", "0", "9", "", "x"))
        return f"${{listextract{{{number}}}{self._braced(depth)}{self._branches(depth)}}}"

    def _json(self, depth: int) -> str:
        kind = self._random.choice(("json", "jsons"))
        key = self._random.choice(("a", "b", "1", "b:1", "x"))
        return f"${{extract {kind}{{{key}}}{self._braced(depth)}{self._branches(depth)}}}"

    def _replace(self, depth: int) -> str:
        if self._random.random() < 0.5:
            pattern = self._random.choice(("a", "\\N(.)b\\N", "^", "x*", "[", "\\N\\s+\\N"))
            replacement = self._random.choice(("X", "<$1>", "$0$0", ""))
            return f"${{sg{self._braced(depth)}{{{pattern}}}{{{replacement}}}}}"
        return f"${{tr{self._braced(depth)}{{{self._random.choice(('abc', 'a', ''))}}}{{{self._random.choice(('xyz', 'q', ''))}}}}}"

    def _cut(self, depth: int) -> str:
        kind = self._random.choice(("length", "substr", "hash", "nhash"))
        numbers = "".join(
            f"{{{self._random.choice(('0', '1', '2', '-1', '5', 'x', ''))}}}"
            for _ in range(self._random.choice((1, 1, 1, 2, 2, 0)))
        )
        return f"${{{kind}{numbers}{self._braced(depth)}}}"

    def _lookup(self, depth: int) -> str:
        kind, file = self._random.choice(
            (("lsearch", "keys"), ("lsearch*", "keys"), ("lsearch*@", "keys"), ("partial-lsearch", "keys"),
             ("partial1-lsearch*", "keys"), ("partial0-lsearch", "keys"), ("lsearch,ret=key", "keys"), ("wildlsearch", "wild"),
             ("nwildlsearch", "wild"), ("iplsearch", "networks"), ("dsearch", ""), ("nosuch", "keys"), ("lsearch", "missing"))
        )  # fmt: skip
        return f"${{lookup{self._braced(depth)}{kind}{{@DIR@/{file}}}{self._branches(depth)}}}"

    def _hmac(self, depth: int) -> str:
        return f"${{hmac{{{self._random.choice(('md5', 'sha1', 'md5', 'sha1', 'md5', 'sha1', 'sha2'))}}}{self._braced(0)}{self._braced(depth)}}}"
