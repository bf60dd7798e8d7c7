"""What a session knows of its client's name."""

from __future__ import annotations

from pillarbox.language.match.host_names import NO_NAME, ClientName, FoundName


def client(told: list[FoundName] | None = None) -> ClientName:
    made = ClientName(told.append) if told is not None else ClientName()
    made.follow("192.0.2.1", "")
    return made


def test_a_program_of_this_machine_has_no_name_to_look_for() -> None:
    assert ClientName().is_known


def test_what_is_found_is_told_once() -> None:
    told: list[FoundName] = []
    one = client(told)
    assert not one.is_known
    one.learn(FoundName("a.example"))
    one.learn(FoundName("b.example"))
    assert (one.name, one.is_known, one.has_failed) == ("a.example", True, False)
    assert told == [FoundName("a.example")]


def test_that_there_is_none_is_known_too() -> None:
    told: list[FoundName] = []
    one = client(told)
    one.learn(FoundName(why=NO_NAME))
    assert (one.name, one.is_known, one.has_failed, one.why) == ("", True, True, NO_NAME)
    one.learn(FoundName("late.example"))
    assert one.name == "" and len(told) == 1


def test_a_name_that_is_not_shown_yet() -> None:
    one = client()
    one.learn(FoundName("a.example"), is_shown=False)
    assert one.name == "a.example" and not one.is_shown


def test_another_address_is_another_client() -> None:
    one = client()
    one.learn(FoundName(why=NO_NAME))
    one.is_deferred = True
    one.follow("192.0.2.2", "")
    assert not one.is_known and not one.is_deferred
    one.follow("192.0.2.2", "b.example")
    assert one.name == "b.example"
    one.follow("192.0.2.2", "")
    assert one.name == "b.example"
