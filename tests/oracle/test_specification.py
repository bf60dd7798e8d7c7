"""Every example of Exim's specification, wherever it could stand in a configuration: what the real one takes and refuses, and in which words.

`make test` tries one in thirty; PILLARBOX_LONG=1 all.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from tests.oracle.real_exim import MISSING, find_exim
from tests.oracle.specification import configurations, examples
from tests.oracle.test_small_configurations import Answer, answer_of

from pillarbox.app.asking.printing import print_configuration

pytestmark = pytest.mark.oracle

_STEP = 1 if os.environ.get("PILLARBOX_LONG") else 30
_HEAD = "keep_environment =\nqualify_domain = q.test\nprimary_hostname = h.test\n"
_OTHERWISE = {
    'unknown lookup type "whoson"': "lookup-types",
    'unknown lookup type "lseach"': "checked-at-load",
    'unknown variable name "host_name"': "checked-at-load",
    'condition name expected, but found ""': "checked-at-load",
    'option "translate_ip_address" unknown': "shown-options",
    'cannot find auth driver "gsasl"': "shown-options",
}
"""What one of the two says → the section of docs/exim-compatibility.md."""


def test_takes_what_the_specification_shows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exim = find_exim()
    if exim is None or not examples():
        pytest.skip(MISSING)
    tmp_path.chmod(0o755)
    file = tmp_path / "c.conf"
    different = []
    for example in examples()[::_STEP]:
        for place, text in configurations(example).items():
            file.write_text(f"{_HEAD}spool_directory = {tmp_path}\nlog_file_path = {tmp_path}/%slog\n{text}")
            theirs = ask(exim, file)
            ours = answer_of(print_configuration(file, ("qualify_domain",)), *capsys.readouterr())
            said = theirs.error + ours.error
            if theirs != ours and not any(words in said for words in _OTHERWISE):
                different.append(f"line {example.line} in {place}:\n{example.text}\n{theirs}\n{ours}")
    assert not different, "\n\n".join(different)


def ask(exim: str, file: Path) -> Answer:
    words = [exim, "-C", str(file), "-bP", "qualify_domain"]
    run = subprocess.run(words, capture_output=True, check=False, timeout=20)
    return answer_of(run.returncode, run.stdout.decode(), run.stderr.decode())
