"""Sieve scripts in redirection data: what becomes of their actions."""

from __future__ import annotations

import pytest
from tests.support.routing import RoutingWorld, summary

from pillarbox.flow.queue.notification import compose_notification
from pillarbox.flow.route.result import Notification
from pillarbox.flow.route.sieve_filter import mail_of
from pillarbox.flow.transport.replying.composing import Author
from pillarbox.language.sieve.actions import Vacation

_OPTIONS = "  file_transport = file\n  directory_transport = dir\n  reply_transport = local\n"


def world(script: str, options: str = "") -> RoutingWorld:
    return RoutingWorld(
        "r:\n  driver = redirect\n  local_parts = list\n  allow_filter\n  file = /script\n"
        f"{_OPTIONS}{options}\nlast:\n  driver = accept\n  transport = local\n",
        files={"/script": f"# Sieve filter\n{script}"},
    )


@pytest.mark.parametrize(
    ("script", "options", "expected"),
    [
        ("", "", ["inbox -> file"]),
        ("keep;", "  sieve_inbox = /mail/$local_part", ["/mail/list -> file"]),
        ("discard;", "", ["list@local.test discarded"]),
        ('require "fileinto"; fileinto "x"; fileinto "y/";', "", ["x -> file", "y/ -> dir"]),
        ('redirect "Al <al@here.test>";', "", ["al@here.test -> local"]),
        ("bogus;", "", ["inbox -> file"]),
        ("keep;", "  forbid_file", ["inbox ! delivery to file forbidden"]),
        (
            "keep;",
            "  forbid_sieve_filter",
            ["list@local.test ? error in filter file: Sieve filtering not enabled"],
        ),
        ('require "vacation"; discard;', "", ["inbox -> file"]),
        ('require "vacation"; discard;', "  sieve_vacation_directory = /v", ["list@local.test discarded"]),
        (
            'require "envelope"; require "subaddress"; if envelope :detail "to" "d" { discard; }',
            "  sieve_subaddress = d",
            ["list@local.test discarded"],
        ),
        (
            "keep;",
            "  sieve_inbox = ${if eq{a}{b}{x}fail}",
            [
                'list@local.test ? error in filter file: failed to expand "${if eq{a}{b}{x}fail}" (sieve_inbox): '
                '"if" failed and "fail" requested'
            ],
        ),
    ],
)
async def test_actions(script: str, options: str, expected: list[str]) -> None:
    assert summary(await world(script, options).route("list@local.test")) == expected


def test_an_answer_has_its_notes_in_the_directory() -> None:
    mail = mail_of(Vacation("ABC", 2, "me@x", "Gone", "X: y\n", "text"), "al@out.test", "/home/me/notes")
    assert (mail.once, mail.once_repeat_seconds, mail.makes_once_directory) == (
        "/home/me/notes/ABC",
        172_800,
        True,
    )
    assert (mail.to, mail.sender, mail.extra_headers) == ("al@out.test", "me@x", "X: y\n")


async def test_notifications_are_sent_when_the_message_is_delivered() -> None:
    script = 'require "enotify"; notify "mailto:phone@x.test"; discard;'
    sieve = world(script, "  sieve_enotify_mailto_owner = me@local.test")
    routed = await sieve.route("list@local.test")
    assert [letter.to for letter in routed.letters] == [("phone@x.test",)]
    assert not (await sieve.route("list@local.test", purpose="test")).letters


def test_a_notification_comes_from_the_user() -> None:
    author = Author("al", "Al User", "mx.test", "home.test", "home.test")
    told = Notification(("p@x.test",), "From: m@x\nTo: p@x.test\nSubject: s\n", "text", "al", False)
    envelope, message = compose_notification(told, author, "1xxxxx-000000000001-0000", 0.0)
    assert envelope.sender == "al@home.test"
    assert b"\nSender: Al User <al@home.test>\n" in message.headers
    assert b"".join(message.body.chunks()) == b"text\n"
    silent = told._replace(is_unanswerable=True)
    assert compose_notification(silent, author, "1xxxxx-000000000001-0000", 0.0)[0].sender is None
