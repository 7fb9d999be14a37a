"""A model's chat template, with every part of a prompt kept apart from the template's own words."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import Any

from ponderank.errors import DataError, MissingExtra, RecipeError
from ponderank.types import Part, Prompt

_MARK = "\ue000{}\ue001"
"""Stands for a part while the template is rendered: private-use characters, which no template looks at."""
_MARKS = re.compile("\ue000(\\d+)\ue001")


@dataclass(frozen=True)
class ChatTemplate:
    """A template in Jinja, as transformers keeps it; ``names`` are the special tokens it may speak of (``bos_token`` …)."""

    source: str = ""
    names: tuple[tuple[str, str], ...] = ()

    @classmethod
    def load(cls, folder: Path) -> ChatTemplate:
        """The template in ``chat_template.jinja`` or ``tokenizer_config.json``; one without a source where there is none."""
        path = folder / "tokenizer_config.json"
        try:
            config: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.is_file() else {}
        except ValueError as error:
            raise DataError(f"not a JSON object: {error}", path=path) from error
        source = config.get("chat_template") or ""
        if isinstance(source, list):  # several by name
            source = next((one["template"] for one in source if one.get("name") == "default"), "")
        beside = folder / "chat_template.jinja"
        if beside.is_file():
            source = beside.read_text("utf-8")
        tokens = {key: config.get(key) for key in ("bos_token", "eos_token", "pad_token", "unk_token")}
        texts = {key: value.get("content") if isinstance(value, dict) else value for key, value in tokens.items()}
        return cls(str(source), tuple((key, value) for key, value in texts.items() if isinstance(value, str)))

    def render(self, prompt: Prompt) -> list[Part]:
        """The prompt in the template: the template's words as trusted parts, the prompt's parts as they are.

        Raises:
            RecipeError: the model has no chat template.
            MissingExtra: jinja2 is not installed.
        """
        if not self.source:
            raise RecipeError(
                "the recipe asks in a chat, and this model's folder has no chat template; use an instruct model"
            )
        turns = [(role, list(parts)) for role, parts in groupby(enumerate(prompt), key=lambda item: item[1].role)]
        messages = [{"role": role, "content": "".join(_MARK.format(i) for i, _ in parts)} for role, parts in turns]
        opened = messages[-1]["role"] == "assistant"
        text = self._template.render(
            messages=messages[:-1] if opened else messages, add_generation_prompt=True, **dict(self.names)
        )
        text += messages[-1]["content"] if opened else ""
        return _parts(text, prompt)

    @cached_property
    def _template(self) -> Any:
        try:
            from jinja2.sandbox import ImmutableSandboxedEnvironment
        except ImportError as error:
            raise MissingExtra("torch", "a chat template") from error

        def refuse(message: str) -> None:
            raise RecipeError(f"the model's chat template refuses this prompt: {message}")

        world = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
        )
        world.globals["raise_exception"] = refuse
        return world.from_string(self.source)


def _parts(rendered: str, prompt: Prompt) -> list[Part]:
    pieces: Sequence[str] = _MARKS.split(rendered)
    parts = []
    for at, piece in enumerate(pieces):
        if at % 2:
            parts.append(replace(prompt[int(piece)], role=""))
        elif piece:
            parts.append(Part(piece, trusted=True))
    return parts
