"""A model by its hub id: whether the hub can be asked at all, and what to say when it gives nothing."""

from __future__ import annotations

import contextlib
import os
import socket
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

#: The hub, unless ``HF_ENDPOINT`` names another.
_HUB = "https://huggingface.co"


@contextlib.contextmanager
def hub_or_cache(model: str) -> Iterator[None]:
    """While a hub id is loaded, let its libraries look in their cache alone if the hub has no address
    here. They would ask it again and again for a minute.
    """
    if Path(model).exists() or _is_known(_endpoint()):
        yield
        return
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


def why_not_loaded(model: str, error: BaseException) -> str:
    """Say why a model could not be loaded, and what to do about it; asked within :func:`hub_or_cache`."""
    if Path(model).exists():
        return type(error).__name__
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return "not in the hub's cache, and the hub cannot be reached from here"
    kinds = _kinds(error)
    if "GatedRepoError" in kinds:
        return (
            f"gated: accept its licence at {_endpoint()}/{model}, then 'hf auth login' or HF_TOKEN"
        )
    if "RepositoryNotFoundError" in kinds:
        return "the hub has no such model; a private one needs 'hf auth login' or HF_TOKEN"
    return "the hub cannot be reached, or there is no such model"


def _endpoint() -> str:
    return os.environ.get("HF_ENDPOINT", _HUB).rstrip("/")


def _is_known(endpoint: str) -> bool:
    """Return whether a host has an address here; behind a proxy only the proxy can tell."""
    host = urlsplit(endpoint).hostname
    if host is None or urllib.request.getproxies():
        return True
    try:
        socket.getaddrinfo(host, 443)
    except OSError:
        return False
    return True


def _kinds(error: BaseException) -> set[str]:
    """Return the names of the classes of an error and of those that it came from."""
    kinds = set()
    found: BaseException | None = error
    while found is not None:
        kinds.add(type(found).__name__)
        found = found.__cause__ or found.__context__
    return kinds
