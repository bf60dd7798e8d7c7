"""dns:fail: who hears of names that lead nowhere."""

from tests.support.fake_dns import FakeDns

from pillarbox.flow.route.dns_events import TellingResolver


async def test_what_is_not_found_is_told() -> None:
    told: list[str] = []

    async def tell(event: str, data: str) -> None:
        told.append(f"{event} {data}")

    resolver = TellingResolver(FakeDns("a.example A 192.0.2.1\nb.example SERVFAIL"), tell)
    await resolver.query("a.example", "A")
    await resolver.query("a.example", "MX")
    await resolver.query("b.example", "A")
    await resolver.query("c.example", "A")
    assert told == [
        "dns:fail DNS_NODATA:a.example:MX",
        "dns:fail DNS_AGAIN:b.example:A",
        "dns:fail DNS_NOMATCH:c.example:A",
    ]


async def test_what_the_action_itself_looks_up_is_not() -> None:
    told: list[str] = []

    async def tell(event: str, data: str) -> None:
        told.append(data)
        await resolver.query("inner.example", "A")

    resolver = TellingResolver(FakeDns(""), tell)
    await resolver.query("outer.example", "A")
    assert told == ["DNS_NOMATCH:outer.example:A"]
