import platform
import socket

import pytest

from pillarbox.config import machine_name as module
from pillarbox.config.machine_name import machine_name


@pytest.fixture(autouse=True)
def _forget():
    module._full.cache_clear()
    yield
    module._full.cache_clear()


def named(monkeypatch, name, answers):
    asked = []

    def find(name, port, family, *rest):
        asked.append((name, family))
        if isinstance(answers.get(family), Exception):
            raise answers[family]
        return [(family, 1, 6, answers[family], ("::1", 0))]

    monkeypatch.setattr(platform, "node", lambda: name)
    monkeypatch.setattr(socket, "getaddrinfo", find)
    return asked


def test_a_full_name_is_taken_as_it_is(monkeypatch):
    asked = named(monkeypatch, "mx.example.com", {})
    assert machine_name() == "mx.example.com" and asked == []


def test_a_single_word_is_completed_by_ipv6_first_and_asked_for_once(monkeypatch):
    asked = named(monkeypatch, "mx", {socket.AF_INET6: "mx.example.com"})
    assert machine_name() == machine_name() == "mx.example.com"
    assert asked == [("mx", socket.AF_INET6)]


@pytest.mark.parametrize("trouble", [socket.gaierror(-2, "unknown"), UnicodeError("label too long")])
def test_what_nobody_knows_stays(monkeypatch, trouble):
    named(monkeypatch, "mx", {socket.AF_INET6: trouble, socket.AF_INET: trouble})
    assert machine_name() == "mx"


def test_then_by_ipv4(monkeypatch):
    unknown = socket.gaierror(-2, "unknown")
    named(monkeypatch, "mx", {socket.AF_INET6: unknown, socket.AF_INET: "mx.example.org"})
    assert machine_name() == "mx.example.org"
