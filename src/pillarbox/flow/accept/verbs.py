"""Which function decides about which thing that a client can say: each file of `smtp/` registers its own."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Awaitable, Callable
from functools import cache
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from pillarbox.flow.accept.session import Session

E = TypeVar("E")

HANDLERS: dict[type, Callable[[Session, object], Awaitable[None]]] = {}


def verb(event: type[E]) -> Callable[[Callable[[Session, E], Awaitable[None]]], object]:
    """Register what is done when the client says this."""

    def register(handle: Callable[[Session, E], Awaitable[None]]) -> object:
        HANDLERS[event] = handle  # type: ignore[assignment]
        return handle

    return register


@cache
def load_verbs() -> None:
    """Import every file of smtp/."""
    package = importlib.import_module("pillarbox.flow.accept.smtp")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")
