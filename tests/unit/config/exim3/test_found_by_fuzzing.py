"""What the long fuzzer has found: each was a traceback."""

from __future__ import annotations

import pytest
from tests.support.configuration_texts import load_text

from pillarbox.config.errors import ConfigError
from pillarbox.flow.settings import port_list

TEXT = """\
qualify_domain = mail.example.org
log_level = {}
end
end
end
end
end
end
"""


@pytest.mark.parametrize("level", ["\u00b24", "\u0664", "-1", ""])
def test_a_log_level_that_is_no_number(level: str) -> None:
    try:
        load_text(TEXT.format(level))
    except ConfigError as error:
        assert all(problem.line for problem in error.problems)


def test_a_port_of_superscripts() -> None:
    with pytest.raises(ValueError, match="is no port number or service name"):
        port_list("\u00b25")
