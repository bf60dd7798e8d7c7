"""Files from a package index with nothing but Python's standard library, each checked against a pinned SHA-256.

For tools/bootstrap and tools/samples, which run before there is an environment (and where pip may not be installed).
UV_DEFAULT_INDEX, UV_INDEX_URL, PIP_INDEX_URL and the proxy variables are honoured.
"""

import hashlib
import json
import os
import re
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent.parent
ATTEMPTS = 4
"""An index that fails once is asked again, after 1, 2 and 4 seconds."""


class IndexFile(NamedTuple):
    """One file of a package, as the index's simple API (PEP 691) names it."""

    name: str
    url: str


def index_url() -> str:
    """The index that the environment names, else the one that uv.lock was made with."""
    for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL"):
        if os.environ.get(name):
            return os.environ[name].rstrip("/")
    found = re.search(r'registry = "([^"]+)"', (HERE / "uv.lock").read_text())
    if found is None:
        sys.exit("no package index: uv.lock names none; set UV_INDEX_URL")
    return found.group(1).rstrip("/")


def files_of(package: str) -> list[IndexFile]:
    """What the index has of `package`, a name as PEP 503 normalizes it."""
    url = f"{index_url()}/{package}/"
    listed = json.loads(read(url, "application/vnd.pypi.simple.v1+json"))
    return [IndexFile(each["filename"], urllib.parse.urljoin(url, each["url"])) for each in listed["files"]]


def fetch(package: str, is_wanted: Callable[[str], bool], pinned: dict[str, str]) -> bytes | None:
    """The first file of `package` whose name `is_wanted`, None if there is none. Ends the program where its SHA-256 is not `pinned[name]`."""
    found = next((each for each in files_of(package) if is_wanted(each.name)), None)
    if found is None:
        return None
    data = read(found.url)
    digest = hashlib.sha256(data).hexdigest()
    if pinned.get(found.name) != digest:
        sys.exit(f"{found.name} has SHA-256 {digest}, which is not the one that is pinned")
    return data


def read(url: str, accept: str = "*/*") -> bytes:
    """The body behind `url`; ends the program with the last error when every attempt failed."""
    request = urllib.request.Request(url, headers={"Accept": accept})
    for attempt in range(ATTEMPTS):
        try:
            with urllib.request.urlopen(request, timeout=600) as answer:
                return bytes(answer.read())
        except urllib.error.HTTPError as error:
            if error.code < 500 or attempt == ATTEMPTS - 1:
                sys.exit(f"{url}: {error}")
        except OSError as error:
            if attempt == ATTEMPTS - 1:
                sys.exit(f"{url}: {error}")
        time.sleep(2**attempt)
    raise AssertionError("the last attempt returns or exits")
