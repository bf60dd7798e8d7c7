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
    "names": "# a comment\na.test\nalice # another\n!bob\n*.b.test\nu@b.test\n\nx#y\n",
    "networks": "192.0.2.0/24: net\n10.0.0.0/8: ten\n2001:db8::/32: six\n*: any\n",
}
"""Files beside the configuration."""
CONFIGURATION = """\
domainlist dl = a.test : *.b.test : !c.test : d.test
domainlist nested = x.test : +dl : ^e\\d
hostlist hl = 192.0.2.0/24 : !10.1.0.0/16 : 10.0.0.0/8 : 2001:db8::/32
addresslist al = *@a.test : u@b.test : !@c.test : ^x.*@d
localpartlist ll = alice : bob* : +caseful : Carol
"""
MESSAGE = """\
From: "Q. Uoted" <u@b.test>
To: a@b, Group: c@d.test, (comment) e@f.test;, <@route.test:r@x.test>
Cc: Full Name <u@x.test>,
 folded@y.test
Subject: =?utf-8?q?caf=C3=A9?= and  =?iso-8859-1?b?6Q==?=
 over two lines
X-List: a:b : c::d
X-List: e
X-Empty:
X-Raw: caf\xe9 $value ${lc:X} \\n
Reply-To: "un@quoted"@[192.0.2.1]

first line of the body
second $line
"""
"""Every other batch has it loaded."""
_HEADERS = (
    "from",
    "to",
    "cc",
    "subject",
    "x-list",
    "x-empty",
    "x-raw",
    "reply-to",
    "x-none",
    "Subject",
    "X_List",
)
_DOMAINS = (
    "a.test",
    "x.b.test",
    "b.test",
    "c.test",
    "d.test",
    "e1",
    "A.TEST",
    "mail.example.org",
    "",
    "@",
    "192.0.2.1",
    "[192.0.2.1]",
    "a.b.test",
)
_HOSTS = (
    "192.0.2.1",
    "10.1.2.3",
    "10.2.3.4",
    "2001:db8::1",
    "::1",
    "::ffff:192.0.2.1",
    "1.2.3",
    "",
    "192.0.2.1/24",
)
_ADDRESSES = (
    "u@b.test",
    "x@a.test",
    "a@c.test",
    "xy@d",
    "U@B.test",
    "@c.test",
    "alice@d.test",
    "alice",
    "",
    '"q u"@d.test',
    "u@x@a.test",
    "<>",
)
_LOCAL_PARTS = ("alice", "ALICE", "bobby", "Carol", "carol", "", "a:b", "*")
_DOMAIN_ITEMS = ("*.b.test", "a.test", "!c.test", "^e\\\\d", "+dl", "+nested", "+nosuch", "@", "*", "lsearch;@DIR@/keys", "partial-lsearch;@DIR@/keys",
                 "wildlsearch;@DIR@/wild", "nosuch;x", "@DIR@/names", "!@DIR@/names", "*test", "!+dl", "", " ", "lsearch*;@DIR@/keys", "^[")  # fmt: skip
_HOST_ITEMS = ("192.0.2.0/24", "!10.1.0.0/16", "10.0.0.0/8", "2001:db8::/32", "+hl", "*", "<; ::1", "net-iplsearch;@DIR@/networks", "net24-lsearch;@DIR@/keys",
               "net-lsearch;@DIR@/keys", "192.0.2.1", "iplsearch;@DIR@/networks", "::1", "1.2.3.4/33", "@[]", "!192.0.2.1", "+nosuch", "x.test")  # fmt: skip
_ADDRESS_ITEMS = ("*@a.test", "u@b.test", "!@c.test", "^x.*@d", "+al", "a.test", "*.test", "@@lsearch;@DIR@/keys", "lsearch*@;@DIR@/keys", "*", "u@*.test",
                  "+nosuch", "@DIR@/names", "\\N^\"q\\N", "*@+dl", "alice@lsearch;@DIR@/keys", "", "+caseful", "lsearch;@DIR@/keys")  # fmt: skip
_LOCAL_ITEMS = (
    "alice",
    "bob*",
    "+caseful",
    "Carol",
    "!carol",
    "+ll",
    "^a",
    "*",
    "lsearch;@DIR@/keys",
    "@DIR@/names",
    "*y",
    "+nosuch",
    "",
    "!*",
)
_MATCHES = {
    "match_domain": (_DOMAINS, _DOMAIN_ITEMS),
    "match_ip": (_HOSTS, _HOST_ITEMS),
    "match_address": (_ADDRESSES, _ADDRESS_ITEMS),
    "match_local_part": (_LOCAL_PARTS, _LOCAL_ITEMS),
    "inlist": (_LOCAL_PARTS, _LOCAL_ITEMS),
    "inlisti": (_LOCAL_PARTS, _LOCAL_ITEMS),
}
"""What may match what."""

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
            self._match,
            self._match,
            self._header,
            self._header,
            self._of_addresses,
            self._of_list,
            self._file,
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

    def _match(self, depth: int) -> str:
        kind = self._random.choice(tuple(_MATCHES))
        subjects, items = _MATCHES[kind]
        begin, separator = self._random.choice((("", " : "), ("", ":"), ("<; ", " ; "), ("<,", ",")))
        listed = separator.join(self._random.choice(items) for _ in range(self._random.randint(0, 4)))
        subject = self._random.choice(subjects) if self._random.random() < 0.8 else self.text(depth)
        yes = self._random.choice(("", "{<$value><$0><$1>}{no}", "{<$1><$2>}", "{yes}fail"))
        return f"${{if {kind}{{{subject}}}{{{begin}{listed}}}{yes}}}"

    def _header(self, depth: int) -> str:
        kind = self._random.choice(("h", "rh", "bh", "lh", "header", "rheader"))
        name = self._random.choice(_HEADERS)
        plain = f"${kind}_{name}:"
        if self._random.random() < 0.3:
            return plain
        operator = self._random.choice(
            (
                "addresses",
                "address",
                "listcount",
                "strlen",
                "uc",
                "quote",
                "escape",
                "rfc2047",
                "rxquote",
                "length_9",
                "md5",
            )
        )
        return f"${{{operator}:{plain}}}"

    def _of_addresses(self, depth: int) -> str:
        pieces = (
            "u@b.test",
            "<",
            ">",
            "(c)",
            ",",
            ";",
            "g:",
            '"q"',
            " ",
            "@",
            ".",
            "a",
            "b.test",
            "\\\\",
            "@r.test:",
            "[1.2.3.4]",
            "=?utf-8?q?x?=",
        )
        text = "".join(self._random.choice(pieces) for _ in range(self._random.randint(1, 8)))
        operator = self._random.choice(
            ("address", "addresses", "addresses:>;", "local_part", "domain", "quote_local_part")
        ).partition(":")
        return f"${{{operator[0]}:{operator[2]}{text}}}"

    def _of_list(self, depth: int) -> str:
        begin, separator = self._random.choice(
            (
                ("", ":"),
                ("", " : "),
                ("<;", ";"),
                ("<, ", " ,"),
                ("<|", "|"),
                (" <;", ";"),
                ("<\\n", "\\n"),
                ("<\\t ", "\\t"),
            )
        )
        parts = (
            "a",
            "b",
            "",
            " ",
            "a b",
            "x" + separator * 2 + "y",
            "$h_x-list:",
            "${lc:Q}",
            "\\\\ ",
            "1",
            "22",
            "-3",
            "<",
            "!a",
        )
        listed = begin + separator.join(self._random.choice(parts) for _ in range(self._random.randint(0, 5)))
        form = self._random.choice(
            ("${map{%s}{<$item>}}", "${filter{%s}{!eq{$item}{a}}}", "${reduce{%s}{}{$value,$item}}", "${sort{%s}{lt}{$item}}", "${sort{%s}{<}{$item}}",
             "${listcount:%s}", "${listextract{2}{%s}}", "${listextract{-1}{%s}{$value}{no}}", "${if forany{%s}{eq{$item}{b}}{y}{n}}",
             "${if forall{%s}{match{$item}{\\\\S}}{y}{n}}", "${map{${map{%s}{$item:$item}}}{<$item>}}", "${if inlist{a}{%s}{y}{n}}", "${listnamed:%s}")
        )  # fmt: skip
        return form % listed

    def _file(self, depth: int) -> str:
        name = self._random.choice(("keys", "wild", "missing", "names", ""))
        return self._random.choice(
            ("${readfile{@DIR@/%s}}", "${readfile{@DIR@/%s}{|}}", "${if exists{@DIR@/%s}{y}{n}}", "${lookup{%s}dsearch{@DIR@}}",
             "${lookup{%s}dsearch,filter=file,ret=full{@DIR@}{$value}{no}}", "${listnamed:dl}${listnamed_d:nested}%s", "${listnamed_h:%s}")
        ) % name  # fmt: skip
