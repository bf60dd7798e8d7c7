"""The table of due times."""

from pillarbox.flow.queue.due import DueTable


def test_takes_what_is_due_longest_overdue_first():
    table = DueTable()
    for name, at in (("c", 30.0), ("a", 10.0), ("b", 20.0)):
        table.put(name, at)
    assert table.next_at() == 10.0
    assert table.take_due(25.0, 10) == ["a", "b"]
    assert table.take_due(25.0, 10) == []
    assert len(table) == 1


def test_a_new_time_replaces_the_old():
    table = DueTable()
    table.put("a", 10.0)
    table.put("a", 50.0)
    assert table.take_due(20.0, 10) == []
    assert not table.is_due("a", 20.0)
    assert table.take_due(50.0, 10) == ["a"]


def test_unknown_messages_are_due_and_frozen_ones_never():
    table = DueTable()
    assert table.is_due("x", 1.0)
    table.put("x", float("inf"))
    assert not table.is_due("x", 1e12)
    assert table.next_at() is None


def test_limit_and_forget():
    table = DueTable()
    for n in range(10):
        table.put(str(n), float(n))
    table.forget("0")
    assert table.take_due(100.0, 3) == ["1", "2", "3"]


def test_stale_entries_do_not_pile_up():
    table = DueTable()
    for n in range(10_000):
        table.put("same", float(n))
    assert len(table._heap) < 200
    assert table.take_due(1e9, 5) == ["same"]
