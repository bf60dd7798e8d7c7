"""A misspelt `driver` is told with its line, as is a main option whose `=` is missing."""

from pathlib import Path

import pytest

from pillarbox.app.configuration import load_config
from pillarbox.config.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        (
            "begin routers\none:\n  domains = a.test\n  drvier = accept\n",
            4,
            'option "drvier" unknown ("driver" must be specified before any private options)',
        ),
        ("begin routers\none:\n  domains = a.test\n", 2, 'no driver defined for router "one"'),
        ("log_selector   +all\n", 1, 'missing "=" after log_selector'),
    ],
)
def test_is_told_with_its_line(tmp_path: Path, text: str, line: int, said: str) -> None:
    file = tmp_path / "exim.conf"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_config(file)
    problem = caught.value.problems[0]
    assert (problem.line, problem.reason) == (line, said)
