"""A model by its hub id where the hub cannot be asked, or gives nothing."""

from __future__ import annotations

import socket
import time
import urllib.request
from typing import Any

import pytest

from dxtrace.engines.hub import hub_or_cache, why_not_loaded
from dxtrace.errors import ModelError

constants = pytest.importorskip("huggingface_hub.constants")

GATED = "meta-llama/Llama-3.2-3B-Instruct"


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> None:
    """No name has an address, as without a network."""

    def unknown(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(urllib.request, "getproxies", dict)
    monkeypatch.setattr(socket, "getaddrinfo", unknown)


@pytest.mark.slow
@pytest.mark.usefixtures("away")
def test_without_a_network_a_hub_id_is_refused_at_once() -> None:
    pytest.importorskip("transformers", reason="needs the extra 'hf'")
    from dxtrace.train.examples import load_tokenizer

    begun = time.monotonic()
    with pytest.raises(ModelError, match="hub cannot be reached from here") as caught:
        load_tokenizer(GATED)
    assert time.monotonic() - begun < 30
    assert str(caught.value).startswith(f"{GATED}: ")


@pytest.mark.usefixtures("away")
def test_the_hub_is_asked_again_once_it_can_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    before = constants.HF_HUB_OFFLINE
    with hub_or_cache(GATED):
        assert constants.HF_HUB_OFFLINE is True
    assert before == constants.HF_HUB_OFFLINE
    monkeypatch.setattr(urllib.request, "getproxies", lambda: {"https": "http://proxy:3128"})
    with hub_or_cache(GATED):
        assert before == constants.HF_HUB_OFFLINE


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("GatedRepoError", f"accept its licence at https://huggingface.co/{GATED}"),
        ("RepositoryNotFoundError", "no such model"),
        ("ConnectError", "cannot be reached"),
    ],
)
def test_what_the_hub_refused_is_said_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    says: str,
) -> None:
    """Transformers wraps what the hub's client raised."""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    cause = type(kind, (Exception,), {})()
    wrapped = OSError("You are trying to access a gated repo.")
    wrapped.__cause__ = cause
    assert says in why_not_loaded(GATED, wrapped)
