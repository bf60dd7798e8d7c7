"""`pillarbox expand`: the steps, the result, and where a mistake is."""

from __future__ import annotations

from pathlib import Path

import pytest

from pillarbox.app.explaining import explain


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "exim.conf"
    path.write_text(
        f"primary_hostname = mail.example.org\nspool_directory = {tmp_path}/spool\n"
        f"log_file_path = {tmp_path}/%slog\n"
    )
    (tmp_path / "table").write_text("joe: found it\n")
    return path


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


def test_shows_each_piece_and_what_was_passed_over(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = "${if eq{$sender_address}{}{bounce}{from ${lc:$sender_address}}}"
    assert explain(config, source, given={"sender_address": "A@B.c"}) == 0
    assert lines(capsys) == [
        source + '  = "from a@b.c" (tainted)',
        "  eq{$sender_address}{}  is false",
        '    $sender_address  = "A@B.c" (tainted)',
        '  from ${lc:$sender_address}  = "from a@b.c" (tainted)',
        '    ${lc:$sender_address}  = "a@b.c" (tainted)',
        '      $sender_address  = "A@B.c" (tainted)',
        "  bounce  not taken",
        '= "from a@b.c" (tainted)',
    ]


def test_shows_each_turn_of_a_loop(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert explain(config, "${map{a:b}{${uc:$item}}}") == 0
    assert [line.strip() for line in lines(capsys) if "${uc" in line and "map" not in line] == [
        '${uc:$item}  = "A"',
        '${uc:$item}  = "B"',
    ]


def test_shows_what_a_lookup_found_once(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = "${lookup{joe}lsearch{" + str(config.parent) + "/table}{got $value}}"
    assert explain(config, source) == 0
    shown = lines(capsys)
    assert shown[-1] == '= "got found it"'
    assert [line for line in shown if "asked" in line and line.endswith('"found it"')]
    assert sum("${lookup" in line for line in shown) == 1


def test_marks_a_mistake_and_suggests(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert explain(config, "ab ${lc:$sender_addres}") == 1
    assert lines(capsys) == [
        'Failed: unknown variable name "sender_addres"',
        "  ab ${lc:$sender_addres}",
        "          ^",
        "did you mean $sender_address?",
    ]


def test_marks_what_failed(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert explain(config, "ab ${if ={$acl_m_x}{1}{y}}", given={"acl_m_x": "zz"}) == 1
    assert lines(capsys)[-3:] == [
        'Failed: integer expected but "zz" found',
        "  ab ${if ={$acl_m_x}{1}{y}}",
        "          ^~~~~~~~~~~~~~",
    ]


def test_loads_a_message(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    message = config.parent / "message"
    message.write_bytes(b"From: a@b\nSubject: caf\xc3\xa9\n\nbody\n")
    assert explain(config, "$h_subject:", message=str(message)) == 0
    assert lines(capsys)[-1] == '= "café" (tainted)'


def test_refuses_a_variable_nobody_declared(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert explain(config, "x", given={"nosuch": "1"}) == 1
    assert "unknown variable" in capsys.readouterr().out
