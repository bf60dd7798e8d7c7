"""What is found wrong while a configuration is built, told in the order in which Exim would come upon it: as the lines were read."""

from __future__ import annotations

from pillarbox.config.errors import NOWHERE, EarlyError, Position, Problem
from pillarbox.config.raw import Raw


class Findings:
    """Problems with the number of the line that they belong to."""

    def __init__(self, raw: Raw) -> None:
        self._raw = raw
        self._found: list[tuple[float, Problem]] = [(number, problem) for number, problem in raw.problems]
        self._places: dict[Position, tuple[int, Position]] | None = None

    def in_order(self) -> list[Problem]:
        return [problem for _, problem in sorted(self._found, key=lambda found: found[0])]

    def add(self, position: Position, text: str, reason: str, suggestion: str = "", exim: str = "") -> None:
        """For a line."""
        number, end = self._place(position)
        if not exim and end.line and end != position:
            exim = f" in line {end.line} of {end.file}:\n  {reason}"
        self._put(number, position, text, reason, suggestion, exim)

    def add_at_end(self, position: Position, reason: str, suggestion: str = "", heading: str = "") -> None:
        """For a driver or section as a whole, seen when its last line has been read. `heading`: ` for r1 router`."""
        number = self._end_of(position)
        self._put(number + 0.5, position, "", reason, suggestion, f"{heading}:\n  {reason}")

    def add_for_option(self, label: Position, error: EarlyError) -> None:
        """For the line of an option of the driver at `label`."""
        drivers = [*self._raw.routers, *self._raw.transports, *self._raw.authenticators]
        given = (option for driver in drivers if driver.position == label for option in driver.options)
        lines = (raw for raw in given if raw.name == error.option and error.within in (raw.value or ""))
        if (raw := next(lines, None)) is None:
            self.add_at_end(label, str(error))
        else:
            self.add(raw.position, raw.text, str(error))

    def add_last(
        self, position: Position, text: str, reason: str, suggestion: str = "", exim: str = ""
    ) -> None:
        """For what can be known only when everything has been read."""
        self._put(len(self._raw.lines) + 1, position, text, reason, suggestion, exim or f":\n  {reason}")

    def _put(
        self, number: float, position: Position, text: str, reason: str, suggestion: str, exim: str
    ) -> None:
        problem = Problem(position.file, position.line, text[:200], reason, suggestion, exim)
        self._found.append((number, problem))

    def _place(self, position: Position) -> tuple[int, Position]:
        if self._places is None:
            self._places = {
                line.position: (number, line.end) for number, line in enumerate(self._raw.lines, 1)
            }
        return self._places.get(position, (len(self._raw.lines), NOWHERE))

    def _end_of(self, label: Position) -> float:
        """The number of the last line of the section that the driver at `label` is in, or of the main section."""
        drivers = [*self._raw.routers, *self._raw.transports, *self._raw.authenticators]
        is_driver = any(driver.position == label for driver in drivers)
        start = self._place(label)[0] if is_driver else 0
        lines = enumerate(self._raw.lines)
        ends = (n for n, line in lines if n >= start and line.text[:6].lower() == "begin ")
        return next(ends, len(self._raw.lines))
