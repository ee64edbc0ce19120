"""What an artefact was made from: it travels with every corpus, split, adapter, prediction file,
report and card.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, StrictBool

from dxtrace.errors import InputError, ModelError
from dxtrace.files import check, read_json

#: The file beside an artefact that says what it was made from.
PROVENANCE = "provenance.json"

#: The weights of an adapter.
WEIGHTS = "adapter_model.safetensors"

#: The key under which a GGUF file says it.
GGUF_PROVENANCE = "dxtrace.provenance"

#: Said of everything made from DiReCT, for ever. Source: PhysioNet, "Responsible use of MIMIC data
#: with online services" (24 September 2025) and the data use agreement's rule on derived work (24
#: April 2024).
CREDENTIALED_RULE = (
    "Made from PhysioNet credentialed data: derived datasets and models are to be treated as sensitive and may be "
    "shared only on PhysioNet under the same agreement; notes go to no third party, online service or API."
)

#: The licence of a corpus of the user's own, of which nothing says whose the notes are.
NO_LICENCE = "not stated"

#: The option that allows credentialed data to leave this machine; its help text quotes the rule.
SEND_FLAG = "--send-credentialed-data"


def version() -> str:
    """Return the version of the installed package; "0+source" when it runs from a source tree
    without installation.
    """
    try:
        return importlib.metadata.version("dxtrace")
    except importlib.metadata.PackageNotFoundError:
        return "0+source"


@dataclass(frozen=True)
class CorpusInfo:
    """A corpus: its name, id, hash over its cases, licence, and whether it falls under a
    credentialed-use agreement.
    """

    name: str
    id: str
    sha256: str
    licence: str
    credentialed: bool = False


@dataclass(frozen=True)
class Provenance:
    """Where an artefact comes from.

    ``credentialed`` never goes back to false when provenances are joined. ``weights_sha256`` ties the
    record to the weights of an adapter: beside others it proves nothing.
    """

    corpora: tuple[CorpusInfo, ...] = ()
    base_model: str | None = None
    base_sha256: str | None = None
    recipe: str | None = None
    seed: int | None = None
    version: str = field(default_factory=version)
    weights_sha256: str | None = None
    marked_credentialed: bool = False

    @property
    def credentialed(self) -> bool:
        """True if anything in it came from credentialed data."""
        return self.marked_credentialed or any(corpus.credentialed for corpus in self.corpora)

    def joined(self, other: Provenance) -> Provenance:
        """Return this provenance with the other's corpora, base model and mark added."""
        return replace(
            self,
            corpora=tuple(dict.fromkeys(self.corpora + other.corpora)),
            base_model=self.base_model or other.base_model,
            base_sha256=self.base_sha256 or other.base_sha256,
            recipe=self.recipe or other.recipe,
            marked_credentialed=self.credentialed or other.credentialed,
        )

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object; :meth:`from_json` reads it back."""
        data = asdict(self)
        del data["marked_credentialed"]
        data["corpora"] = [asdict(corpus) for corpus in self.corpora]
        data["credentialed"] = self.credentialed
        if self.credentialed:
            data["rule"] = CREDENTIALED_RULE
        return data | {"seal": _seal(data)}

    @classmethod
    def from_json(cls, data: Any, place: str = PROVENANCE) -> Provenance:
        """Read what :meth:`to_json` wrote; what does not say that it is open is credentialed.

        Raises:
            InputError: it is no record of a provenance; names ``place``.
        """
        record = check(_Record, data, place)
        return cls(
            corpora=record.corpora,
            base_model=record.base_model,
            base_sha256=record.base_sha256,
            recipe=record.recipe,
            seed=record.seed,
            version=record.version,
            weights_sha256=record.weights_sha256,
            marked_credentialed=record.credentialed or record.seal != _seal(data),
        )


def _seal(data: Mapping[str, Any]) -> str:
    """Return a hash over a record, which tells that it was edited by hand; it is no signature."""
    rest = {}
    for key, value in data.items():
        if key != "seal":
            rest[key] = value
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


class _Record(BaseModel):
    """The JSON form of a provenance."""

    corpora: tuple[CorpusInfo, ...] = ()
    base_model: str | None = None
    base_sha256: str | None = None
    recipe: str | None = None
    seed: int | None = None
    version: str = ""
    weights_sha256: str | None = None
    credentialed: StrictBool = True
    seal: str = ""


def read_provenance(folder: Path) -> Provenance:
    """Return what the artefact in a folder was made from.

    Without a record that can be read, that is as it was written, and that speaks of the weights
    beside it, it counts as made from credentialed data.
    """
    file, weights = folder / PROVENANCE, folder / WEIGHTS
    try:
        found = Provenance.from_json(read_json(file), str(file))
    except InputError:
        return Provenance(marked_credentialed=True)
    if weights.is_file() and found.weights_sha256 != sha256_of(weights):
        return replace(found, marked_credentialed=True)
    return found


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, as hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def adapter_sha256(folder: Path) -> str:
    """Return the SHA-256 of an adapter: of its weights and of their configuration, which scales
    them.

    Raises:
        ModelError: a file is missing or cannot be read.
    """
    whole = hashlib.sha256()
    for name in ("adapter_model.safetensors", "adapter_config.json"):
        try:
            whole.update(sha256_of(folder / name).encode())
        except OSError as error:
            raise ModelError(f"{folder / name}: cannot be read ({error.strerror})") from None
    return whole.hexdigest()
