"""The MIME scanner: offsets, malformed structure, bounds."""

from __future__ import annotations

from pillarbox.mail.mime import MAXIMUM_DEPTH, MAXIMUM_PARTS, Part, parse_content_type, scan


def body(data: bytes, part: Part) -> bytes:
    return data[part.body_start : part.end]


def count(part: Part) -> int:
    return 1 + sum(map(count, part.parts)) + (count(part.message) if part.message else 0)


def depth(part: Part) -> int:
    inner = [*part.parts, *([part.message] if part.message else [])]
    return 1 + max(map(depth, inner), default=0)


def test_plain_message() -> None:
    data = b"Subject: x\r\n\r\na\r\nb\r\n"
    part = scan(data)
    assert body(data, part) == b"a\r\nb\r\n"
    assert (part.content_type.type, part.content_type.subtype, part.lines) == (b"text", b"plain", 2)


def test_message_without_header_or_body() -> None:
    assert body(b"\r\nx", scan(b"\r\nx")) == b"x"
    assert body(b"Subject: x\r\n", scan(b"Subject: x\r\n")) == b""
    assert scan(b"").end == 0


def test_part_without_header() -> None:
    data = b"Content-Type: multipart/mixed; boundary=x\n\n--x\n\none\n--x\nContent-Type: text/html\n\ntwo\n--x--\n"
    part = scan(data)
    assert [body(data, child) for child in part.parts] == [b"one", b"two"]


def test_multipart_with_preamble_and_epilogue() -> None:
    data = (
        b'Content-Type: MULTIPART/Alternative;\r\n boundary="=_ x"\r\n\r\npre\r\n--=_ x\r\n\r\none\r\n'
        b"--=_ x  \r\nContent-Type: text/html\r\n\r\ntwo\r\n\r\n--=_ x--\r\nepilogue\r\n--=_ x\r\n\r\nnot a part\r\n"
    )
    part = scan(data)
    assert [body(data, child) for child in part.parts] == [b"one", b"two\r\n"]
    assert part.parts[1].content_type.subtype == b"html"


def test_boundary_in_extended_form() -> None:
    data = b"Content-Type: multipart/mixed; boundary*=us-ascii''a%3Ab\r\n\r\n--a:b\r\n\r\nx\r\n--a:b--\r\n"
    assert [body(data, child) for child in scan(data).parts] == [b"x"]


def test_empty_parts() -> None:
    data = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n--b\r\n\r\n--b--\r\n"
    assert [body(data, child) for child in scan(data).parts] == [b"", b""]


def test_boundary_must_be_whole() -> None:
    data = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n--bb\r\n x--b\r\n--b--\r\n"
    assert [body(data, child) for child in scan(data).parts] == [b"--bb\r\n x--b"]


def test_outer_boundary_ends_inner_multipart() -> None:
    data = (
        b"Content-Type: multipart/mixed; boundary=out\r\n\r\n--out\r\nContent-Type: multipart/mixed; boundary=in\r\n\r\n"
        b"--in\r\n\r\ninner\r\n--out\r\n\r\nouter\r\n--out--\r\n"
    )
    inner, outer = scan(data).parts
    assert [body(data, child) for child in inner.parts] == [b"inner"]
    assert body(data, outer) == b"outer"


def test_unfinished_multipart() -> None:
    data = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\ncut off"
    assert body(data, scan(data).parts[0]) == b"cut off"


def test_digest_holds_messages() -> None:
    data = (
        b"Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\nSubject: in\r\n\r\ntext\r\n--b--\r\n"
    )
    (child,) = scan(data).parts
    assert child.content_type.subtype == b"rfc822"
    assert child.message is not None and body(data, child.message) == b"text"


def test_fields_of_a_part() -> None:
    data = (
        b'content-type: Text/HTML; charset="UTF-8" (comment); x="a\\"b"\r\nContent-Disposition : inline; filename=a\r\n'
        b"Content-Language: de, en-GB\r\nContent-Transfer-Encoding: Quoted-Printable\r\nContent-Type: image/png\r\n\r\n"
    )
    part = scan(data)
    assert part.content_type.parameters == ((b"charset", b"UTF-8"), (b"x", b'a"b'))
    assert part.content_type.subtype == b"html"
    assert part.disposition is not None and part.disposition.parameters == ((b"filename", b"a"),)
    assert part.languages == (b"de", b"en-GB")
    assert part.encoding == b"quoted-printable"


def test_unreadable_content_type_is_plain_text() -> None:
    for value in (b"", b"text", b"/", b"; x=y", b"text/", b"\xff/\xff"):
        assert parse_content_type(value).subtype == b"plain", value


def test_multipart_without_boundary_is_opaque() -> None:
    assert not scan(b"Content-Type: multipart/mixed\r\n\r\n--x\r\n\r\ny\r\n").parts


def test_ten_thousand_levels_of_multipart() -> None:
    data = b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (level, level)
        for level in range(10_000)
    )
    part = scan(data)
    assert depth(part) == MAXIMUM_DEPTH + 1
    while part.parts:
        part = part.parts[0]
    assert part.content_type.type == b"application"


def test_ten_thousand_messages_in_messages() -> None:
    assert depth(scan(b"Content-Type: message/rfc822\r\n\r\n" * 10_000)) == MAXIMUM_DEPTH + 1


def test_many_parts_are_bounded() -> None:
    data = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 10_000
    assert count(scan(data)) <= MAXIMUM_PARTS + 1


def test_many_false_delimiters_are_bounded() -> None:
    data = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n" + b"--bx\r\n" * 100_000
    assert len(scan(data).parts) == 1
