"""Items that ask the world, what they leave behind, what they refuse, and what chance or time decides."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.clock import JumpClock

from pillarbox.language.expand.acls import AclResult, Acls
from pillarbox.language.expand.conditions.delivery import DeliveryRun
from pillarbox.language.expand.errors import ExpansionFailed, ForcedFailure
from pillarbox.language.expand.forbidden import Forbidden
from pillarbox.language.expand.items.authresults import AuthenticationResults
from pillarbox.language.expand.items.env import Environment
from pillarbox.language.expand.registry import variable
from pillarbox.language.expand.scope import Scope, Services
from pillarbox.language.expand.taint import is_tainted
from pillarbox.language.expand.template import Template
from pillarbox.language.nowhere import no_services
from pillarbox.ports.commands import CommandResult, Commands
from pillarbox.ports.functions import Functions
from pillarbox.ports.sockets import Sockets, SocketTrouble, SocketWish
from pillarbox.system.functions import PythonFunctions


class Outside:
    """Text from outside, as `$test_outside`."""


@variable("test_outside", Outside, doc="A test's own.")
def outside(facts: Outside) -> str:
    return "/etc/passwd"


class _World:
    """Commands and sockets that remember what was asked."""

    def __init__(self) -> None:
        self.commands: list[tuple[str, ...]] = []
        self.wishes: list[tuple[SocketWish, float]] = []

    async def run(self, arguments: tuple[str, ...], *, timeout: float, limit: int) -> CommandResult:
        self.commands.append(arguments)
        return CommandResult(3 if "fail" in arguments else 0, b"said\n")

    async def ask(self, wish: SocketWish, *, timeout: float, limit: int) -> bytes:
        self.wishes.append((wish, timeout))
        if wish.path == "/down":
            raise SocketTrouble("failed to connect to socket /down: Connection refused")
        return b"one\ntwo\n"


class _Acls:
    async def call(self, name: str, arguments: tuple[str, ...], scope: Scope) -> AclResult:
        if name == "later":
            return AclResult("DEFER")
        return AclResult("FAIL" if name == "deny" else "OK", " ".join(arguments))


@pytest.fixture
def world() -> _World:
    return _World()


@pytest.fixture
def scope(world: _World) -> Scope:
    nowhere = no_services()
    facts: dict[type, object] = {Commands: world, Sockets: world, Acls: _Acls(), Outside: Outside()}
    return Scope({}, Services(nowhere.lookups, nowhere.resolver, nowhere.clock, facts))


async def expand(text: str, scope: Scope) -> str:
    return await Template.parse(text).expand(scope)


async def test_a_value_is_one_argument_of_a_command(scope: Scope, world: _World) -> None:
    assert await expand('${run{/bin/x "a ${lc:B C}" $test_outside}}', scope) == "said\n"
    assert world.commands == [("/bin/x", "a b c", "/etc/passwd")]


async def test_runrc_stays_for_later_strings(scope: Scope) -> None:
    assert await expand("${run{/bin/x fail}{y}{n[$value]}}", scope) == "n[said\n]"
    assert await expand("$runrc", scope) == "3"


@pytest.mark.parametrize("text", ["${run{$test_outside}}", "${run,preexpand{/bin/echo $test_outside}}"])
async def test_no_command_from_outside(text: str, scope: Scope, world: _World) -> None:
    with pytest.raises(ExpansionFailed, match="couldn't create child process"):
        await expand(text, scope)
    assert not world.commands


_CARRIED = ["lc:", "uc:", "quote:", "base64:", "escape:", "rxquote:", "address:", "hash_3:", "length_3:", "substr_3:",
            "rfc2047:", "rfc2047d:", "headerwrap:", "xtextd:", "from_utf8:", "utf8clean:", "hexquote:"]  # fmt: skip
_FREED = ["md5:", "sha1:", "sha256:", "sha3:", "strlen:", "nhash_3:", "listcount:"]


@pytest.mark.parametrize("operator", _CARRIED)
async def test_what_is_made_of_outside_text_opens_no_file(operator: str, scope: Scope) -> None:
    with pytest.raises(ExpansionFailed, match="Permission denied"):
        await expand("${readfile{${" + operator + "$test_outside}}}", scope)


@pytest.mark.parametrize("operator", _FREED)
async def test_digests_and_counts_are_plain(operator: str, scope: Scope) -> None:
    assert not is_tainted(await expand("${" + operator + "$test_outside}", scope))


_ITEMS = ["${sg{$test_outside}{x}{y}}", "${tr{$test_outside}{a}{b}}", "${sg{x}{x}{$test_outside}}",
          "${extract{1}{:}{$test_outside}}", "${map{$test_outside}{$item}}", "${reduce{a}{}{$test_outside}}",
          "${listextract{1}{$test_outside}}", "${listquote{:}{$test_outside}}", "${sort{$test_outside}{lt}{$item}}",
          "${filter{$test_outside}{eq{1}{1}}}", "${if match{$test_outside}{(.*)}{$1}}"]  # fmt: skip


@pytest.mark.parametrize("text", _ITEMS)
async def test_items_carry_taint(text: str, scope: Scope) -> None:
    assert is_tainted(await expand(text, scope))


@pytest.mark.parametrize(
    "text", ["${expand:$test_outside}", "${eval:$test_outside}", "${sg{x}{x}{$test_outside\\$0}}"]
)
async def test_text_from_outside_is_no_code(text: str, scope: Scope) -> None:
    with pytest.raises(ExpansionFailed, match="tainted"):
        await expand(text, scope)


async def test_a_socket_is_asked_as_the_options_say(scope: Scope, world: _World) -> None:
    text = "${readsocket{inet:[::1]:25}{hello}{3s:shutdown=no:sni=a.example}{|}}"
    value = await expand(text, scope)
    assert value == "one|two|"
    assert is_tainted(value)
    wish = SocketWish(
        host="[::1]", port="25", request=b"hello", shuts_down=False, tls=True, server_name="a.example"
    )
    assert world.wishes == [(wish, 3.0)]


async def test_the_fifth_string_stands_in_for_trouble(scope: Scope) -> None:
    assert await expand("${readsocket{/down}{x}{1s}{}{sorry}}", scope) == "sorry"
    with pytest.raises(ExpansionFailed, match="Connection refused"):
        await expand("${readsocket{/down}{x}}", scope)


async def test_acl_results(scope: Scope) -> None:
    assert await expand("${acl{ok}{a}{b}}", scope) == "a b"
    assert await expand("${if acl{{deny}{why}}{y}{no: $value}}", scope) == "no: why"
    with pytest.raises(ForcedFailure, match='DEFER from acl "later"'):
        await expand("${acl{later}}", scope)


async def test_python_functions(scope: Scope, tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("def twice(a):\n    return a * 2\ndef no():\n    return None\ndef bad():\n    1 / 0\n")
    scope.services.facts[Functions] = PythonFunctions([str(file)])
    assert await expand("${python{mine.twice}{ab}}", scope) == "abab"
    assert is_tainted(await expand("${python{mine.twice}{$test_outside}}", scope))
    with pytest.raises(ForcedFailure):
        await expand("${python{mine.no}}", scope)
    with pytest.raises(ExpansionFailed, match=r"mine\.py:6: ZeroDivisionError"):
        await expand("${python{mine.bad}}", scope)
    with pytest.raises(ExpansionFailed, match="in python_modules"):
        await expand("${python{other.f}}", scope)


@pytest.mark.parametrize("text", ["${perl{f}}", "${dlfunc{/x.so}{f}}"])
async def test_perl_and_c_name_the_alternative(text: str, scope: Scope) -> None:
    with pytest.raises(ExpansionFailed, match=r"use \$\{python\{"):
        await expand(text, scope)


_LOCKABLE = {
    "run": "${run{/bin/x}}",
    "readfile": "${readfile{/etc/hostname}}",
    "readsocket": "${readsocket{/x}{y}}",
    "perl": "${perl{x}}",
    "python": "${python{a.b}}",
    "exists": "${if exists{/}{y}{n}}",
    "stat": "${stat:/}",
}


@pytest.mark.parametrize("name", _LOCKABLE)
async def test_locked_away(name: str, scope: Scope, world: _World) -> None:
    with pytest.raises(ExpansionFailed, match="not permitted"):
        await expand(_LOCKABLE[name], scope.with_facet(Forbidden, Forbidden(frozenset({name}))))
    assert not world.commands
    assert not world.wishes


async def test_random_numbers_are_below_the_limit(scope: Scope) -> None:
    numbers = {int(await expand("${randint:3}", scope)) for _ in range(200)}
    assert numbers == {0, 1, 2}


async def test_a_signed_address_is_good_with_its_secret_only(scope: Scope) -> None:
    signed = await expand("${prvs{a@b.example}{secret}{4}}", scope)
    assert signed.startswith("prvs=4")
    shown = "{$prvscheck_result/$prvscheck_keynum/$prvscheck_address}"
    assert await expand("${prvscheck{" + signed + "}{secret}" + shown + "}", scope) == "1/4/a@b.example"
    assert await expand("${prvscheck{" + signed + "}{other}" + shown + "}", scope) == "/4/a@b.example"
    assert await expand("$prvscheck_result$prvscheck_address", scope) == ""


async def test_srs_there_and_back(scope: Scope) -> None:
    encoded = await expand("${srs_encode{secret}{Me@Here.example}{relay.example}}", scope)
    local, _, domain = encoded.rpartition("@")
    assert domain == "relay.example"
    assert (
        await expand("${if inbound_srs{" + local + "}{secret}{$srs_recipient}}", scope) == "me@here.example"
    )
    assert await expand("${if inbound_srs{" + local + "}{other}{y}{n}}", scope) == "n"


async def test_facts_of_the_stages(scope: Scope) -> None:
    text = "${if first_delivery{f}}${if queue_running{q}}${env{A}}${authresults{x}}"
    known = scope.with_facets(
        {
            DeliveryRun: DeliveryRun(is_first=True, is_queue_run=True),
            Environment: Environment({"A": "b"}),
            AuthenticationResults: AuthenticationResults(("spf=pass", "dkim=none")),
        }
    )
    assert await expand(text, known) == "fqbAuthentication-Results: x;\n\tspf=pass;\n\tdkim=none"


def test_whether_a_file_exists_is_asked_a_hundred_times_a_second_where_its_name_never_changes(
    tmp_path: Path,
) -> None:
    clock, services = JumpClock(), no_services()
    services.clock = clock
    scope = Scope({}, services)
    constant = Template.parse(f"${{if exists{{{tmp_path}/x}}{{y}}{{n}}}}")
    variable = Template.parse(f"${{if exists{{{tmp_path}/${{lc:x}}$value}}{{y}}{{n}}}}")
    assert (constant.expand_now(scope), variable.expand_now(scope)) == ("n", "n")
    (tmp_path / "x").touch()
    assert (constant.expand_now(scope), variable.expand_now(scope)) == ("n", "y")
    clock.jump(0.011)
    assert constant.expand_now(scope) == "y"
