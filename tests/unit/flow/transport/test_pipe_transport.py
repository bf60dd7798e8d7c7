"""The pipe transport: its arguments, its environment, what the command's end means (Exim chapter 29)."""

import pytest
from tests.support.delivery_world import World, assigned
from tests.support.local_work import ScriptedWork

from pillarbox.app.configuration import declare_all
from pillarbox.config.errors import CombinationError, OptionError
from pillarbox.flow.route.candidate import Candidate
from pillarbox.flow.route.result import Assignment
from pillarbox.flow.transport.job import Job
from pillarbox.flow.transport.transports.pipe import Pipe
from pillarbox.language.expand.template import Template
from pillarbox.mail.envelope import Envelope, Origin, Recipient
from pillarbox.mail.message import MemoryBody, Message
from pillarbox.mail.outcome import Deferred, Delivered, Failed, Outcome
from pillarbox.mail.taint import Tainted
from pillarbox.ports.localwork import CommandEnd

declare_all()


def pipe(command: str | None = "/bin/x", **options: object) -> Pipe:
    return Pipe(name="p", command=Template.parse(command) if command else None, **options)


def job_for(*addresses: str, sender: str | None = "alice@far.example", **more: object) -> Job:
    candidates = [Candidate.first(Recipient(address)) for address in addresses]
    envelope = Envelope(
        id="1vMXYZ-000000001Lk-1abc",
        sender=sender,
        recipients=tuple(candidate.recipient for candidate in candidates),
        origin=Origin(),
        received_at=1_700_000_000.0,
    )
    message = Message(b"From: a\nSubject: x\n", MemoryBody(b"From here\nbody\n"))
    routed = tuple(
        Assignment(candidate=c, router="r", transport="p", local_part=c.local_part, **more)
        for c in candidates
    )
    return Job(envelope, message, routed)


async def run(
    transport: Pipe, job: Job | None = None, *ends: CommandEnd
) -> tuple[list[Outcome], ScriptedWork, World]:
    world = World(lambda candidate: assigned(candidate, "p"), {"p": transport})
    work = ScriptedWork(*ends)
    work.files["/usr/bin/x"] = b""
    world.services.local_work = work
    return await transport.deliver(job or job_for("bob@local.example"), world.services), work, world


async def ended(transport: Pipe, end: CommandEnd, **more: object) -> Outcome:
    [outcome], _, _ = await run(transport, job_for("bob@local.example", **more), end)
    return outcome


async def test_arguments_are_divided_before_they_are_expanded():
    line = '/bin/x \'%s|\' "a b\\n" "" "${uc:x y}" $pipe_addresses \'q\'z --'
    _, work, _ = await run(pipe(line, batch_max=9), job_for("b@l.example", "c@l.example"))
    [ran] = work.ran
    assert ran.arguments == (
        "/bin/x",
        "%s|",
        "a b\n",
        "",
        "X Y",
        "b@l.example",
        "c@l.example",
        "q",
        "z",
        "--",
    )


async def test_what_comes_from_outside_is_no_argument():
    outcome = await ended(pipe("/bin/x $sender_address"), CommandEnd())
    assert isinstance(outcome, Failed)
    assert outcome.reason.log == "Tainted arg 1 for p transport command: 'alice@far.example'"


async def test_the_path_is_searched():
    _, work, _ = await run(pipe("x", path=Template.parse("/bin:/usr/bin")))
    assert work.ran[0].arguments == ("/usr/bin/x",)
    outcome = (await run(pipe("y")))[0][0]
    assert isinstance(outcome, Failed)
    assert outcome.reason.log == '"y" command not found for p transport'


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"allow_commands": Template.parse("/bin/y:z")}, '"/bin/x" command not permitted by p transport'),
        (
            {"restrict_to_path": True},
            '"/" found in "/bin/x" (command for p transport) - failed for security reasons',
        ),
        ({"allow_commands": Template.parse("/bin/x")}, ""),
        ({"allow_commands": Template.parse("/bin/x"), "restrict_to_path": True}, ""),
    ],
)
async def test_commands_may_be_restricted(options: dict[str, object], why: str):
    outcome = await ended(pipe(**options), CommandEnd())
    assert (outcome.reason.log if isinstance(outcome, Failed) else "") == why


async def test_redirected_commands_are_not_expanded_but_those_of_filters_are():
    job = job_for("bob@l.example", file='/bin/y $1 "a b"', target="pipe")
    _, work, _ = await run(pipe(None), job)
    assert work.ran[0].arguments == ("/bin/y", "$1", "a b")
    job = of_filter("/bin/y $1 $thisaddress", captures=("all", "one"), this_address="a@b")
    [outcome], work, _ = await run(pipe(None), job)
    assert work.ran[0].arguments == ("/bin/y", "one", "a@b")
    assert outcome.log_word == "|/bin/y $1 $thisaddress"


def of_filter(command: str, **changes: object) -> Job:
    return job_for("bob@l.example", file=command, target="pipe", expands_command=True, **changes)


@pytest.mark.parametrize(
    "command", ["/bin/y $sender_address", "/bin/$1 x", "/bin/sh -c 'echo $1'", "bash -xc '$thisaddress'"]
)
async def test_a_filter_cannot_run_what_strangers_wrote(command: str):
    job = of_filter(command, captures=("all", "one"), this_address="a@b")
    [outcome], work, _ = await run(pipe(None), job)
    assert isinstance(outcome, Failed) and outcome.reason.log.startswith("Tainted arg ")
    assert not work.ran


@pytest.mark.parametrize("command", ["echo $sender_address", "echo $1"])
async def test_nor_by_a_shell(command: str):
    [outcome], work, _ = await run(pipe(None, use_shell=True), of_filter(command, captures=("all", "one")))
    assert isinstance(outcome, Failed) and outcome.reason.log.startswith("Tainted command ")
    assert not work.ran


async def test_nor_is_a_stranger_s_command_forced():
    job = job_for("bob@l.example", file=Tainted("/bin/y x"), target="pipe")
    [outcome], work, _ = await run(pipe("/bin/x $address_pipe -", force_command=True), job)
    assert isinstance(outcome, Failed) and outcome.reason.log.startswith("Tainted arg 1 ")
    assert not work.ran


async def test_force_command_wraps_the_redirected_one():
    job = job_for("bob@l.example", file="/bin/y 'a b'", target="pipe")
    _, work, _ = await run(pipe("/bin/x $address_pipe -", force_command=True), job)
    assert work.ran[0].arguments == ("/bin/x", "/bin/y", "a b", "-")


async def test_a_shell_gets_no_text_from_outside():
    _, work, _ = await run(pipe("echo $transport_name | cat", use_shell=True))
    assert work.ran[0].arguments == ("/bin/sh", "-c", "echo p | cat")
    outcome = await ended(pipe("echo $sender_address", use_shell=True), CommandEnd())
    assert isinstance(outcome, Failed)
    redirected = job_for("bob@l.example", file=Tainted("/bin/y"), target="pipe")
    [outcome], _, _ = await run(pipe(None), redirected)
    assert isinstance(outcome, Deferred) and outcome.is_panic


async def test_the_environment():
    job = job_for("bob+x@l.example", home="/home/bob")
    job = Job(job.envelope, job.message, (job.assignments[0],))
    _, work, _ = await run(pipe(environment=Template.parse("A=1:PATH=/z:nothing:=x")), job)
    assert dict(work.ran[0].environment) == {
        "LOCAL_PART": "bob+x",
        "LOGNAME": "bob+x",
        "USER": "bob+x",
        "LOCAL_PART_PREFIX": "",
        "LOCAL_PART_SUFFIX": "",
        "DOMAIN": "l.example",
        "HOME": "/home/bob",
        "MESSAGE_ID": "1vMXYZ-000000001Lk-1abc",
        "PATH": "/z",
        "RECIPIENT": "bob+x@l.example",
        "QUALIFY_DOMAIN": "mail.example.org",
        "SENDER": "alice@far.example",
        "SHELL": "/bin/sh",
        "A": "1",
    }
    assert (work.ran[0].directory, work.ran[0].umask) == ("/home/bob", 0o022)


async def test_the_message_stands_between_prefix_and_suffix():
    _, work, _ = await run(pipe(check_string="From ", escape_string=">From ", return_path_add=True))
    first, _, rest = work.inputs[0].partition(b"\n")
    assert first.startswith(b"From alice@far.example ")
    assert rest == b"Return-path: <alice@far.example>\nFrom: a\nSubject: x\n\n>From here\nbody\n\n"


@pytest.mark.parametrize(
    ("options", "end", "kind", "log"),
    [
        ({}, CommandEnd(), Delivered, ""),
        ({}, CommandEnd(code=1), Failed, "Child process of p transport returned 1 from command: /bin/x"),
        (
            {},
            CommandEnd(code=75),
            Deferred,
            "Child process of p transport returned 75 (could mean temporary error) from command: /bin/x",
        ),
        ({"temp_errors": "*"}, CommandEnd(code=5), Deferred, "Child process of p transport returned 5 from"),
        ({"temp_errors": "5"}, CommandEnd(code=75), Failed, "Child process of p transport returned 75"),
        ({"ignore_status": True}, CommandEnd(code=75, output=b"x"), Delivered, ""),
        ({"return_output": True}, CommandEnd(output=b"x"), Failed, "return message generated"),
        (
            {"return_output": True},
            CommandEnd(code=75, output=b"x"),
            Failed,
            "Child process of p transport returned 75",
        ),
        (
            {},
            CommandEnd(code=137),
            Failed,
            "Child process of p transport returned 137 (could mean shell command ended by signal 9 (Killed)) from",
        ),
        (
            {},
            CommandEnd(signal=9),
            Failed,
            'Child process of p transport (running command "/bin/x") was terminated by signal 9 (Killed)',
        ),
        ({"freeze_signal": True}, CommandEnd(signal=9), Deferred, "Child process of p transport (running"),
        (
            {},
            CommandEnd(failed_to="exec", error=2),
            Failed,
            "Child process of p transport returned 127 (could mean",
        ),
        (
            {"freeze_exec_fail": True},
            CommandEnd(failed_to="exec", error=2),
            Deferred,
            'pipe process failed to exec "/bin/x"',
        ),
        ({}, CommandEnd(failed_to="chdir", error=2), Deferred, "failed to chdir to /"),
        ({}, CommandEnd(is_timed_out=True, signal=9), Failed, "pipe delivery process timed out"),
        ({"timeout_defer": True}, CommandEnd(is_timed_out=True), Deferred, "pipe delivery process timed out"),
        ({}, CommandEnd(is_too_talkative=True, signal=9), Failed, "Child process of p transport (running"),
    ],
)
async def test_what_its_end_means(options: dict[str, object], end: CommandEnd, kind: type[Outcome], log: str):
    outcome = await ended(pipe(**options), end)
    assert type(outcome) is kind
    if isinstance(outcome, Failed | Deferred):
        assert outcome.reason.log.startswith(log)
    if isinstance(outcome, Deferred):
        assert outcome.is_frozen is any(name.startswith("freeze") for name in options)


async def test_output_goes_to_the_sender_only_when_asked_for_and_there_is_one():
    failing = CommandEnd(code=1, output=b"why\n")
    for options, sender, output in (
        ({}, "a@b.example", b""),
        ({"return_fail_output": True}, "a@b.example", b"why\n"),
        ({"return_output": True}, "a@b.example", b"why\n"),
        ({"return_output": True}, None, b""),
    ):
        [outcome], _, _ = await run(pipe(**options), job_for("bob@l.example", sender=sender), failing)
        assert isinstance(outcome, Failed)
        assert outcome.output == output


async def test_the_first_line_of_output_is_logged():
    end = CommandEnd(code=2, output=b"  one\ttab\x01 \ntwo\n")
    _, _, world = await run(pipe(log_fail_output=True), None, end)
    assert world.journal.lines == [
        "1vMXYZ-000000001Lk-1abc <bob@local.example>: p transport output:   one\ttab\\001"
    ]
    assert not (await run(pipe(log_fail_output=True), None, CommandEnd(output=b"x")))[2].journal.lines
    assert (await run(pipe(log_defer_output=True), None, CommandEnd(code=75, output=b"x")))[2].journal.lines


async def test_a_filter_changes_the_copy_before_anything_is_delivered():
    transport = pipe(transport_filter=Template.parse("/bin/f $transport_name"))
    _, work, _ = await run(transport, None, CommandEnd(output=b"X: 1\n\nnew\n"))
    assert [ran.arguments for ran in work.ran] == [("/bin/f", "p"), ("/bin/x",)]
    assert work.ran[0].environment == ()
    assert work.inputs[1].endswith(b"\nX: 1\n\nnew\n\n")
    [outcome], work, _ = await run(transport, None, CommandEnd(code=3))
    assert isinstance(outcome, Deferred)
    assert outcome.reason.log == "Transport filter process failed (3)"
    assert len(work.ran) == 1
    [outcome], _, _ = await run(transport, None, CommandEnd(is_timed_out=True))
    assert isinstance(outcome, Failed)


async def test_more_than_sixty_arguments_are_too_many():
    [outcome], _, _ = await run(pipe(None), job_for("b@l.example", file="/bin/y" + " a" * 61, target="pipe"))
    assert isinstance(outcome, Failed)
    assert outcome.reason.log.startswith('Too many arguments in command "/bin/y a a')


def test_what_can_never_work_is_refused_at_load():
    with pytest.raises(OptionError, match=r'Expansion of "\$\{if" from command'):
        pipe("/bin/x ${if eq{a}{b}{c}}")
    with pytest.raises(CombinationError):
        pipe(return_output=True, return_fail_output=True)


async def test_without_a_command_it_waits():
    outcome = await ended(pipe(None), CommandEnd())
    assert isinstance(outcome, Deferred)
    assert outcome.reason.log == "no command specified for p transport"


async def test_the_recipient_of_a_redirected_pipe_is_the_address_that_led_there():
    command = "/bin/cat"
    _, work, _ = await run(pipe(None), job_for("bob@l.example", file=f"|{command}", target="pipe"))
    assert dict(work.ran[0].environment)["RECIPIENT"] == "bob@l.example"
