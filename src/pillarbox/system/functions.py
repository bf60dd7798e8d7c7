"""The administrator's Python functions (`python_modules`), called in a thread.

A file is read when its first function is called. A function gets strings and gives one, or None; whatever it raises is told with the
place in the administrator's file.
"""

from __future__ import annotations

import asyncio
import importlib.util
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from pillarbox.ports.functions import FunctionFailed


class PythonFunctions:
    """`files`: `/etc/pillarbox/functions.py` gives the module `functions`."""

    def __init__(self, files: Sequence[str]) -> None:
        self._files = {Path(file).stem: file for file in files}
        self._loaded: dict[str, ModuleType] = {}

    async def call(self, name: str, arguments: tuple[str, ...]) -> str | None:
        return await asyncio.to_thread(self._call, name, arguments)

    def _call(self, name: str, arguments: tuple[str, ...]) -> str | None:
        module, _, function = name.partition(".")
        if not function or module not in self._files:
            raise FunctionFailed(
                f'no file "{module}.py" in python_modules' if function else f'"{name}" is not module.function'
            )
        found = getattr(self._module(module), function, None)
        if not callable(found) or function.startswith("_"):
            raise FunctionFailed(f'no function "{function}" in {self._files[module]}')
        try:
            value = found(*arguments)
        except Exception as error:
            raise FunctionFailed(self._told(module, error)) from None
        if value is not None and not isinstance(value, str):
            raise FunctionFailed(f"{name} gave {type(value).__name__}, not a string")
        return value

    def _module(self, name: str) -> ModuleType:
        if name not in self._loaded:
            file = self._files[name]
            spec = importlib.util.spec_from_file_location(f"pillarbox_functions_{name}", file)
            if spec is None or spec.loader is None:
                raise FunctionFailed(f"{file} is no Python file")
            module = importlib.util.module_from_spec(spec)
            try:
                spec.loader.exec_module(module)
            except Exception as error:
                raise FunctionFailed(self._told(name, error)) from None
            self._loaded[name] = module
        return self._loaded[name]

    def _told(self, module: str, error: Exception) -> str:
        file = self._files[module]
        lines = [
            frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file
        ]
        return f"{file}:{lines[-1] if lines else 0}: {type(error).__name__}: {error}"
