"""Configurations that are texts in a test."""

from __future__ import annotations

from pillarbox.config.build import AclCompiler, build
from pillarbox.config.dialects import parse
from pillarbox.config.model import Config
from pillarbox.config.reader import Reader


def load_text(text: str, *, name: str = "configuration", acl_compiler: AclCompiler | None = None) -> Config:
    """Raises ConfigError."""
    reader = Reader()
    raw = parse(reader.read_text(text, name), reader)
    return build(raw) if acl_compiler is None else build(raw, acl_compiler=acl_compiler)
