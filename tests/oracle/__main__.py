"""`make oracle`: every hand-written string and many generated ones, through the real Exim and through Pillarbox.

    python -m tests.oracle [--count N] [--seed S] [--only FAMILY]

Prints the differences that nobody has explained; exits with 1 when there are any.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.oracle import families
from tests.oracle.explained import unexplained
from tests.oracle.generate import CONFIGURATION, FILES, MESSAGE, Grammar
from tests.oracle.real_exim import MISSING, find_exim

BATCH = 500


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.oracle", description=__doc__)
    parser.add_argument("--count", type=int, default=20_000, help="generated strings (20000)")
    parser.add_argument("--seed", type=int, default=1, help="of the first batch (1)")
    parser.add_argument("--generated", action="store_true", help="only generated strings")
    parser.add_argument("--only", default="", help="one family of hand-written strings")
    arguments = parser.parse_args()
    exim = find_exim()
    if exim is None:
        print(MISSING, file=sys.stderr)
        return 3
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        different = 0 if arguments.generated else _written(exim, Path(folder), arguments.only)
        if not arguments.only:
            different += _generated(exim, Path(folder), arguments.count, arguments.seed)
    print(f"{different} unexplained differences")
    return 1 if different else 0


def _written(exim: str, folder: Path, only: str) -> int:
    total = different = 0
    for name in families.names():
        if only and name != only:
            continue
        family = families.prepare(name, folder / name)
        found = families.differences(exim, family)
        total += len(family.cases)
        different += len(found)
        print("\n".join(found), end="\n" if found else "")
    print(f"{total} hand-written strings, {different} unexplained differences", flush=True)
    return different


def _generated(exim: str, folder: Path, count: int, seed: int) -> int:
    different = 0
    for number in range(0, count, BATCH):
        family = generated_family(seed + number // BATCH, min(BATCH, count - number), folder / f"g{number}")
        found = generated_differences(exim, family)
        different += len(found)
        print("\n".join(found), end="\n" if found else "", flush=True)
    print(f"{count} generated strings (seed {seed}), {different} unexplained differences", flush=True)
    return different


def generated_differences(exim: str, family: families.Family) -> list[str]:
    strings = [case.text for case in family.cases]
    mine = families.separate_answers(families.OURS, family, strings)
    theirs = families.separate_answers(exim, family, strings)
    compared = zip(strings, mine, theirs, strict=True)
    found = [(text, our, their) for text, our, their in compared if our != their]
    return [
        f"{family.name}: {text}\n  ours:   {our!r}\n  theirs: {their!r}"
        for text, our, their in unexplained(
            found, lambda asked: families.separate_answers(exim, family, asked)
        )
    ]


def generated_family(seed: int, count: int, folder: Path) -> families.Family:
    """Strings of one seed, with the files they name."""
    families.write_configuration(folder, CONFIGURATION)
    if seed % 2:
        (folder / "message").write_text(MESSAGE, "latin-1")
    for name, text in FILES.items():
        (folder / name).write_text(text, "utf-8")
    texts = [text.replace("@DIR@", str(folder)) for text in Grammar(seed).strings(count)]
    return families.Family(
        f"generated-{seed}", tuple(families.Case(t, n, "") for n, t in enumerate(texts, 1)), folder
    )


if __name__ == "__main__":
    sys.exit(main())
