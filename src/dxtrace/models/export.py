"""An adapter in the forms that other programs read: LoRA-GGUF, merged GGUF, merged Hugging Face
folder, Ollama.
"""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, PositiveInt

from dxtrace.answering.calibration import CALIBRATION, GGUF_CALIBRATION
from dxtrace.errors import MissingExtra, ModelError, NotAModelError, UnknownName
from dxtrace.files import (
    atomic_write,
    check,
    gguf_content,
    named_path,
    open_gguf,
    read_json,
    whole_folder,
)
from dxtrace.models import store
from dxtrace.models.gguf_files import rewrite, shape_of
from dxtrace.models.lora import (
    ARCHITECTURES,
    LlamaShape,
    adapter_folder,
    read_config,
    read_lora,
)
from dxtrace.models.torch_base import locate
from dxtrace.notes.prompt import SYSTEM, prompt_parts
from dxtrace.provenance import GGUF_PROVENANCE, PROVENANCE, read_provenance

#: The forms that :func:`export_adapter` writes.
FORMS = ("lora-gguf", "gguf", "hf", "ollama")

_NOTE = "\ue000"


def export_adapter(
    adapter: Path, out: Path, form: str, *, base: str | None = None, quantisation: str = "Q8_0",
    report: store.Report | None = None,
) -> Path:  # fmt: skip
    """Write an adapter in another form and return the path written.

    Args:
        adapter: folder of a PEFT adapter, or of the run that made it.
        out: a file for ``lora-gguf`` and ``gguf``; a folder for ``hf`` and ``ollama``.
        form: one of :data:`FORMS`.
        base: the base model; by default the one that the adapter names.
        quantisation: of ``gguf`` and ``ollama``.
        report: told what is being done.

    Raises:
        UnknownName: no such form. ModelError: the adapter, the base or the place cannot be used.
        MissingExtra: ``hf`` needs torch.
    """
    if form not in FORMS:
        raise UnknownName("form", form, FORMS)
    folder = adapter_folder(adapter)
    name = base or base_of(folder)
    tell = report or (lambda _what, _share: None)
    try:
        if form == "hf":
            return _merged_folder(folder, name, out, report)
        if form == "lora-gguf":
            return write_lora_gguf(folder, name, out, report)
        source = _gguf_of(name, report)

        def write(target: Path) -> None:
            rewrite(
                source,
                target,
                quantisation,
                folder,
                lambda done, total: tell("writing GGUF", done / total),
                _records(folder),
            )

        if form == "gguf":
            write(out)
            return out
        with whole_folder(out) as part:
            write(part / "model.gguf")
            atomic_write(part / "Modelfile", modelfile(source))
            _copy_papers(folder, part, None)
    except OSError as error:
        raise ModelError(f"{out}: cannot be written ({error.strerror})") from None
    return out


def _records(folder: Path) -> dict[str, str]:
    """Return what a GGUF file says of an adapter: what it was made from, and its calibration."""
    records = {GGUF_PROVENANCE: _provenance_text(folder)}
    if (folder / CALIBRATION).is_file():
        records[GGUF_CALIBRATION] = json.dumps(read_json(folder / CALIBRATION))
    return records


def _provenance_text(folder: Path) -> str:
    return json.dumps(read_provenance(folder).to_json())


def base_of(folder: Path) -> str:
    """Return the base model of an adapter, as :func:`dxtrace.models.torch_base.locate` takes it.

    The SHA-256 in its provenance decides where it is that of a model in the store; else the name in
    its configuration.
    """
    provenance = read_provenance(folder)
    for known in store.PACKAGED:
        if provenance.base_sha256 == known.sha256:
            return known.name
    base = read_config(folder).base_model_name_or_path
    if not base:
        raise NotAModelError(
            f"{folder}: the adapter names no base model; say which with --base",
        )
    return base


def write_lora_gguf(folder: Path, base: str, out: Path, report: store.Report | None = None) -> Path:
    """Write an adapter as a LoRA GGUF file for llama.cpp, which applies it to a base at run time.

    Raises:
        ModelError: it is no plain LoRA on a Llama or its kin, or the base cannot be found.
    """
    import gguf

    shape = _shape(base, report)
    pairs = read_lora(folder, shape)
    first = next(iter(pairs.values()))
    # llama.cpp multiplies each pair by alpha / r, with one alpha for all.
    alpha = first.scale * len(first.down)
    out.parent.mkdir(parents=True, exist_ok=True)
    beside = out.with_name(out.name + ".part")
    try:
        writer = gguf.GGUFWriter(beside, shape.architecture)
        writer.add_string("general.type", "adapter")
        writer.add_string(
            "general.name",
            folder.parent.name if folder.name == "adapter" else folder.name,
        )
        writer.add_string("adapter.type", "lora")
        for key, text in _records(folder).items():
            writer.add_string(key, text)
        writer.add_float32("adapter.lora.alpha", alpha)
        for name, pair in pairs.items():
            up = pair.up
            if alpha and pair.scale != alpha / len(pair.down):
                up = up * np.float32(pair.scale * len(pair.down) / alpha)
            writer.add_tensor(f"{name}.lora_a", np.ascontiguousarray(pair.down, np.float32))
            writer.add_tensor(f"{name}.lora_b", np.ascontiguousarray(up, np.float32))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        beside.replace(out)
    finally:
        beside.unlink(missing_ok=True)
    return out


def modelfile(gguf_file: Path) -> str:
    """Return an Ollama Modelfile for ``model.gguf`` whose template gives the very prompt of
    training.

    Raises:
        ModelError: the file has no chat template.
    """
    with gguf_content(gguf_file):
        return _modelfile(gguf_file)


def _modelfile(gguf_file: Path) -> str:
    fields = open_gguf(gguf_file).fields
    if "tokenizer.chat_template" not in fields:
        raise ModelError(f"{gguf_file}: has no chat template")
    prompt = "".join(
        text for text, _ in prompt_parts(fields["tokenizer.chat_template"].contents(), _NOTE)
    )
    template = prompt.replace(SYSTEM, "{{ .System }}").replace(_NOTE, "{{ .Prompt }}")
    tokens = fields["tokenizer.ggml.tokens"].contents()
    end = tokens[int(fields["tokenizer.ggml.eos_token_id"].contents())]
    return (
        f'FROM ./model.gguf\nTEMPLATE """{template}{{{{ .Response }}}}{end}"""\nSYSTEM """{SYSTEM}"""\n'
        f'PARAMETER stop "{end}"\nPARAMETER temperature 0\nPARAMETER num_ctx 8192\n'
    )


def _gguf_of(base: str, report: store.Report | None) -> Path:
    if base in {known.name for known in store.PACKAGED}:
        return store.pull(base, report)
    path = named_path(base, NotAModelError)
    if path.suffix == ".gguf" and path.is_file():
        return path
    raise ModelError(
        f"{base}: a merged GGUF file is made from a GGUF base; name one with --base, or export as hf",
    )


class _Sizes(BaseModel):
    """What ``config.json`` says of a Llama's sizes."""

    model_type: str
    num_hidden_layers: PositiveInt
    hidden_size: PositiveInt
    intermediate_size: PositiveInt
    num_attention_heads: PositiveInt
    num_key_value_heads: PositiveInt | None = None
    head_dim: PositiveInt | None = None


def _shape(base: str, report: store.Report | None) -> LlamaShape:
    """Return the sizes of a base: a Llama or one of its kin."""
    path = named_path(base, NotAModelError)
    if base in {known.name for known in store.PACKAGED} or path.suffix == ".gguf":
        file = _gguf_of(base, report)
        return shape_of(file, open_gguf(file))
    if (path / "config.json").is_file():
        config = read_json(path / "config.json", NotAModelError)
    else:
        _require_torch("the base's configuration")
        from transformers import AutoConfig

        try:
            config = AutoConfig.from_pretrained(base).to_dict()
        except (OSError, ValueError) as error:
            raise ModelError(
                f"{base}: its configuration cannot be read ({type(error).__name__}); name it with --base",
            ) from None
    # A model that reads images too keeps the sizes of its language model apart.
    config = config.get("text_config") or config
    sizes = check(_Sizes, config, base, NotAModelError)
    if sizes.model_type not in ARCHITECTURES:
        raise NotAModelError(f"{base}: a LoRA GGUF cannot be made for {sizes.model_type[:40]!r}")
    heads = sizes.num_attention_heads
    return LlamaShape(
        architecture=ARCHITECTURES[sizes.model_type],
        layers=sizes.num_hidden_layers,
        width=sizes.hidden_size,
        inner=sizes.intermediate_size,
        heads=heads,
        kv_heads=sizes.num_key_value_heads or heads,
        head_size=sizes.head_dim or sizes.hidden_size // heads,
    )


def load_merged(folder: Path, base: str, report: store.Report | None = None) -> tuple[Any, Any]:
    """Return (tokenizer, model): the 32-bit base with the adapter merged in.

    Raises:
        ModelError: the base cannot be found, or the adapter does not fit. MissingExtra: torch is
        not installed.
    """
    tokenizer, model = load_adapted(folder, base, report)
    return tokenizer, model.merge_and_unload()


def load_adapted(folder: Path, base: str, report: store.Report | None = None) -> tuple[Any, Any]:
    """Return (tokenizer, model): the 32-bit base with the adapter beside it, as in training.

    Raises:
        As :func:`load_merged`.
    """
    _require_torch("merging an adapter")
    from peft import PeftModel

    where = locate(base, report).where
    try:
        tokenizer, model = _in_32_bits(where)
        return tokenizer, PeftModel.from_pretrained(model, str(folder)).eval()
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise ModelError(
            f"{folder}: the adapter does not fit {base} ({type(error).__name__})",
        ) from None


def load_plain(folder: Path) -> tuple[Any, Any, bool]:
    """Return (tokenizer, model) of a Hugging Face folder in 32-bit floats, and whether it holds
    such.

    Raises:
        NotAModelError: it is none. MissingExtra: torch is not installed.
    """
    _require_torch("a merged model")
    from transformers import AutoConfig

    try:
        exact = str(AutoConfig.from_pretrained(folder).dtype) == "torch.float32"
        tokenizer, model = _in_32_bits(str(folder))
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        reason = type(error).__name__
        raise NotAModelError(f"{folder}: not a Hugging Face model ({reason})") from None
    return tokenizer, model.eval(), exact


def _in_32_bits(where: str) -> tuple[Any, Any]:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    tokenizer = AutoTokenizer.from_pretrained(where)
    return tokenizer, AutoModelForCausalLM.from_pretrained(where, dtype=torch.float32)


def _merged_folder(folder: Path, base: str, out: Path, report: store.Report | None) -> Path:
    tokenizer, model = load_merged(folder, base, report)
    with whole_folder(out) as part:
        model.save_pretrained(part)
        tokenizer.save_pretrained(part)
        _copy_papers(folder, part, "transformers")
    return out


def _copy_papers(folder: Path, out: Path, library: str | None) -> None:
    """Let provenance, card and calibration travel along; the card then speaks of a merged model."""
    atomic_write(out / PROVENANCE, _provenance_text(folder))
    if (folder / CALIBRATION).is_file():
        shutil.copy2(folder / CALIBRATION, out / CALIBRATION)
    card = folder / "README.md"
    if card.is_file():
        atomic_write(out / card.name, merged_card(card.read_text("utf-8"), library))


def merged_card(card: str, library: str | None) -> str:
    """Return an adapter's card for the model that it was merged into.

    Args:
        card: as :func:`dxtrace.train.card.write_card` writes it.
        library: what loads the model, as the hub calls it; None where nothing there does.
    """
    if library:
        line = f"library_name: {library}\n"
    else:
        line = ""
    card = card.replace("library_name: peft\n", line, 1)
    card = card.replace("A LoRA adapter (PEFT) for `", "A LoRA adapter merged into `", 1)
    use = ""
    if library:
        use = (
            "## How to use it\n\nWith this folder in `model/`:\n\n```console\n"
            "$ dxtrace reason case.txt --model model\n```\n\n"
        )
    return re.sub(
        r"## How to use it\n.*?(?=^## )", use, card, count=1, flags=re.DOTALL | re.MULTILINE
    )


def _require_torch(what: str) -> None:
    missing = []
    for name in ("torch", "transformers", "peft"):
        if importlib.util.find_spec(name) is None:
            missing.append(name)
    if missing:
        raise MissingExtra(f"{what} ({', '.join(missing)})", "hf")
