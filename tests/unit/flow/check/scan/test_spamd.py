"""What spamd is asked and what it answers."""

from __future__ import annotations

import pytest

from pillarbox.flow.check.scan.spamd import Rating, in_order, read_answer, read_servers, request


def test_request_names_the_user_and_the_length() -> None:
    assert request("joe\r\nEvil: 1", b"abc") == (
        b"REPORT SPAMC/1.2\r\nUser: joeEvil: 1\r\nContent-length: 3\r\n\r\nabc"
    )


@pytest.mark.parametrize(
    "answer",
    [
        b"SPAMD/1.1 0 EX_OK\r\nContent-length: 9\r\n\r\n7.3/5.0\r\nline\nmore\n\n",
        b"SPAMD/1.1 0 EX_OK\r\nSpam: True ; 7.3 / 5.0\r\n\r\nline\nmore\n",
        b"SPAMD/1.1 0 EX_OK\r\nContent-length: 9\r\nSpam: True ; 7.3 / 5.0\r\n\r\nline\r\nmore\r\n",
    ],
)
def test_answers_of_all_versions_are_understood(answer: bytes) -> None:
    rating = read_answer(answer)
    assert rating == Rating(7.3, 5.0, "line\n more")
    assert rating.is_spam


@pytest.mark.parametrize(
    "answer", [b"", b"nonsense", b"SPAMD/1.1 76 Bad\r\n\r\n", b"SPAMD/1.1 0 EX_OK\r\n\r\n"]
)
def test_other_answers_are_not(answer: bytes) -> None:
    assert read_answer(answer) is None


@pytest.mark.parametrize(
    ("score", "tenfold", "bar"),
    [(4.4, 44, "++++"), (-2.4, -24, "--"), (0.3, 3, "/"), (-70.0, -700, "-" * 50), (30.25, 302, "+" * 30)],
)
def test_score_as_number_and_bar(score: float, tenfold: int, bar: str) -> None:
    rating = Rating(score, 5.0, "")
    assert (rating.score_int, rating.bar) == (tenfold, bar)


def test_servers_are_read_with_their_options() -> None:
    servers, wrong = read_servers(
        "10.0.0.1 783 pri=2 tmo=5s : /run/spamd weight=3 : host 1-3 foo=1 : nothing"
    )
    assert [each.place for each in servers] == ["10.0.0.1", "/run/spamd", "host"]
    assert [wish.port for wish in servers[2].wishes(b"")] == ["1", "2", "3"]
    assert wrong == [
        "warning - invalid spamd parameter: 'foo=1'",
        "warning - invalid spamd address: 'nothing'",
    ]
    assert in_order(servers, 0.0)[0].place == "10.0.0.1"
