"""redirect: lists, special items, files and pipes."""

from __future__ import annotations

import pytest
from tests.support.routing import RoutingWorld, summary

from pillarbox.config.errors import ConfigError
from pillarbox.flow.route.redirection import (
    Address,
    File,
    Include,
    Malformed,
    Pipe,
    Special,
    parse_redirection,
)


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("alice, bob@b.test", [Address("alice", ""), Address("bob", "b.test")]),
        ("a\nb\n# comment, here\nc, # more\nd", [Address(each, "") for each in "abcd"]),
        ('"Quick, Carol" <carol@C.test> (comment, too)', [Address("carol", "C.test")]),
        ('"a b"@c.test', [Address('"a b"', "c.test")]),
        ('"|/bin/x a, b"', [Pipe("/bin/x a, b")]),
        ("|/bin/x a, /var/x, /var/d/", [Pipe("/bin/x a"), File("/var/x"), File("/var/d/")]),
        ("/s=molari/o=babylon/@x400gate.way", [Address("/s=molari/o=babylon/", "x400gate.way")]),
        ("\\alice", [Address("alice", "", True)]),
        (":include:/etc/list, x", [Include("/etc/list"), Address("x", "")]),
        (":fail: gone, away\nx", [Special("fail", "gone, away"), Address("x", "")]),
        (":blackhole:", [Special("blackhole", "")]),
        ("a b@c", [Malformed("a b@c", 'missing or malformed local part (expected word or "<")')]),
        ("a@", [Malformed("a@", "domain missing or malformed")]),
        ("@b.test", [Malformed("@b.test", "no local part")]),
        (" , ,\n\n", []),
        ("# only", []),
    ],
)
def test_lists(text: str, items: list[object]) -> None:
    assert parse_redirection(text) == items


def world(options: str, data: str = "", files: dict[str, str] | None = None) -> RoutingWorld:
    routers = (
        "r:\n  driver = redirect\n  local_parts = list : other\n"
        + ("  data = ${lookup{$local_part}lsearch{/a}}\n" if data else "")
        + options
        + "\nlast:\n  driver = accept\n  local_parts = ! nobody\n  transport = local\n"
    )
    return RoutingWorld(routers, tables={"/a": {"list": data, "other": data}}, files=files)


FULL = "  file_transport = file\n  pipe_transport = pipe\n  directory_transport = dir\n"


@pytest.mark.parametrize(
    ("data", "options", "expected"),
    [
        ("x@y.test, z", "", ["x@y.test -> local", "z@local.test -> local"]),
        ("z", "  qualify_preserve_domain\n", ["z@d.test -> local"]),
        ("\\z", "", ["z@d.test -> local"]),
        (":fail: gone away", "  allow_fail\n", ["list@d.test ! gone away"]),
        (":fail: gone", "", ['list@d.test ? error in redirect data: ":fail: gone" is not permitted']),
        (":defer: later", "  allow_defer\n", ["list@d.test ? later"]),
        (":blackhole:", "", ["list@d.test discarded"]),
        (":blackhole:, x@y.test", "", ["list@d.test discarded"]),
        (
            ":blackhole:",
            "  forbid_blackhole\n",
            ['list@d.test ? error in redirect data: ":blackhole:" is not permitted'],
        ),
        ("/dev/null", FULL, ["/dev/null -> file"]),
        ("(a comment), x@y.test", "", ["x@y.test -> local"]),
        ("x@y.test, :fail: gone", "  allow_fail\n", ["x@y.test -> local", "list@d.test ! gone"]),
        (":unknown:", "", ["list@d.test -> local"]),
        ("# nothing", "", ["list@d.test -> local"]),
        ("/var/x, /var/d/, |/bin/cat", FULL, ["/var/x -> file", "/var/d/ -> dir", "/bin/cat -> pipe"]),
        ("/var/x", "", ["/var/x ? file_transport unset in r router"]),
        (
            "|/bin/cat",
            FULL + "  forbid_pipe\n",
            ["|/bin/cat ! delivery to pipe forbidden"],
        ),
        (
            "x@y.test, a b@c",
            "",
            [
                'list@d.test ? error in redirect data: missing or malformed local part (expected word or "<") in "a b@c"'
            ],
        ),
        ("x@y.test, a b@c", "  skip_syntax_errors\n", ["x@y.test -> local"]),
        ("list@d.test", "", ["list@d.test -> local"]),
    ],
)
async def test_redirections(data: str, options: str, expected: list[str]) -> None:
    assert summary(await world(options, data).route("list@d.test")) == expected


async def test_variables_at_a_file_are_the_parents() -> None:
    (assignment,) = (await world(FULL, "/var/x").route("list@d.test")).assignments
    assert (assignment.local_part, assignment.domain, assignment.file) == ("list", "d.test", "/var/x")
    assert assignment.candidate.parent_addresses == ("list@d.test",)
    assert assignment.address == "/var/x"


async def test_the_same_pipe_of_two_parents_runs_twice() -> None:
    routed = await world(FULL, "|/bin/cat").route_message("list@d.test", "other@d.test", "list@D.test")
    assert [len(each.assignments) for each in routed] == [2]


async def test_files_and_includes() -> None:
    files = {
        "/home/list/.forward": "a@x.test\n:include:/lists/more\n",
        "/lists/more": "b@x.test, c@x.test, # d\n",
        "/home/other/.forward": ":include:/lists/loop",
        "/lists/loop": ":include:/lists/loop",
    }
    forward = world("  file = /home/$local_part_data/.forward\n", files=files)
    assert summary(await forward.route("list@d.test")) == [
        "a@x.test -> local",
        "b@x.test -> local",
        "c@x.test -> local",
    ]
    assert summary(await forward.route("other@d.test")) == [
        "other@d.test ? error in redirect file: too many :include: items"
    ]


async def test_no_file_declines_and_no_directory_defers() -> None:
    assert summary(await world("  file = /home/$local_part_data/.forward\n").route("list@d.test")) == [
        "list@d.test -> local"
    ]
    assert (await world("  file = /missing/$local_part_data/.forward\n").route("list@d.test")).postponed


async def test_include_rules() -> None:
    files = {"/lists/a": "x@y.test", "/etc/b": "x@y.test"}
    inside = world("  include_directory = /lists\n", ":include:/lists/a", files)
    assert summary(await inside.route("list@d.test")) == ["x@y.test -> local"]
    for path in ("/etc/b", "/lists/../etc/b", "relative"):
        outside = world("  include_directory = /lists\n", f":include:{path}", files)
        assert (await outside.route("list@d.test")).postponed
    assert (await world("  forbid_include\n", ":include:/lists/a", files).route("list@d.test")).postponed


async def test_check_ancestor_and_repeat_use() -> None:
    tables = {"/a": {"joe.bloggs": "jb@d.test"}, "/f": {"jb": "joe.bloggs@d.test, x@y.test"}}
    text = """
alias:
  driver = redirect
  domains = d.test
  data = ${{lookup{{$local_part}}lsearch{{/a}}}}
forward:
  driver = redirect
  domains = d.test
  data = ${{lookup{{$local_part}}lsearch{{/f}}}}
  {option}
users:
  driver = accept
  local_parts = jb : x
  transport = local
"""
    with_option = RoutingWorld(text.format(option="check_ancestor"), tables=tables)
    without = RoutingWorld(text.format(option="no_check_ancestor"), tables=tables)
    assert sorted(summary(await with_option.route("joe.bloggs@d.test"))) == [
        "jb@d.test -> local",
        "x@y.test -> local",
    ]
    assert sorted(summary(await without.route("joe.bloggs@d.test"))) == [
        "joe.bloggs@d.test ! Unrouteable address",
        "x@y.test -> local",
    ]


async def test_errors_to_headers_and_redirect_router_go_with_the_children() -> None:
    world = RoutingWorld("""
first:
  driver = accept
  local_parts = child
  transport = file
r:
  driver = redirect
  data = child@d.test
  errors_to = owner@d.test
  headers_add = X-List: yes
  address_data = kept
  redirect_router = last
last:
  driver = accept
  transport = local
""")
    (assignment,) = (await world.route("list@d.test")).assignments
    assert (assignment.transport, assignment.errors_to) == ("local", "owner@d.test")
    assert (assignment.headers_add, assignment.address_data) == (("X-List: yes",), "kept")


@pytest.mark.parametrize("options", ["", "  data = x\n  file = /y\n", "  data = x\n  transport = local\n"])
def test_settings_that_cannot_be(options: str) -> None:
    with pytest.raises(ConfigError):
        RoutingWorld(f"r:\n  driver = redirect\n{options}")
