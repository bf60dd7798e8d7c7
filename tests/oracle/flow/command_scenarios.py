"""More scenarios of the command line: every option of the specification's chapter 5 at least once, alone, together and wrongly used."""

from __future__ import annotations

from tests.oracle.flow.commands import Step

MAIL = "Subject: hi\n\nbody\n"
WAITING = Step("-odi joe@defer.example", MAIL)
QUEUED = Step("-odq -f a@b.example fred joe@defer.example", MAIL)
SESSION = "HELO client.example\nMAIL FROM:<a@b.example>\nRCPT TO:<fred@example.com>\n"
LETTER = f"{SESSION}DATA\nSubject: x\n\nbody\n.\nQUIT\n"
PLAYED = ("10.2.3.4", "10.2.3.4.1234", "192.0.2.1", "fe80::1", "::1")

SCENARIOS: dict[str, list[Step]] = {
    # -bh, -bhc
    **{f"host-{host}": [Step(f"-bh {host}", LETTER)] for host in PLAYED},
    "host-rejected": [Step("-bh 10.2.3.4", f"{SESSION}RCPT TO:<bad@x.example>\nRCPT TO:<>\nQUIT\n")],
    "host-bad-addresses": [
        Step(f"-bh {host}", "") for host in ("nonsense", "1.2.3", "1.2.3.4.5.6", "host.example")
    ],
    "host-callouts": [Step("-bhc 10.2.3.4", LETTER)],
    "host-about": [
        Step("-bh 10.2.3.4 -oMs host.example -oMt joe -oMaa plain -oMai joe -oMi 10.9.9.9.25", LETTER)
    ],
    "host-quit": [Step("-bh 10.2.3.4", "QUIT\n"), Step("-bh 10.2.3.4", "HELO x\nNOOP\nRSET\nQUIT\n")],
    "host-errors": [
        Step("-bh 10.2.3.4", "HELO x\nMAIL FROM:<a@b.example> FOO=1\nRCPT TO:<a@b>\nDATA\nMAIL\nQUIT\n"),
        Step("-bh 10.2.3.4", f"{SESSION}DATA\n.\nQUIT\n"),
    ],
    "host-no-words": [Step("-bh 10.2.3.4 fred", "QUIT\n")],
    # -z
    "log-line": [Step("-z hello"), Step("-z"), Step("-z hello there"), Step("-z 'a_line'")],
    # -Mset, -be, -bem
    "expand-queued": [
        QUEUED,
        *(
            Step(f"-Mset {{1}} -be {text}")
            for text in (
                "$sender_address $recipients",
                "$h_subject:",
                "$message_size",
                "$message_exim_id",
                "$received_protocol $sender_ident",
                "$recipients_count",
                "$originator_uid",
                "${length_3:$message_body}",
                "$message_headers_raw",
            )
        ),
        Step("-Mset {9} -be x"),
        Step("-Mset x -be x"),
        Step("-Mset {1}"),
        Step("-Mset {1} -bt x"),
        Step("-Mset"),
    ],
    "expand": [
        Step("-be a b ${uc:c}"),
        Step("-be", "a\n${uc:b}\n${foo\nc \\\n d\n"),
        Step("-be $primary_hostname ${lookup{x}foo}"),
        Step("-be -f x@y.example $sender_address"),
        Step("-bem"),
        Step("-bem {dir}/nosuch x"),
    ],
    # Submission
    "submit-fromline": [
        Step("-odi fred", "From joe@x.example Mon Jan  1 10:00:00 2024\nSubject: x\n\nbody\n"),
        Step("-odi -f a@b.example fred", "From joe@x.example Mon Jan  1 10:00:00 2024\nSubject: x\n\nbody\n"),
        Step("-odi fred", ">From joe@x.example Mon Jan  1 10:00:00 2024\nSubject: x\n\nbody\n"),
        Step("-odi fred", "From nobody\nSubject: x\n\nbody\n"),
    ],
    "submit-dots": [
        Step("-odi fred", "Subject: x\n\na\n.\nb\n"),
        Step("-i -odi fred", "Subject: x\n\na\n.\nb\n"),
        Step("-oi -odi fred", "Subject: x\n\na\n.\nb\n"),
        Step("-oitrue -odi fred", "Subject: x\n\na\n.\nb\n"),
        Step("-odi fred", ".\n"),
        Step("-odi fred", ""),
        Step("-odi fred", "Subject: x\n\nno end"),
        Step("-odi fred", "no header\n\nbody\n"),
    ],
    "submit-line-ends": [
        Step("-odi fred", "Subject: x\r\n\r\nbody\r\n"),
        Step("-dropcr -odi fred", "Subject: x\r\n\r\nbody\r\n"),
        Step("-odi fred", "Subject: x\n\na\rb\n"),
    ],
    "submit-null-sender": [
        Step("-f <> -odi fred", MAIL),
        Step("-f <> -odi nosuch", MAIL),
        Step("-f <> -odi joe@defer.example", MAIL),
        Step("-bp"),
    ],
    "submit-ignored": [
        Step(f"{option} -odi fred", MAIL)
        for option in (
            "-U",
            "-x",
            "-m",
            "-n",
            "-om",
            "-oo",
            "-oY",
            "-B8BITMIME",
            "-Ac",
            "-Am",
            "-h 3",
            "-pd",
            "-e m",
        )
    ],
    "submit-sendmail-values": [
        Step("-X {dir}/log -odi fred", MAIL),
        Step("-X{dir}/log -odi fred", MAIL),
        Step("-O Foo=bar -odi fred", MAIL),
        Step("-OFoo=bar -odi fred", MAIL),
        Step("-or 5m -odi fred", MAIL),
        Step("-os 5m -odi fred", MAIL),
        Step("-oB 10 -odi fred", MAIL),
        Step("-oB10 -odi fred", MAIL),
        Step("-oB -odi fred", MAIL),
        Step("-L tag -odi fred", MAIL),
    ],
    "submit-bounces": [
        Step("-odi nosuch", MAIL),
        Step("-odi -f fred@example.com nosuch@example.com fred", MAIL),
        Step("-bpc"),
    ],
    "submit-cases": [
        Step("-odi Fred FRED@EXAMPLE.COM fred@Example.Com", MAIL),
        Step("-odi Joe@Defer.Example", MAIL),
    ],
    "submit-duplicates": [Step("-odi fred fred fred@example.com", MAIL), Step("-odi fred,fred", MAIL)],
    "submit-quoted": [Step('-odi "fred"@example.com', MAIL), Step('-odi "fr ed"@example.com', MAIL)],
    "submit-discarded": [Step("-odi x@gone.example", MAIL)],
    "submit-unqualified": [
        Step("-bnq -odi fred", MAIL),
        Step("-bnq -odi fred@example.com", "To: fred\nSubject: x\n\nb\n"),
    ],
    "submit-fixups": [
        Step("-G -odi fred", MAIL),
        Step("-G -f a@b.example -odi fred", "From: x\n\nbody\n"),
        Step("-G8 -odi fred", MAIL),
        Step("-odi -f jö@grün.example fred", f"From: x@b.example\n{MAIL}"),
        Step("-odi -f <jö@grün.example> fred", f"From: x@b.example\n{MAIL}"),
    ],
    "submit-names": [
        Step("-F A_B -odi fred", MAIL),
        Step("-FJoe -odi fred", MAIL),
        Step("-F 'x' -odi fred", "From: root\n\nbody\n"),
    ],
    "extract-resent": [
        Step("-t -odi", "To: fred\nResent-To: root\nResent-Bcc: nobody\n\nbody\n"),
        Step("-t -odi", "Resent-From: x@y.example\nTo: fred\n\nbody\n"),
    ],
    "extract-bad": [
        Step("-t -odi", "To: a b\n\nbody\n"),
        Step("-t -odi", "To: fred, a b, root\n\nbody\n"),
        Step("-t -odi", "To:\n\nbody\n"),
        Step("-t -odi", "To: undisclosed-recipients:;\nBcc: fred\n\nbody\n"),
        Step("-t -odi fred", "To: fred\n\nbody\n"),
        Step("-t -odi a_b", "To: fred\n\nbody\n"),
    ],
    "extract-many": [
        Step("-t -odi", "To: fred, root\nCc: FRED@example.com\nBcc: nobody\n\nbody\n"),
        Step("-t -odi", 'To: "A, B" <fred@example.com> (comment), <root>\n\nbody\n'),
    ],
    "queue-only": [QUEUED, Step("-bp"), Step("-odqs fred joe@defer.example", MAIL), Step("-bpc")],
    # -bs
    "smtp-about": [
        Step("-bs -odi -oMa 10.1.2.3 -oMs host.example", LETTER),
        Step("-bs -odi -oMr lsmtp", LETTER),
        Step("-bs -odi -f x@y.example", LETTER),
    ],
    "smtp-errors": [
        Step("-bs -odi", "MAIL FROM:<a b>\nRCPT TO:<fred>\nDATA\nQUIT\n"),
        Step("-bs -odi", "HELO\nEHLO\nQUIT\n"),
        Step("-bs", "QUIT\n"),
        Step("-bs -t", "QUIT\n"),
        Step("-bs fred", "QUIT\n"),
    ],
    "smtp-two": [Step("-bs -odi", f"{LETTER.removesuffix(chr(10)).removesuffix('QUIT')}{LETTER}")],
    # -bt, -bv
    "route": [
        Step("-bt fred"),
        Step("-bt fred root nosuch x@defer.example y@gone.example"),
        Step("-bt", "fred\nnosuch\n"),
        Step("-bt fred,root"),
        Step("-bt a_b"),
        Step("-bt -f <> fred"),
    ],
    "verify": [
        Step("-bv fred"),
        Step("-bv nosuch x@defer.example y@gone.example"),
        Step("-bvs fred"),
        Step("-bv"),
        Step("-bv", "fred\nnosuch\n"),
    ],
    # Questions
    "rules": [
        Step("-brw a@b.example"),
        Step("-brt a@b.example"),
        Step("-brt b.example"),
        Step("-brt a@b.example timeout_connect"),
        Step("-brt"),
    ],
    "print": [
        Step("-bP primary_hostname"),
        Step("-bP nosuch"),
        Step("-bP router nosuch"),
        Step("-bP router_list"),
        Step("-bP transport_list"),
        Step("-bP authenticator_list"),
        Step("-bP +local_domains"),
        Step("-bP +nosuch"),
        Step("-bP qualify_domain primary_hostname"),
        Step("-n -bP qualify_domain"),
        Step("-bP configure_file"),
    ],
    "filters": [
        Step("-bf {dir}/nosuch", MAIL),
        Step("-bf"),
        Step("-bF"),
        Step("-bfd x -bfl y -bfp p- -bfs -s"),
    ],
    "newaliases": [Step("-bi"), Step("-bi -oA x"), Step("-bi x")],
    "macros": [
        Step("-DX=1 -bt fred"),
        Step("-DX -bt fred"),
        Step("-DX=1 -DX=2 -bt fred"),
        Step("-Dx=1 -bt fred"),
        Step("-D=1 -bt fred"),
        Step("-DX_Y=a=b -bP primary_hostname"),
    ],
    # The queue
    "act-on-several": [WAITING, WAITING, Step("-Mrm {1} {9} {2}"), Step("-bpc")],
    "act-mixed-ids": [WAITING, Step("-Mf {1} x"), Step("-M x {1}"), Step("-bp")],
    "act-frozen": [WAITING, Step("-Mf {1}"), Step("-Mc {1}"), Step("-q"), Step("-Mg {1}"), Step("-bpc")],
    "act-with-recipients": [WAITING, Step("-M {1} fred"), Step("-Mar {1} fred"), Step("-M {1}"), Step("-bp")],
    "view": [QUEUED, Step("-Mvh x"), Step("-Mvb"), Step("-Mvc {1} {1}"), Step("-Mvl {1}")],
    "count": [Step("-bpc"), QUEUED, Step("-bpc"), Step("-bpc x"), Step("-bp -bpc")],
    "queue-regular": [
        QUEUED,
        Step("-Rr ^joe@"),
        Step("-Rr ["),
        Step("-Sr ^a@b"),
        Step("-Rrf nosuch"),
        Step("-Rffr defer.example$"),
    ],
    "queue-bad": [
        Step("-q 1"),
        Step("-qf x"),
        Step("-q1h -q"),
        Step("-qzz"),
        Step("-R"),
        Step("-q -bp"),
        Step("-q -bt x"),
    ],
    "queue-verbose": [WAITING, Step("-v -qf")],
    # Combinations
    "mixed-modes": [
        Step(words)
        for words in (
            "-bt -bv x",
            "-bd -bp",
            "-M x -Mf y",
            "-bs -q",
            "-t -bt x",
            "-bm -bs",
        )
    ],
    "daemon-bad": [
        Step("-bd -q -bp"),
        Step("-bdf x"),
        Step("-oX"),
        Step("-oP"),
        Step("-q10x"),
        Step("-bd -t"),
    ],
    "bad-about": [
        Step(f"-oM{letter}") for letter in ("a", "aa", "ai", "as", "i", "m", "r", "s", "t", "z", "")
    ],
    "bad-files": [Step("-C /nosuch -bt x")],
    # -G
    "suppress": [
        Step("-bs -G -odi", LETTER),
        Step("-bs -odi", LETTER),
        Step("-bS -G -odi", "MAIL FROM:<a@b.example>\nRCPT TO:<fred>\nDATA\nSubject: x\n\nb\n.\n"),
        Step("-G -odi fred", MAIL),
        Step("-bs -G -f a@b.example", LETTER),
        *(
            Step(f"-G {words}", LETTER, user="mail")
            for words in ("-bs", "fred", "-bt fred", "-be x", "-bp", "-bh 10.1.2.3")
        ),
    ],
    # Others than root
    **{
        f"ordinary-{name}": [Step(words, user="games")]
        for name, words in {
            "expand": "-be $primary_hostname",
            "print": "-bP primary_hostname",
            "route": "-bt fred",
            "verify": "-bv fred",
            "rewrite": "-brw a@b.example",
            "retry": "-brt a@b.example",
            "list": "-bp",
            "count": "-bpc",
            "run": "-q",
            "daemon": "-bd -oX 2599",
            "queue-daemon": "-q30m",
            "freeze": "-Mf {9}",
            "remove": "-Mrm {9}",
            "deliver": "-M {9}",
            "view": "-Mvh {9}",
            "newaliases": "-bi",
            "log-line": "-z x",
            "pid-file": "-oP x -bd",
        }.items()
    },
}
