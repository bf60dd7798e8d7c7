"""Messages signed with keys that everybody may know, and the zone that tells the public ones, for comparing how signatures are verified."""

from __future__ import annotations

import re
from base64 import b64encode
from functools import cache

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pillarbox.wire.dkim import keys
from pillarbox.wire.dkim.canonical import BodyDigest, canonical_field, fields_of
from pillarbox.wire.dkim.folding import signature_field
from pillarbox.wire.dkim.keys import kind_of, private_key
from pillarbox.wire.dkim.signing import SignatureWish, choose, signed

RSA = b"""\
-----BEGIN RSA PRIVATE KEY-----
MIICXQIBAAKBgQDXqzC3QIll6anTLFvFsTl1PmU3tx5kN5PxJgdxU8bIEk79K+1G
/JSMgiq5LzI4hHN5ciP3OrE5JfXzcQsqibZI4NMf/aGZ+7jA+lkxkB1dSvO/9Nho
qtPYVaB0fUuVDVSaATlyJFxNwLi+fFWagkuK1AnkP88HNR8x/AsOq+CydwIDAQAB
AoGBAL0IdMu6inPEajEJSWsvGqC0Tv2VyNKokEinP5DKkIpe2dM4hGJbE01Q7meg
gZFeLuS88d9KF3py1nBJnjLrv9PnKswEt41kZ5p3gchcBiC5h9sRG9mqhucLgK23
AVJXfAvvE9s96DxNs+9FMfjDUGvkbPlUauGq0rzqLM0t/YbBAkEA65/pC/aUEodJ
4qRjWI0ySwCEZCvBjZ0+UT4Q858QaXBDcFZM4Rv5a3omMuE7Oq6d8GYs04yx5IMj
OjoNIlufYQJBAOpRgnxD+QuABam2Rty/v2bAkCIyJYPGVmiorDno30ifqQMqBZKr
imxEJd0FKZ8AYLLqi9OmrpTsQneiHdr02NcCQQCCywpXLLH3MwgNegj3j7E6NvhG
jo9rZ7y+5kAMq+A1Vy7oPc+BKcEjKvPnTGVPZryfRGhfqfrZiP3WBYFi8A8hAkAH
melPuqzDkL2eScl2s8mzvZ9vXI0W/0IiVwZvQnyr0HIdJinUHjh5VqSbzOUSwWJh
q3YpwYh8UEW/t8ScK8E1AkBpizucphKCHclEldEU7cL50AL+vCN7MJwPXdsr4XIt
6L9JRu9I6mqT4nNhHGcbCD0Tl063FttaTKN+PlNn1ol9
-----END RSA PRIVATE KEY-----
"""
SHORT = b"""\
-----BEGIN RSA PRIVATE KEY-----
MIIByQIBAAJhANfKTGlecC4azXWBgeOniha/5JoQe9fF8rllvg/mgNBszRz/BB0F
mIh85ySiW9E9gIywCn6bLmvF9f7uVX19rpr2+jej7cq46QMGiJBdD7oyKfFHhZg2
7N/cPB8aFLLMnwIDAQABAmAs/1BDwJ+f3ZLuZ90P/cW7zLP8tGc+rVZZ9q9VXXmK
/MUgwMS40IvoGjOQ3hJLZYlgmViyhpj7j3dMlv87WVhCWJlRVPV9VVIaGHh/JEvS
QVEDunMc34wHqJjAAP5/K7ECMQD5qSmas1Ks3/8mrU02QGWvH0zw5B+IqZ2P+RGB
9/hnnw9ro2ad+WQ3CXEmMuaXwr0CMQDdRPi4dY+mnMdM4LZpBbGa3TDH2Wqh6wn4
mv9mRgOuMXucxGZ5T2NItpyBDnjFUIsCMAy1V7DQP/0cydgmKjAAxyxK45e/hPtn
5uVVQFblUHe12QsZnjecYkWK7X+MR8Ch4QIwHMW9Oe8/kMDOQbbuwVVWNPcSQsqI
zSlNEKDHGTt9ewdANbBsStYB6RCl5TpGhhHlAjBiL0Vk6Css1nvzYgHWFlkJUD39
5h+YhA7i3o4NvvTUefnQ+qEmZWoASmCpq/jIXFQ=
-----END RSA PRIVATE KEY-----
"""
LONG = b"""\
-----BEGIN PRIVATE KEY-----
MIIEugIBADANBgkqhkiG9w0BAQEFAASCBKQwggSgAgEAAoIBAQCocDgGdKv9N3Fe
++bQSbmNETWSUyK5jNH9n/wKRV47546+wwcBJy9g4j24AaYyFkxW/rfhenraV7x5
Wz6j50Xxk8T6maEMfNyyfwFw6Sz984+ZdJYSi8J1BeQSh09mc7iY0+FmfLg6TZX5
BrIpMd7PaCIny94sSVrFaF0fK7iVrjnJ2UTt5WgmzYTy+fCIekx2w54ZnK+6Qdwl
AKm/1TKGIRsT0bJ0WNvrDlf6Zx/ts4ZwnTq6BLTOiIkqnWmjrXfb0tXtCJOzMAnC
4QKHa+GV6e6wmiSyNeDLNCcL0p038GXaGFrCy9tCacFfzWijPnTJnv+3PFKBU7tX
BWRPsCrBAgMBAAECgf82ud+gVxUCYPPgpzdWfLtqeAyJVVNYZqFYaU4R115zSQ1Y
PCIcALg7JpZszA2BkcjMWSLNfr2rcwPOWS6vvkiirXC13YybnBoUcMqC0mlQG5AC
9Db1kPOob12y1A2aKFUkGBUTbiOwLEmlzJV8Kmz66Ix0XFmem4ANh/pmsfSh8cTk
tUJJ2R2aBIvLgglxtyg1xMMc6jw2BIxkMBRv3U0TL1HCL10oRwEWtl6BW4E/LK1n
/UYxQuSGRP2GFhMUAlNZ6TBfW4oWOza81K57MDgC3Gzl6kyNWmenhVI7kxS9YjY1
YDuTOaUWBu7Vc1GBfNOYGqMWhADv36oq19RuMTcCgYEA0iY61hy7GzUSzB9oh0eD
v01ssL9wESnORML2/8w33XW1W5Qyu/ks8pbSzwhyobfio5Rc5k9tZrVEo0tzvjMX
s7PBG5AamxbemC/S9c/XKudMauQ15iEZntqE6IoV+A3RST3wYmSaaXfsLGyDqT/v
lDQDIFEW4YY9ZoMtEmOfudcCgYEAzTA/B/1f22FLY9gLQK/upBj49Gil0SBNzUgO
Yct7Ht850dVEwVJugZte1fRV3Z7XW7Ze0HaH/Hfo30Kv+REEo8PhmtCjU/QW/DPy
Sq3nrXDyniOabm/aRKZmtCOG9gvPVyFWGdnUoAc0U6Pd6FNfjg5SoOAXmLxTPgA2
eeVunScCgYBeaHJSMkIUbPlu3kVVUNltHdlQZhBwhXl3Bqd0L0iBoxnAdIl+TOjW
as911vO4lyWoG0TI6rHZTGHzgjgTIFzrjDuaqFhriBCkCggaCi89xP9dnfxg0En0
RXMkDLTl5T86Sist6Mg9zXQ6WN2lMWXuDJfC8ur2khoPbarX8g2VrQKBgCfL7r22
9+uN0Fh6I5yVQtzS9x44WcjY0h45loiDNcsEEqvPCHnSahp7LwaiUDEeyLhCA9u8
0Z03CJSc05KkKVk1+cDULIlw8zBRRvITDrdGC9h+IUrAKP5do9fWeCuqmLlWfuOe
qy2qmAyM4NJZsVPVFVOcgxcdl6uT0P0NccnLAoGARthMsGWSjmDLLy8hdV0NPRo2
bXo9rQ2ljH1HN/HSH9alKWTBlixHL1W/u/sud1E2mnUPsAQx4Ahn0nxInE+mFdHh
tS5+4bl4NR5IaPA1xCa1xT1YAIbiOn1og289GH6fsNg9sttw8b3XBeyXqdFvXCZ4
rjaSJGQzLZnIHzYMRGw=
-----END PRIVATE KEY-----
"""
ED25519 = b"""\
-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIHmlkjrjyaHjzj6T2K1aeTtZ3KsrCIujh2mw1/fv7DR2
-----END PRIVATE KEY-----
"""
NAMES = ("From", "To", "Subject", "Date", "Message-ID")
HEADERS = b"""\
From: alice@x.test
To: Bob  <bob@example.com>
Subject: to be  signed
\t on two lines\x20
Date: Mon, 23 Nov 2026 10:00:00 +0000
Message-ID: <1@x.test>
"""
BODY = b"one line\x20\n\n two \t words\t\n\n\n"


def public_text(pem: bytes) -> str:
    """What stands behind `p=`."""
    key = private_key(pem).public_key()
    if kind_of(key) == "ed25519":
        return b64encode(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()
    return b64encode(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


def _wish(**words: object) -> SignatureWish:
    return SignatureWish(**{"domain": "x.test", "selector": "rsa", "names": NAMES, **words})  # type: ignore[arg-type]


def sign(pem: bytes, headers: bytes = HEADERS, body: bytes = BODY, **words: object) -> bytes:
    """The field."""
    wish = _wish(**words)
    digest = BodyDigest(wish.digest, wish.form)
    digest.add(body)
    return signed(wish, private_key(pem), fields_of(headers), digest.value())


def message(*fields: bytes, headers: bytes = HEADERS, body: bytes = BODY) -> bytes:
    return b"".join(fields) + headers + b"\n" + body


def _with(field: bytes, old: bytes, new: bytes) -> bytes:
    changed = field.replace(old, new, 1)
    assert changed != field, old
    return changed


def _strings(text: str) -> str:
    """At most 255 octets each (RFC 1035 §3.3)."""
    return " ".join(f'"{text[start : start + 250]}"' for start in range(0, len(text), 250))


@cache
def zone() -> str:
    rsa, short, long, ed25519 = map(public_text, (RSA, SHORT, LONG, ED25519))
    records = {
        "rsa": f"v=DKIM1; k=rsa; p={rsa}",
        "ed": f"v=DKIM1; k=ed25519; p={ed25519}",
        "short": f"v=DKIM1; p={short}",
        "bare": f"p={rsa}",
        "spaced": f" v = DKIM1 ;\tk=rsa; n=a note; t=y:s; s=email; g=*; h=sha256:sha1 ;p={rsa[:100]} {rsa[100:]} ; ",
        "revoked": "v=DKIM1; p=",
        "nokey": "v=DKIM1; k=rsa",
        "oldversion": f"v=DKIM0; p={rsa}",
        "latever": f"k=rsa; v=DKIM1; p={rsa}",
        "garbage": "something else",
        "badbase": "v=DKIM1; p=!!!!",
        "badkey": "v=DKIM1; p=AAAA",
        "kind": f"v=DKIM1; k=dsa; p={rsa}",
        "otherkind": f"v=DKIM1; k=ed25519; p={rsa}",
        "testing": f"v=DKIM1; t=y; p={rsa}",
        "strict": f"v=DKIM1; t=s; p={rsa}",
        "service": f"v=DKIM1; s=other; p={rsa}",
        "sha1only": f"v=DKIM1; h=sha1; p={rsa}",
        "granular": f"v=DKIM1; g=bob; n=for bob; p={rsa}",
        "wrong": f"v=DKIM1; p={long[:200]}",
    }
    lines = [f"{name}._domainkey.x.test TXT {_strings(text)}" for name, text in records.items()]
    lines += [
        f"long._domainkey.x.test TXT {_strings(f'v=DKIM1; p={long}')}",
        "broken._domainkey.x.test SERVFAIL",
        "alias._domainkey.x.test CNAME rsa._domainkey.x.test",
        'two._domainkey.x.test TXT "something else"',
        f'two._domainkey.x.test TXT "v=DKIM1; p={rsa}"',
        f'rsa._domainkey.y.test TXT "v=DKIM1; p={rsa}"',
    ]
    return "\n".join(lines) + "\n"


@cache
def messages() -> dict[str, bytes]:
    """By name, LF form."""
    good = sign(RSA)
    made = {
        "unsigned": message(),
        "good": message(good),
        "simple": message(sign(RSA, form="simple")),
        "ed25519": message(sign(ED25519, selector="ed")),
        "ed25519 simple": message(sign(ED25519, selector="ed", form="simple")),
        "sha1": message(sign(RSA, digest="sha1")),
        "sha512": message(sign(RSA, digest="sha512")),
        "long": message(sign(LONG, selector="long")),
        "identity": message(
            sign(RSA, identity="alice@sub.x.test", created=1_700_000_000, expires=4_000_000_000)
        ),
        "identity elsewhere": message(sign(RSA, identity="alice@y.test")),
        "expired": message(sign(RSA, created=1_500_000_000, expires=1_500_000_100)),
        "from the future": message(sign(RSA, created=4_000_000_000)),
        "two": message(
            sign(ED25519, selector="ed", domain="x.test"), sign(RSA, domain="y.test", identity="@y.test")
        ),
        "two, the other way": message(sign(RSA, domain="y.test"), sign(ED25519, selector="ed")),
        "two digests": message(sign(RSA, digest="sha512"), sign(RSA)),
        "one good, one bad": message(good, re.sub(rb" b=.", b" b=A", good).replace(b"x.test", b"y.test")),
        "same twice": message(good, good),
        "body changed": message(good, body=BODY + b"more\n"),
        "spaces changed": message(good, body=b"one line\n\n two words\n"),
        "header changed": message(good, headers=HEADERS.replace(b"signed", b"cheated")),
        "header added": message(good, headers=HEADERS + b"Subject: another\n"),
        "signature changed": message(re.sub(rb" b=.", b" b=A", good)),
        "without from": message(sign(RSA, names=("Subject",))),
        "over-signed": message(sign(RSA, names=("+From", "+Subject", "X-None"))),
        "limited": message(_limited(10), body=BODY + b"more\n"),
        "limited to nothing": message(_limited(0), body=b"anything\n"),
        "limited beyond": message(_with(good, b"bh=", b"l=9999; bh=")),
        "empty body": message(sign(RSA, body=b""), body=b""),
        "empty body simple": message(sign(RSA, body=b"", form="simple"), body=b""),
    }
    for old, new in (
        (b"v=1", b"v=2"),
        (b"v=1;", b""),
        (b"a=rsa-sha256", b"a=dsa-sha256"),
        (b"a=rsa-sha256", b"a=rsa-md5"),
        (b"a=rsa-sha256;", b""),
        (b"q=dns/txt", b"q=http"),
        (b"q=dns/txt;", b""),
        (b"c=relaxed/relaxed", b"c=relaxed"),
        (b"c=relaxed/relaxed", b"c=strange/simple"),
        (b"c=relaxed/relaxed;", b""),
        (b"d=x.test;", b"d=;"),
        (b"d=x.test;", b""),
        (b"s=rsa;", b"s=;"),
        (b"s=rsa;", b""),
        (b"bh=", b"bh=!"),
        (b"bh=", b"xx="),
        (b" b=", b" zz="),
        (b"d=x.test", b"d=X.Test"),
        (b"s=rsa", b"s=nothing"),
        (b"s=rsa", b"s=a b"),
        (b"bh=", b"l=x; bh="),
        (b"bh=", b"t=x; x=y; bh="),
        (b"bh=", b"d=y.test; bh="),
        (b"bh=", b"unknown=1; bh="),
        (b"bh=", b"y=1; bh="),
        (b"bh=", b"9=9; bh="),
        (b"bh=", b"; bh="),
        (b"bh=", b"bh=; bh="),
        (b"bh=", b"nonsense; bh="),
        (b"h=Message-ID", b"h=X: :Message-ID"),
        (b"DKIM-Signature:", b"dkim-signature :"),
    ):
        made[f"{old.decode()} as {new.decode()}"] = message(_with(good, old, new))
    for name in (
        "bare",
        "spaced",
        "revoked",
        "nokey",
        "oldversion",
        "latever",
        "garbage",
        "badbase",
        "badkey",
        "kind",
        "otherkind",
        "testing",
        "strict",
        "service",
        "sha1only",
        "granular",
        "wrong",
        "broken",
        "alias",
        "two",
        "missing",
    ):
        made[f"key {name}"] = message(sign(RSA, selector=name))
    made["key short"] = message(sign(SHORT, selector="short"))
    made["strict, of a subdomain"] = message(sign(RSA, selector="strict", identity="a@sub.x.test"))
    return made


def _limited(octets: int) -> bytes:
    """A signature with `l=`, which we never make."""
    digest = BodyDigest("sha256", "relaxed", octets)
    digest.add(BODY)
    chosen = choose(fields_of(HEADERS), NAMES)
    tags = [
        ("a", ["rsa-sha256"]),
        ("c", ["relaxed/relaxed"]),
        ("d", ["x.test"]),
        ("s", ["rsa"]),
        ("l", [str(octets)]),
    ]
    tags += [("h", [name for name, _ in chosen]), ("bh", [b64encode(digest.value()).decode()])]
    data = b"".join(canonical_field(field, "relaxed") for _, field in chosen)
    data += canonical_field(signature_field(tags, "").encode(), "relaxed").removesuffix(b"\r\n")
    signature = keys.sign(private_key(RSA), "sha256", data)
    return signature_field(tags, b64encode(signature).decode()).encode() + b"\n"
