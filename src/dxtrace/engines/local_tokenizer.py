"""Tokenizers in this process: of the default engine, and of a model that a server runs and does not
lend, with what a prompt needs besides.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dxtrace.engines.base import PromptPart
from dxtrace.engines.hub import hub_or_cache, why_not_loaded
from dxtrace.errors import ModelError
from dxtrace.notes.prompt import with_start_token

#: In the order in which a chat template is looked for; only the first file must be there.
_FILES = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja")


class FastTokenizer:
    """A ``tokenizer.json``. Control tokens spelled in a note stay plain text."""

    def __init__(self, file: Path) -> None:
        """Read it.

        Raises:
            Exception: it cannot be read; the library raises no other kind.
        """
        from tokenizers import Tokenizer

        self.inner = Tokenizer.from_file(str(file))
        self.inner.encode_special_tokens = True
        #: The ids of the control tokens by their text.
        self.control: dict[str, int] = {}
        for index, token in self.inner.get_added_tokens_decoder().items():
            if token.special:
                self.control[token.content] = index

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the token ids of each text; control tokens spelled in it stay text."""
        return [self.inner.encode(text, add_special_tokens=False).ids for text in texts]

    def encode_prompt(self, parts: Sequence[PromptPart]) -> list[int]:
        """Return the ids of a prompt; control tokens are recognised in the parts marked True."""
        ids: list[int] = []
        for text, special in parts:
            pieces = [text]
            if special and self.control:
                pieces = self._split(text)
            for piece in pieces:
                if special and piece in self.control:
                    ids.append(self.control[piece])
                else:
                    ids += self.encode([piece])[0]
        return ids

    def _split(self, text: str) -> list[str]:
        """Cut a text before and after each control token."""
        # Longest first: one control token may begin with another.
        names = sorted(self.control, key=len, reverse=True)
        return re.split(f"({'|'.join(map(re.escape, names))})", text)


class LocalTokenizer(FastTokenizer):
    """The tokenizer of a folder or a hub id, with its chat template and end token."""

    def __init__(self, source: str) -> None:
        """Read it.

        Args:
            source: a folder with ``tokenizer.json``, or a hub id.

        Raises:
            ModelError: it cannot be read; names the source.
        """
        folder = Path(source).expanduser()
        if not folder.is_dir():
            folder = _fetched(source)
        try:
            super().__init__(folder / _FILES[0])
            config = _read_config(folder / _FILES[1])
            template = _read_template(folder / _FILES[2], config)
        except Exception as error:  # tokenizers raises plain exceptions
            raise ModelError(
                f"{source}: holds no tokenizer that can be read ({type(error).__name__})",
            ) from None
        self.chat_template = with_start_token(template, _spelling(config.get("bos_token")))
        end = self.control.get(_spelling(config.get("eos_token")) or "")
        self.end_tokens: tuple[int, ...] = ()
        if end is not None:
            self.end_tokens = (end,)


def _fetched(source: str) -> Path:
    """Return the folder of the files of a hub id, from the hub's cache or the hub."""
    from huggingface_hub import snapshot_download

    with hub_or_cache(source):
        try:
            return Path(snapshot_download(source, allow_patterns=list(_FILES)))
        except Exception as error:  # a hub that cannot be reached, no such model, no hub id
            raise ModelError(
                f"{source}: its tokenizer cannot be loaded ({why_not_loaded(source, error)}); "
                "name the model's folder with --model",
            ) from None


def _read_config(file: Path) -> Mapping[str, Any]:
    if not file.is_file():
        return {}
    config: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return config


def _read_template(file: Path, config: Mapping[str, Any]) -> str | None:
    if file.is_file():
        return file.read_text("utf-8")
    template = config.get("chat_template")
    if isinstance(template, list):
        named = {}
        for entry in template:
            named[entry["name"]] = entry["template"]
        template = named.get("default")
    return template


def _spelling(token: Any) -> str | None:
    """Return a token's text, which a configuration gives as it is or with its properties."""
    if isinstance(token, dict):
        token = token.get("content")
    if token:
        return str(token)
    return None
