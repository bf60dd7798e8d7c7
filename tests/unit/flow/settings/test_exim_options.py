"""Our declarations against what the real Exim knows: names and defaults, which are facts, in exim_names.txt and exim_bp.txt."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.configuration_texts import load_text

from pillarbox.app.configuration import declare_all
from pillarbox.config.declare import Driver, main_options
from pillarbox.config.model import Config
from pillarbox.config.show import show_drivers, show_main

HERE = Path(__file__).parent
FAMILIES = ("router", "transport", "authenticator")


@pytest.fixture(scope="module")
def config() -> Config:
    declare_all()
    return load_text((HERE / "one_of_each.conf").read_text("utf-8"))


def _facts() -> dict[str, list[str]]:
    """Section → lines."""
    sections: dict[str, list[str]] = {}
    current: list[str] = []
    for line in (HERE / "exim_bp.txt").read_text("utf-8").splitlines():
        if line.startswith("["):
            current = sections.setdefault(line[1:-1], [])
        elif not line.startswith("#"):
            current.append(line)
    return sections


FACTS = _facts()


def _name(line: str) -> str:
    return line.split(" =")[0].removeprefix("no_")


def test_main_options_have_exims_defaults(config: Config) -> None:
    ours = {_name(line): line for line in show_main(config)}
    assert [(ours.get(_name(line)), line) for line in FACTS["main"] if ours.get(_name(line)) != line] == []


@pytest.mark.parametrize("family", FAMILIES)
def test_drivers_have_exims_options_defaults_and_order(config: Config, family: str) -> None:
    shown: dict[str, list[str]] = {}
    for line in show_drivers(config, family):
        if line.endswith(":"):
            lines = shown.setdefault(line[:-1], [])
        elif line:
            lines.append(line)
    for section, wanted in FACTS.items():
        if section.endswith(f" {family}"):
            known = {_name(line) for line in wanted}
            assert [line for line in shown[section] if _name(line) in known] == wanted, section


def test_every_option_of_exim_is_declared() -> None:
    declare_all()
    known = {f"main {name}" for name in main_options()}
    for family in FAMILIES:
        base = Driver.families[family]
        known |= {f"{family}s {name}" for name in [*base.options(), "driver"]}
        for name, driver in base.registry.items():
            known |= {f"{family} {name} {option}" for option in driver.options()}
    lines = (HERE / "exim_names.txt").read_text("utf-8").splitlines()
    assert [line for line in lines if not line.startswith("#") and line not in known] == []


def test_annotations_and_defaults_can_be_read() -> None:
    """They are read late: here all of them are."""
    declare_all()
    classes = [settings for settings, _ in main_options().values()]
    for family in FAMILIES:
        classes += Driver.families[family].registry.values()  # type: ignore[arg-type]
    for declared in dict.fromkeys(classes):
        for name, option in declared.options().items():
            assert option.kind.word, name
            assert option.doc, name
            if not option.must_be_given and (value := option.default_value()) is not None:
                assert isinstance(option.kind.show(value), str), name
