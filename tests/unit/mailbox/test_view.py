"""Sequence numbers over a mailbox that others change."""

from __future__ import annotations

import pytest
from tests.support.imap import filled

from pillarbox.mailbox.view import NoSuchMessage, View
from pillarbox.ports.mailstore import Mailbox, NewMessage


async def opened(count: int) -> tuple[View, Mailbox]:
    """A view of INBOX, and the same mailbox in another's hands."""
    stores = await filled(*[b"\nx\n"] * count)
    store = await stores.open_store("/mail/alice")
    return View(await store.open("INBOX")), await store.open("INBOX")


async def test_gone_messages_keep_their_place_until_told() -> None:
    view, other = await opened(4)
    await other.store_flags([2, 3], "add", frozenset(["\\Deleted"]))
    await other.expunge()
    await view.take_changes()
    assert view.report(with_expunged=False) is None
    assert len(view) == 4
    report = view.report(with_expunged=True)
    assert report is not None and report.expunged == ((3, 3), (2, 2))
    assert [entry.uid for entry in view.entries] == [1, 4]
    assert view.index(4) == 1 and view.index(3) is None


async def test_own_changes_are_not_reported() -> None:
    view, other = await opened(2)
    result = await view.mailbox.store_flags([1], "add", frozenset(["\\Seen"]))
    view.learn(result.changed)
    await other.refresh()
    await other.store_flags([2], "add", frozenset(["\\Flagged"]))
    await view.take_changes()
    report = view.report(with_expunged=True)
    assert report is not None and [number for number, _ in report.changed] == [2]


async def test_flags_of_a_message_that_then_went_are_not_reported() -> None:
    view, other = await opened(2)
    await other.store_flags([1], "add", frozenset(["\\Deleted"]))
    await view.take_changes()
    await other.expunge()
    await view.take_changes()
    report = view.report(with_expunged=True)
    assert report is not None and (report.expunged, report.changed) == (((1, 1),), ())


async def test_growth_and_recency() -> None:
    stores = await filled(b"\nx\n")
    store = await stores.open_store("/mail/alice")
    view = View(await store.open("INBOX"))
    await store.append("INBOX", [NewMessage(b"\r\nx\r\n")])
    await view.take_changes()
    report = view.report(with_expunged=True)
    assert report is not None and report.has_grown and view.recent() == 1
    assert view.report(with_expunged=True) is None


async def test_ranges() -> None:
    view, _ = await opened(5)
    assert list(view.at_numbers([(2, 3), (5, 9)])) == [1, 2, 4]
    assert list(view.at_uids([(0, 2), (4, 99)])) == [0, 1, 3, 4]
    with pytest.raises(NoSuchMessage):
        view.at_numbers([(6, 9)])
