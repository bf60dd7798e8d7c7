"""`quota` of `verify = recipient`."""

from __future__ import annotations

import pytest

from pillarbox.flow.check.acl.verify_line import VerifyMistake, read_verify
from pillarbox.flow.check.quota_wish import QuotaWish


@pytest.mark.parametrize(
    ("text", "wish"),
    [
        ("recipient/quota", QuotaWish(300.0, 3600.0)),
        ("recipient/quota=cachepos=1h,cacheneg=1d", QuotaWish(3600.0, 86400.0)),
        ("recipient/quota=cachepos=0s", QuotaWish(0.0, 3600.0)),
        ("recipient / quota = no_cache", QuotaWish(0.0, 0.0)),
        ("recipient/quota=whatever/defer_ok", QuotaWish(300.0, 3600.0)),
        ("recipient/callout", None),
    ],
)
def test_read(text: str, wish: QuotaWish | None) -> None:
    assert read_verify(text).wish.quota == wish


@pytest.mark.parametrize(
    ("text", "why"),
    [("sender/quota", "can only verify quota of recipient"), ("recipient/quota=cachepos=x", "bad time")],
)
def test_mistakes(text: str, why: str) -> None:
    with pytest.raises(VerifyMistake, match=why):
        read_verify(text)
