"""What filters set: `$n0` to `$n9`, `$thisaddress`, and the system filter's numbers for users' filters, `$sn0` to `$sn9` (filter.txt 3.6)."""

from __future__ import annotations

from pillarbox.language.expand.registry import variable
from pillarbox.language.expand.taint import Tainted

NUMBERS = 10


class FilterState:
    """Facet while a filter runs, and for whoever comes after the system filter."""

    __slots__ = ("numbers", "recipients", "system_numbers", "this_address")

    def __init__(self, system_numbers: tuple[int, ...] = (0,) * NUMBERS) -> None:
        self.numbers = [0] * NUMBERS
        self.system_numbers = system_numbers
        self.this_address = ""
        self.recipients: tuple[str, ...] = ()


def _declare(index: int) -> None:
    @variable(
        f"n{index}", FilterState, doc="Number that a filter's add command changes.", tainted=False, rank=10
    )
    def number(state: FilterState) -> str:
        return str(state.numbers[index])

    @variable(f"sn{index}", FilterState, doc="Number that the system filter left.", tainted=False, rank=10)
    def system_number(state: FilterState) -> str:
        return str(state.system_numbers[index])


for _index in range(NUMBERS):
    _declare(_index)


@variable("thisaddress", FilterState, doc="The address that foranyaddress is at.", tainted=False, rank=10)
def this_address(state: FilterState) -> str:
    """As tainted as the list it is taken from."""
    return state.this_address


@variable("recipients", FilterState, doc="The envelope's recipients, in a system filter.", rank=10)
def recipients(state: FilterState) -> str:
    return ", ".join(state.recipients)


def tainted_like(text: str, source: str) -> str:
    return Tainted(text) if isinstance(source, Tainted) else text
