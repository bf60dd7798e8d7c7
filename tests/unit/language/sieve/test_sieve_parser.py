"""Words, blocks and mistakes (RFC 5228 §2, §3, §8); `tests/oracle/test_sieve.py` compares the words of mistakes with Exim's."""

from __future__ import annotations

import pytest
from tests.support.sieve import holds, mistake, run

from pillarbox.language.sieve.actions import FileInto
from pillarbox.language.sieve.commands.conditional import If
from pillarbox.language.sieve.parser import MAX_NESTING, MAX_SCRIPT, parse_sieve
from pillarbox.language.sieve.printing import lines_of
from pillarbox.language.sieve.tests.header import Header


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("keep", "missing semicolon in line 1"),
        ("\n\nkeep", "missing semicolon in line 3"),
        ("/* a\nb */\nbogus;", "syntax error in line 3"),
        ("keep; /* a", "missing end of comment in line 1"),
        ('redirect "a@b', "missing end of string in line 1"),
        ("redirect text:\na@b\n", "missing end of multi line string in line 3"),
        ("redirect text: x\na@b\n.\n;", "syntax error in line 1"),
        ('fileinto "x";', 'missing previous require "fileinto"; in line 1'),
        ('require "nothing";', "unknown capability 'nothing' in line 1"),
        ('keep; require "fileinto";', "syntax error in line 1"),
        ("if true keep;", "missing block in line 1"),
        ("if true { keep;", "expecting command or closing brace in line 1"),
        ("if maybe { }", "missing test in line 1"),
        ("if allof true { }", "missing test list in line 1"),
        ("if anyof (true true) { }", "missing closing paren in line 1"),
        ("elsif true { }", "syntax error in line 1"),
        ("if size :over 99999999999999999999 { }", "Numerical result out of range in line 1"),
        ('if header ["a", ] "x" {}', "missing string, in header in line 1"),
        ('if header ["a" "x" {}', "missing closing bracket, in header in line 1"),
    ],
)
def test_mistakes(script: str, said: str) -> None:
    assert mistake(script) == said


def test_a_mistake_is_shown_with_its_line() -> None:
    outcome = run('keep;\nredirect "é" ;')
    assert list(lines_of(outcome)) == [
        "Sieve error: unqualified recipient address in line 2:",
        ' redirect "é" ;',
        "             ^^",
    ]


@pytest.mark.parametrize(
    ("string", "meant"),
    [
        ('"a\\"b\\\\c@d"', 'a"b\\c@d'),
        ('# why\n/* so */ "a@b" ', "a@b"),
        ("text: # why\na@b\n..c\n..\n.\n", "a@b\r\n.c\r\n.\r\n"),
        ("text:\n..a@b\n.\n", ".a@b\r\n"),
        ('"a@b\nc"', "a@b\r\nc"),
        ('"${hex:61 40}${unicode:20AC}"', "a@€"),
        ('"@${hex:4}${hex:}${hex:100}${${hex:41}}"', "@\x04${hex:}${hex:100}${A}"),
    ],
)
def test_strings(string: str, meant: str) -> None:
    program = parse_sieve(f'require "encoded-character"; if header "subject" {string} {{}}')
    assert program.mistake is None
    (command,) = program.commands
    assert isinstance(command, If)
    test = command.branches[0].test
    assert isinstance(test, Header)
    assert [key.octets for key in test.matcher.keys] == [meant.encode()]


def test_encoded_characters_that_are_none() -> None:
    said = "unicode character out of range in line 1"
    assert mistake('require "encoded-character"; redirect "a@${unicode:110000}";') == said
    assert mistake('require "encoded-character"; redirect "a@${unicode:d800}";') == said


@pytest.mark.parametrize(
    ("script", "folder"),
    [
        ('if true {fileinto "a";} else {fileinto "b";}', "a"),
        ('if false {fileinto "a";} else {fileinto "b";}', "b"),
        ('if false {fileinto "a";} elsif true {fileinto "b";} elsif true {fileinto "c";}', "b"),
        ('if true {if false {} else {fileinto "d";}}', "d"),
    ],
)
def test_branches(script: str, folder: str) -> None:
    assert run(f'require "fileinto"; {script}').actions == (FileInto(folder),)


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        ("true", True),
        ("false", False),
        ("not false", True),
        ("not not false", False),
        ("allof (true, true)", True),
        ("allof (true, false)", False),
        ("anyof (false, true)", True),
        ("anyof (false, false)", False),
        ("not allof (false, not false)", True),
    ],
)
def test_combinations(test: str, expected: bool) -> None:
    assert holds(test) is expected


def test_nesting_is_bounded() -> None:
    deep = MAX_NESTING + 1
    assert mistake("if " + "not " * deep + "true {}").startswith("nesting too deep")
    assert mistake("if true {" * deep + "}" * deep).startswith("nesting too deep")
    assert mistake("if true {" * MAX_NESTING + "}" * MAX_NESTING) == ""


def test_scripts_are_bounded() -> None:
    assert mistake("#" * (MAX_SCRIPT + 1)) == "script too long in line 1"


def test_what_a_place_does_not_offer() -> None:
    program = parse_sieve('require "vacation";', (("vacation", "vacation disabled"),))
    assert str(program.mistake) == "vacation disabled in line 1"
