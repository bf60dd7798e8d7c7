"""What local deliveries write: escaping, line ends, batch SMTP, however the message is cut into pieces."""

from itertools import pairwise
from types import SimpleNamespace

from hypothesis import given, settings
from hypothesis import strategies as st

from pillarbox.flow.transport.writing import Copy, Frame, escaping, with_crlf, written


def options(**given_options: object) -> SimpleNamespace:
    return SimpleNamespace(
        **{
            "check_string": None,
            "escape_string": None,
            "use_bsmtp": False,
            "use_crlf": False,
            **given_options,
        }
    )


def chop(text: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts)})
    return [text[a:b] for a, b in pairwise(places)] or [b""]


TEXT = st.text("aF\nromX .-", max_size=40).map(str.encode)
CUTS = st.lists(st.integers(0, 60), max_size=8)


@settings(max_examples=150, deadline=None)
@given(TEXT, CUTS, st.sampled_from(["From ", ".", "X-", "Fr"]))
def test_escaping_does_not_depend_on_the_pieces(text: bytes, cuts: list[int], check: str) -> None:
    lines = text.split(b"\n")
    wanted = b"\n".join(b">" + line if line.startswith(check.encode()) else line for line in lines)
    assert b"".join(escaping(check, ">" + check)(chop(text, cuts))) == wanted


@settings(max_examples=100, deadline=None)
@given(st.text("a\r\n", max_size=30).map(str.encode), CUTS)
def test_line_ends_do_not_depend_on_the_pieces(text: bytes, cuts: list[int]) -> None:
    assert b"".join(with_crlf(chop(text, cuts))) == text.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def test_nothing_is_escaped_without_both_strings() -> None:
    pieces = [b"From x\n"]
    assert escaping("From ", None)(pieces) is pieces
    assert escaping(None, ">")(pieces) is pieces


def test_the_check_string_leaves_headers_alone() -> None:
    copy = Copy(b"X-A: 1\n", [b"X-b\n"])
    frame = Frame(b"X-before\n", b"X-after\n")
    found = b"".join(written(copy, frame, options(check_string="X-", escape_string="ZZ")))
    assert found == b"X-before\nX-A: 1\n\nZZb\nX-after\n"


def test_what_a_filter_wrote_is_checked_whole() -> None:
    copy = Copy(b"", [b"X-A: 1\n\nX-b"], has_headers=False, is_filtered=True)
    assert b"".join(written(copy, Frame(), options(check_string="X-", escape_string="Z"))) == b"ZA: 1\n\nZb"


def test_batch_smtp_has_the_envelope_and_ends_with_a_dot() -> None:
    copy = Copy(b"A: 1\n", [b".dot\n..two"])
    frame = Frame(b"HELO x\n", b"suffix\n", "a@x", ("b@y", "c@z"))
    assert b"".join(written(copy, frame, options(use_bsmtp=True))) == (
        b"HELO x\nMAIL FROM:<a@x>\nRCPT TO:<b@y>\nRCPT TO:<c@z>\nDATA\nA: 1\n\n..dot\n...two\nsuffix\n.\n"
    )


def test_batch_smtp_with_crlf_leaves_prefix_and_suffix() -> None:
    copy = Copy(b"A: 1\n", [b"x\n"])
    found = b"".join(
        written(copy, Frame(b"P\n", b"S\n", "", ("b@y",)), options(use_bsmtp=True, use_crlf=True))
    )
    assert found == b"P\nMAIL FROM:<>\r\nRCPT TO:<b@y>\r\nDATA\r\nA: 1\r\n\r\nx\r\nS\n.\r\n"


def test_body_only_has_no_blank_line() -> None:
    assert b"".join(written(Copy(b"", [b"x\n"], has_headers=False), Frame(), options())) == b"x\n"
