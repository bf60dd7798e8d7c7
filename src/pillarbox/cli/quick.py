"""Quick starts: a question is answered sooner than everything that a server needs can be imported.

What is delayed is loaded when first used, so nothing behaves differently. `importlib.util.LazyLoader` does not serve: a second
`import` of a module that it holds back loads it.
"""

from __future__ import annotations

import gc
import importlib
import importlib.util
import sys
from types import ModuleType
from typing import Any

DELAYED = ("asyncio", "ssl", "inspect")
"""Modules that nearly everything imports and that a question hardly ever uses."""


class LateModule(ModuleType):
    """Stands in `sys.modules` until somebody asks it for anything; from then on it has all that the real one has."""

    def __getattr__(self, name: str) -> Any:
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        real = importlib.import_module(self.__name__)
        vars(self).update(vars(real))
        return getattr(real, name)


def delay_imports() -> None:
    """To be called before anything else of Pillarbox is imported."""
    gc.set_threshold(100_000)
    for name in DELAYED:
        if name not in sys.modules:
            late = LateModule(name)
            late.__spec__ = importlib.util.find_spec(name)
            sys.modules[name] = late


def import_msgspec() -> None:
    """Before anything else does: without typing_extensions, of which it takes one name that `typing` has too, but which is slow to import."""
    if "msgspec" in sys.modules or "typing_extensions" in sys.modules:
        return
    sys.modules["typing_extensions"] = None  # type: ignore[assignment]
    try:
        importlib.import_module("msgspec")
    finally:
        del sys.modules["typing_extensions"]
