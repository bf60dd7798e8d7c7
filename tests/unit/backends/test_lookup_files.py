"""Files that lookups search: kept until they change, replaced, missing, damaged."""

from __future__ import annotations

import asyncio
import importlib
import os
import sqlite3
import struct
from pathlib import Path

import pytest
from tests.support.cdb import write_cdb
from tests.support.clock import JumpClock

from pillarbox.backends.lookups.driver import LookupWorld
from pillarbox.backends.lookups.lsearch import parse_lines
from pillarbox.backends.lookups.registry import LookupTypes, known_kinds
from pillarbox.ports.lookups import STYLES, Lookup, LookupDefer, LookupNotOpened, LookupSettings, LookupStyle


def types(clock: JumpClock | None = None, **settings: object) -> LookupTypes:
    return LookupTypes(LookupWorld(clock or JumpClock(), settings=LookupSettings(**settings)))  # type: ignore[arg-type]


def lookup(kind: str, clock: JumpClock | None = None, **settings: object) -> Lookup:
    found = types(clock, **settings).get(kind)
    assert found is not None
    return found


def test_every_type_of_the_language_has_a_file() -> None:
    assert known_kinds() == set(STYLES)


@pytest.mark.parametrize(
    "kind", ["cdb", "dbm", "dbmjz", "dsearch", "json", "lsearch", "passwd", "regdom", "sqlite"]
)
def test_styles_agree(kind: str) -> None:
    assert lookup(kind).is_query_style is (STYLES[kind] is not LookupStyle.SINGLE_KEY)


def test_syntax() -> None:
    text = '# c\nRoot: joe@x\n"a b" : v\nlong: one,\n  two\n\t three\n\nbare\nspaced value\nroot: second\n  lost\n"q\\"t":w'
    assert parse_lines(text) == {
        "root": "joe@x",
        "a b": "v",
        "long": "one, two three",
        "bare": "",
        "spaced": "value",
        'q"t': "w",
    }


def test_a_comment_ends_an_item() -> None:
    assert parse_lines("a: 1\n# c\n 2\n\n 3\nb: 4") == {"a": "1", "b": "4"}


async def test_is_read_once_and_again_when_changed(tmp_path: Path) -> None:
    clock = JumpClock()
    lsearch = lookup("lsearch", clock)
    path = tmp_path / "aliases"
    path.write_text("a: 1\n")
    with pytest.raises(BlockingIOError):
        lsearch.find_now("a", str(path))
    assert await lsearch.find("A", str(path)) == "1"
    assert lsearch.find_now("a", str(path)) == "1"
    path.write_text("a: 2\n")
    os.utime(path, (5, 5))
    assert lsearch.find_now("a", str(path)) == "1"
    clock.jump(2)
    with pytest.raises(BlockingIOError):
        lsearch.find_now("a", str(path))
    assert await lsearch.find("a", str(path)) == "2"
    assert await lsearch.find("nosuch", str(path)) is None


async def test_keeps_no_more_files_than_lookup_open_max(tmp_path: Path) -> None:
    lsearch = lookup("lsearch", lookup_open_max=2)
    for name in ("a", "b", "c"):
        (tmp_path / name).write_text("k: v\n")
        assert await lsearch.find("k", str(tmp_path / name)) == "v"
    assert lsearch.find_now("k", str(tmp_path / "c")) == "v"
    with pytest.raises(BlockingIOError):
        lsearch.find_now("k", str(tmp_path / "a"))


async def test_is_read_once_for_all_who_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    readings: list[str] = []

    def reading(text: str, is_full: bool = False) -> dict[str, str]:
        readings.append(text)
        return parse_lines(text, is_full)

    monkeypatch.setattr("pillarbox.backends.lookups.lsearch.parse_lines", reading)
    path = tmp_path / "aliases"
    path.write_text("a: 1\n")
    lsearch = lookup("lsearch")
    waiting = [asyncio.ensure_future(lsearch.find("a", str(path))) for _ in range(5)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    assert await asyncio.gather(*waiting[1:]) == ["1"] * 4
    assert len(readings) == 1
    gone = [lsearch.find("a", str(tmp_path / "none")) for _ in range(2)]
    assert [type(error) for error in await asyncio.gather(*gone, return_exceptions=True)] == [
        LookupNotOpened
    ] * 2


async def test_what_cannot_be_opened(tmp_path: Path) -> None:
    lsearch = lookup("lsearch")
    with pytest.raises(LookupNotOpened, match="for linear search: No such file or directory"):
        await lsearch.find("a", str(tmp_path / "none"))
    with pytest.raises(LookupNotOpened, match="not a file name"):
        await lsearch.find("a", "/a\0b")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(LookupNotOpened, match=r"is not a regular file \(lsearch lookup\)"):
        await lsearch.find("a", str(tmp_path / "pipe"))


async def test_a_file_that_vanishes(tmp_path: Path) -> None:
    clock = JumpClock()
    lsearch = lookup("lsearch", clock)
    path = tmp_path / "aliases"
    path.write_text("a: 1\n")
    await lsearch.find("a", str(path))
    path.unlink()
    clock.jump(2)
    with pytest.raises(LookupNotOpened):
        await lsearch.find("a", str(path))


async def test_networks_come_in_the_order_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "nets"
    path.write_text('10.1.0.0/16: wide\n10.1.2.0/24: never\n"2001:db8::/32": six\n10.0.0.0/8: wider\n')
    iplsearch = lookup("iplsearch")
    assert await iplsearch.find("10.1.2.3", str(path)) == "wide"
    assert iplsearch.find_now("::ffff:10.2.0.0", str(path)) == "wider"
    assert iplsearch.find_now("2001:db8:1::", str(path)) == "six"
    assert iplsearch.find_now("11.0.0.0", str(path)) is None
    with pytest.raises(LookupDefer, match="net-iplsearch"):
        iplsearch.find_now("host.example", str(path))


@pytest.mark.parametrize("in_memory", [0, 1 << 20])
async def test_cdb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_memory: int) -> None:
    monkeypatch.setattr("pillarbox.backends.lookups.cdb.IN_MEMORY", in_memory)
    path = tmp_path / "data.cdb"
    path.write_bytes(write_cdb((b"k%d" % i, b"v%d" % i if i else b"x" * 2000) for i in range(500)))
    cdb = lookup("cdb")
    assert await cdb.find("k7", str(path)) == "v7"
    assert all(cdb.find_now(f"k{i}", str(path)) == f"v{i}" for i in range(1, 500))
    assert cdb.find_now("k0", str(path)) == "x" * 2000
    assert cdb.find_now("k500", str(path)) is None


async def test_a_cdb_that_is_cut_short_under_us(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pillarbox.backends.lookups.cdb.IN_MEMORY", 0)
    path = tmp_path / "data.cdb"
    path.write_bytes(write_cdb([(b"k", b"v")]))
    cdb = lookup("cdb")
    assert await cdb.find("k", str(path)) == "v"
    os.truncate(path, 2050)
    with pytest.raises(LookupDefer, match="is damaged"):
        cdb.find_now("k", str(path))


@pytest.mark.parametrize("cut", range(2049, 2240, 7))
async def test_a_damaged_cdb_is_no_fault(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "data.cdb"
    path.write_bytes(write_cdb([(b"k", b"v" * 100), (b"l", b"w")])[:cut])
    try:
        assert await lookup("cdb").find("k", str(path)) in (None, "v" * 100)
    except LookupDefer as error:
        assert "is damaged" in str(error)


async def test_a_cdb_whose_table_lies_outside(tmp_path: Path) -> None:
    path = tmp_path / "data.cdb"
    path.write_bytes(struct.pack("<II", 0xFFFFFFF0, 0xFFFFFFFF) * 256)
    with pytest.raises(LookupDefer, match="is damaged"):
        await lookup("cdb").find("k", str(path))


async def test_json(tmp_path: Path) -> None:
    path = tmp_path / "data.json"
    path.write_text('{"a": {"b": ["x", {"c": 1.5}, "é"]}, "n": null, "d.e:f": true}')
    found = lookup("json")
    assert await found.find("a:b:0", str(path)) == "x"
    assert found.find_now("a:b:1", str(path)) == '{"c": 1.5}'
    assert found.find_now("a : b", str(path)) == '["x", {"c": 1.5}, "é"]'
    assert found.find_now("n", str(path)) == "null"
    assert found.find_now("</d.e:f", str(path)) == "true"
    assert [found.find_now(key, str(path)) for key in ("a:c", "a:b:3", "a:b:x", "a:b:0:0", "0")] == [None] * 5
    path.with_name("bad").write_text("{")
    with pytest.raises(LookupDefer, match="JSON parse error"):
        await found.find("a", str(path.with_name("bad")))


async def test_dbm_files_of_three_kinds(tmp_path: Path) -> None:
    path = tmp_path / "aliases.db"
    with sqlite3.connect(path) as database:
        database.execute("create table tblblob (ky blob primary key, dat blob)")
        database.execute("insert into tblblob values (?, ?)", (b"joe\0", b"home\0"))
        database.execute("insert into tblblob values (?, ?)", (b"a\0b", b"pair"))
    assert await lookup("dbm").find("joe", str(path)) == "home"
    assert await lookup("dbmnz").find("joe", str(path)) is None
    assert await lookup("dbmjz").find("a : b", str(path)) == "pair"


async def test_dbm_reads_berkeley_files(tmp_path: Path) -> None:
    ndbm = pytest.importorskip("dbm.ndbm")
    with ndbm.open(str(tmp_path / "old"), "c") as database:
        database[b"joe"] = b"home"
    path = tmp_path / "old.db"
    if not path.exists():
        pytest.skip("this interpreter's ndbm is no Berkeley DB")
    assert await lookup("dbmnz").find("joe", str(path)) == "home"


async def test_dbm_says_what_it_cannot_read(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("joe: home\n")
    with pytest.raises(LookupDefer, match="no DBM file"):
        await lookup("dbm").find("joe", str(tmp_path / "text"))


async def test_sqlite_rows(tmp_path: Path) -> None:
    file = str(tmp_path / "a.db")
    found = lookup("sqlite", sqlite_dbfile=file)
    assert await found.find("create table t (a, b)", "") is None
    assert await found.find("insert into t values ('x y', null), ('', 0.5)", "") is None
    assert await found.find("select a from t", "") == "x y\n"
    assert await found.find("select * from t", file) == 'a="x y" b=<NULL> \na="" b=0.5 '
    assert await found.find("selec", "") is None
    assert await asyncio.gather(*(found.find(f"select {i}", "") for i in range(5))) == list("01234")


@pytest.mark.parametrize(
    "query", ["select cast(x'ff' as text)", "select '\udcff'", "select 1 as '\udcff', 2"]
)
async def test_sqlite_text_is_utf_8(tmp_path: Path, query: str) -> None:
    with pytest.raises(LookupDefer, match="not UTF-8"):
        await lookup("sqlite").find(query, str(tmp_path / "a.db"))
    assert await lookup("sqlite").find("select x'ff'", str(tmp_path / "a.db")) == "\udcff"


async def test_sqlite_has_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pillarbox.backends.lookups.sqlite.MAX_STEPS", 1_000_000)
    found = lookup("sqlite")
    endless = "with recursive n(i) as (select 1 union all select i + 1 from n) "
    with pytest.raises(LookupDefer, match="steps"):
        await found.find(endless + "select max(i) from n", str(tmp_path / "a.db"))
    with pytest.raises(LookupDefer, match="longer than"):
        await found.find(
            endless + "select zeroblob(0) || printf('%.*c', 1000000, 'x') from n", str(tmp_path / "a.db")
        )


def test_dsearch(tmp_path: Path) -> None:
    (tmp_path / "joe").touch()
    found = lookup("dsearch")
    assert found.find_now("joe", str(tmp_path)) == "joe"
    assert found.find_now("joe", str(tmp_path), ("ret=full",)) == f"{tmp_path}/joe"
    assert found.find_now("joe", str(tmp_path), ("filter=dir",)) is None
    assert found.find_now("sue", str(tmp_path)) is None
    assert found.find_now("../joe", str(tmp_path)) is None
    assert found.find_now("x/../joe", str(tmp_path), ("key=path",)) is None
    assert found.find_now("..", str(tmp_path)) is None
    with pytest.raises(LookupNotOpened):
        found.find_now("joe", str(tmp_path / "none"))


async def test_passwd() -> None:
    assert (await lookup("passwd").find("root", "") or "").startswith("*:0:0:")
    assert await lookup("passwd").find("no such user", "") is None


def test_a_type_whose_package_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(name="lmdb")

    assert "lmdb" in known_kinds()
    registry = types()
    monkeypatch.setattr("pillarbox.backends.lookups.registry.importlib.import_module", missing)
    with pytest.raises(LookupNotOpened, match=r"needs the Python package lmdb: install pillarbox\[lmdb\]"):
        registry.get("lmdb")


def test_a_type_that_cannot_be_imported_now_can_be_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process without descriptors cannot look into folders: what nearly everybody asks is there before, and nothing is given up for good."""
    made = types()
    made.load()

    def none_left(name: str) -> object:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    with monkeypatch.context() as patched:
        patched.setattr(importlib, "import_module", none_left)
        assert made.get("lsearch") is not None and made.get("dsearch") is not None
        with pytest.raises(LookupNotOpened, match="cannot be loaded now"):
            made.get("json")
    assert made.get("json") is not None
