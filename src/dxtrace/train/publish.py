"""Sharing an adapter on the Hugging Face hub, and refusing what may not be shared there."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

from dxtrace.errors import InputError, MissingExtra, ModelError
from dxtrace.files import read_json
from dxtrace.models.lora import adapter_folder
from dxtrace.provenance import (
    CREDENTIALED_RULE,
    NO_LICENCE,
    PROVENANCE,
    WEIGHTS,
    Provenance,
    sha256_of,
)

#: Where the rule stands.
RULE_SOURCE = (
    'PhysioNet, "Responsible use of MIMIC data with online services", 24 September 2025; PhysioNet Credentialed Health '
    "Data Use Agreement 1.5.0"
)

_SHARED = (
    "adapter_model.safetensors",
    "adapter_config.json",
    "README.md",
    "provenance.json",
    "calibration.json",
    "loss.png",
)


def check_publishable(folder: Path) -> list[Path]:
    """Return the files of an adapter that would be shared.

    Raises:
        InputError: it is no adapter, has no provenance or card, was made from credentialed data (quotes
        the rule) or from what cannot show that it is open, or a file is a link.
    """
    folder = adapter_folder(folder)
    if not (folder / WEIGHTS).is_file():
        raise InputError(f"{folder}: not an adapter (no {WEIGHTS} in it)")
    file = folder / PROVENANCE
    if not file.is_file():
        raise InputError(
            f"{folder}: has no provenance.json; what it was made from must be known before it is shared",
        )
    provenance = Provenance.from_json(read_json(file), str(file))
    if provenance.weights_sha256 != sha256_of(folder / WEIGHTS):
        raise InputError(
            f"{folder}: not shared: its provenance.json does not speak of these weights, so that they count "
            f"as made from credentialed data. {CREDENTIALED_RULE} ({RULE_SOURCE})",
        )
    if provenance.credentialed:
        raise InputError(f"{folder}: not shared. {CREDENTIALED_RULE} ({RULE_SOURCE})")
    if not provenance.corpora:
        raise InputError(
            f"{folder}: its provenance names no corpus; what it was made from must be known before it is shared",
        )
    for corpus in provenance.corpora:
        if corpus.licence == NO_LICENCE:
            raise InputError(
                f"{folder}: not shared: the corpus {corpus.name!r} states no licence, so that nothing shows "
                f"that it is open; what cannot show it counts as made from credentialed data ({RULE_SOURCE})"
            )
    base = provenance.base_model or ""
    if Path(base).exists() or not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", base):
        raise InputError(
            f"{folder}: its base model was a file of your own, of unknown origin; train on one of the hub, by its id",
        )
    if not (folder / "README.md").is_file():
        raise InputError(f"{folder}: has no card (README.md); 'dxtrace card RUN' writes one")
    publishable = []
    for name in _SHARED:
        if (folder / name).is_symlink():
            raise InputError(f"{folder / name}: a link is not shared; put the file itself there")
        if (folder / name).is_file():
            publishable.append(folder / name)
    return publishable


def check_place(to: str) -> None:
    """Check that a place on the hub is ``owner/name``.

    Raises:
        InputError: it is not.
    """
    if to.count("/") != 1 or not all(to.split("/")):
        raise InputError(f"{to[:80]!r}: a place on the hub is owner/name")


def publish(folder: Path, to: str, private: bool = True) -> str:
    """Put an adapter on the hub and return its address.

    Args:
        folder: the adapter, or the run that made it.
        to: ``owner/name``.
        private: only the owner sees it.

    Raises:
        InputError: as :func:`check_publishable`. MissingExtra: huggingface_hub is not installed.
        ModelError: the hub refused; says why.
    """
    files = check_publishable(folder)
    check_place(to)
    if importlib.util.find_spec("huggingface_hub") is None:
        raise MissingExtra("publishing (huggingface_hub)", "train")
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError

    api = HfApi()
    try:
        api.create_repo(to, private=private, exist_ok=True)
        api.upload_folder(
            repo_id=to,
            folder_path=str(files[0].parent),
            allow_patterns=[file.name for file in files],
            commit_message="Add the adapter, its card and its provenance",
        )
    except LocalTokenNotFoundError:
        raise ModelError(
            "the hub knows no one here: run 'hf auth login', or set HF_TOKEN",
        ) from None
    except HfHubHTTPError as error:
        if error.response is not None:
            code = error.response.status_code
        else:
            code = "no"
        why: dict[Any, str] = {
            401: "the key is wrong: run 'hf auth login'",
            403: f"the key may not write to {to}",
        }
        raise ModelError(
            f"the hub refused ({code}): {why.get(code, 'see the status of the hub')}",
        ) from None
    except Exception as error:
        # What cannot be reached is an error of httpx or of requests, as the hub's client is new or old.
        if not isinstance(error, OSError) and type(error).__module__.split(".")[0] != "httpx":
            raise
        raise ModelError(
            f"the hub cannot be reached ({type(error).__name__}); nothing was shared",
        ) from None
    return f"https://huggingface.co/{to}"
