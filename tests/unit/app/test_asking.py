"""Questions to a configuration: the command line of `exim`, `-be`, `-bem`, `-bP`, `-bV`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pillarbox.app.asking.expanding import expand_strings, typed_lines
from pillarbox.app.asking.printing import print_configuration
from pillarbox.app.asking.routing import test_addresses as ask_for_routes
from pillarbox.app.asking.version import print_version
from pillarbox.cli.exim import Unreadable, parse

CONFIG = "primary_hostname = mail.test\nNAME = x\nqualify_domain = NAME.test\n"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "exim.conf"
    path.write_text(CONFIG)
    return path


def test_expands_what_it_is_given(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = expand_strings(config, ["${uc:$qualify_domain}", "${nosuch:x", ""], macros={"NAME": "y"})
    lines = capsys.readouterr().out.splitlines()
    assert code == 0
    assert lines[0] == "Y.TEST"
    assert lines[1].startswith("Failed: ")
    assert lines[2] == ""


def test_joins_typed_lines() -> None:
    assert list(typed_lines(["  a \n", "b\\\n", "  c\n", "\n", "d\\\n"])) == ["  a", "bc", "", "d"]


def test_loads_a_message(config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    message = tmp_path / "message"
    message.write_bytes(b"From a@b Fri Jan  5 12:35 GMT 1996\nSubject: hello\nReturn-Path: <o@p>\n\nbody\n")
    expand_strings(
        config, ["$h_subject: $sender_address $message_body", "$header_message-id:"], message=str(message)
    )
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == [
        'Sender taken from "From " line',
        'Return-path taken from "Return-path:" header line',
        "hello a@b body ",
    ]
    assert lines[3].endswith("@mail.test>")


def test_tells_an_error_as_exim_does(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "exim.conf"
    path.write_text("primary_hostname = x\nnosuch = \\\n 1\nother = 2\n")
    assert print_version(path) == 1
    said = capsys.readouterr()
    assert said.out.startswith("Exim version 4.")
    assert said.err[20:] == f'Exim configuration error in line 3 of {path}:\n  main option "nosuch" unknown\n'


def test_answers_each_word(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    may_see = os.geteuid() == 0  # macros are shown to administrators
    assert print_configuration(config, ["qualify_domain", "nosuch", "macro", "NAME"]) == (0 if may_see else 1)
    shown = capsys.readouterr().out
    assert shown.startswith("qualify_domain = x.test\nnosuch is not a known option\n")
    if may_see:
        assert shown.endswith("\nNAME=x\n")


def test_reads_macros_and_files_of_the_command_line() -> None:
    read = parse(["-C", "a:b", "-DX=1", "-DY", "-DZ = 2 ", "-bem", "file", "-be", "$x", "-n"], "exim")
    assert (read.config, read.message, read.words) == ("a:b", "file", ["$x", "-n"])
    assert read.macros == {"X": "1", "Y": "", "Z": "2"}


@pytest.mark.parametrize("argument", ["-Dx=1", "-D", "-DA-B=1"])
def test_refuses_what_is_no_macro(argument: str) -> None:
    with pytest.raises(Unreadable):
        parse([argument], "exim")


def test_who_asks_needs_no_certificate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It may be root's only."""
    path = tmp_path / "exim.conf"
    path.write_text(
        f"spool_directory = {tmp_path}/spool\nlog_file_path = {tmp_path}/%slog\n"
        f"tls_certificate = {tmp_path}/none.pem\ntls_advertise_hosts = *\n"
    )
    assert ask_for_routes(path, ("a@b.example",)) == 2
    assert capsys.readouterr().out == "a@b.example is undeliverable: Unrouteable address\n"


def test_strings_see_what_the_caller_says_of_the_message(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs a trusted caller")
    about = {
        "a": "192.0.2.1.25",
        "i": "192.0.2.2",
        "r": "smtpx",
        "t": "me",
        "aa": "plain",
        "ai": "id",
        "as": "a@x.test",
    }
    text = "$sender_host_address $sender_host_port $interface_address $received_protocol $sender_ident"
    logins = "$sender_host_authenticated $authenticated_id $authenticated_sender"
    assert expand_strings(config, [text, logins], about=about) == 0
    assert capsys.readouterr().out == "192.0.2.1 25 192.0.2.2 smtpx me\nplain id a@x.test\n"
