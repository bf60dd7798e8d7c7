"""json: an element of a JSON file, named by a list of selectors (Exim 9.3.7).

A number selects from an array, a name from an object; a string comes without its quotes, anything else as JSON text. The file is
parsed once and kept. Debian's Exim is built without this type: it follows the specification.
"""

from __future__ import annotations

import json

from pillarbox.backends.lookups.driver import LookupWorld, SingleKey
from pillarbox.backends.lookups.files.kept import KeptFiles, read_text
from pillarbox.backends.lookups.servers.listing import split_list
from pillarbox.ports.lookups import LookupDefer

Value = dict[str, "Value"] | list["Value"] | str | int | float | bool | None


class Json(SingleKey):
    """Implements `ports.lookups.Lookup`."""

    def __init__(self, world: LookupWorld) -> None:
        self._files: KeptFiles[Value] = KeptFiles(
            world.clock,
            _parse,
            irregular="{source} is not a regular file (json lookup)",
            purpose="for json search",
            limit=world.settings.lookup_open_max,
        )

    def find_now(self, key: str, source: str, options: tuple[str, ...] = ()) -> str | None:
        return _selected(self._files.now(source), key)

    async def find(self, key: str, source: str, options: tuple[str, ...] = ()) -> str | None:
        return _selected(await self._files.get(source), key)


def make(kind: str, world: LookupWorld) -> Json:
    return Json(world)


def _parse(descriptor: int, source: str) -> Value:
    try:
        value: Value = json.loads(read_text(descriptor, source))
    except (ValueError, RecursionError) as error:
        raise LookupDefer(f"JSON parse error in {source}: {error}") from None
    return value


def _selected(value: Value, key: str) -> str | None:
    for selector in split_list(key):
        if isinstance(value, list) and selector.isascii() and selector.isdigit():
            if int(selector[:9]) >= len(value):
                return None
            value = value[int(selector[:9])]
        elif isinstance(value, dict) and selector in value:
            value = value[selector]
        else:
            return None
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
