"""A journal in memory, for tests and simulations: everything that was written, in lists."""

from __future__ import annotations

from pillarbox.ports.journal import Event


def one_line(line: str) -> str:
    """Newlines made visible: whoever speaks with us must not write lines of our log."""
    return line.replace("\n", "\\n").replace("\r", "\\r") if "\n" in line or "\r" in line else line


class MemoryJournal:
    """Lines as they were given, newlines made visible, without time stamps."""

    def __init__(self) -> None:
        self.main_lines: list[str] = []
        self.reject_lines: list[str] = []
        self.panic_lines: list[str] = []
        self.events: list[Event] = []
        self.message_lines: dict[str, list[str]] = {}
        self.debug_texts: dict[str, str] = {}

    def main(self, line: str) -> None:
        self.main_lines.append(one_line(line))

    def reject(self, line: str) -> None:
        self.reject_lines.append(one_line(line))

    def panic(self, line: str) -> None:
        self.main_lines.append(one_line(line))
        self.panic_lines.append(one_line(line))

    def panic_only(self, line: str) -> None:
        self.panic_lines.append(one_line(line))

    @property
    def panics(self) -> int:
        return len(self.panic_lines)

    def debug(self, tag: str, text: str | None) -> None:
        if text is None:
            self.debug_texts.pop(tag, None)
        else:
            self.debug_texts[tag] = self.debug_texts.get(tag, "") + text

    def event(self, event: Event) -> None:
        self.events.append(event)

    def message_done(self, message_id: str) -> None:
        pass

    def message(self, message_id: str, line: str) -> None:
        self.message_lines.setdefault(message_id, []).append(one_line(line))
