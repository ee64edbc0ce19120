"""Parity: adapter, merged model, GGUF file and what is served say the same.

One check against what users of adapters meet most: merged or converted output that differs, and a
prompt that differs between training and serving.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from dxtrace.engines.llamacpp import LlamaCppEngine, LlamaCppOptions
from dxtrace.errors import InputError, ModelError, NotAModelError
from dxtrace.files import open_gguf
from dxtrace.models import store
from dxtrace.models.export import (
    _gguf_of,
    base_of,
    load_adapted,
    load_plain,
    write_lora_gguf,
)
from dxtrace.models.gguf_files import rewrite
from dxtrace.models.lora import adapter_folder
from dxtrace.models.opening import limit_torch_threads, require_llamacpp, thread_limit
from dxtrace.notes.prompt import prompt_parts, readable, with_start_token

#: Largest logit difference allowed, in 32-bit floats.
MERGED_LIMIT = 1e-4
GGUF_LIMIT = 1e-3

#: ... and of files in 16-bit floats and in 8 bits, whose rounding shows: of the adapter that ships, 0.013 and 0.40
#: nats on two notes. An adapter left out makes 18.
HALF_LIMIT = 0.05
Q8_LIMIT = 1.0

#: Share of cases whose greedy text must be identical.
SAME_TEXT = 0.9

_TOP = 50


@dataclass(frozen=True)
class Comparison:
    """One form against the adapter in torch: cases with the same prompt ids and text, largest logit
    difference.

    For llama.cpp, which gives no logits, the difference is that of the log-probabilities of its 50
    likeliest tokens.
    ``limit`` None: shown, not judged.
    """

    form: str
    same_ids: int
    difference: float
    same_text: int
    cases: int
    limit: float | None

    @property
    def passed(self) -> bool:
        """True if it is within its limits."""
        if self.limit is None:
            return True
        near = self.same_ids == self.cases and self.difference <= self.limit
        # Rounding turns ties: of a rounded form the text is not judged.
        rounded = self.limit > GGUF_LIMIT
        return near and (rounded or self.same_text >= SAME_TEXT * self.cases)


@dataclass(frozen=True)
class Parity:
    """All comparisons of one adapter, and why forms are not among them."""

    adapter: str
    base: str
    comparisons: tuple[Comparison, ...]
    skipped: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """True if every comparison passed."""
        return all(comparison.passed for comparison in self.comparisons)

    @property
    def verdict(self) -> str:
        """All of it in one line: SAME or DIFFERS, and of which forms."""
        wrong = []
        for comparison in self.comparisons:
            if not comparison.passed:
                wrong.append(comparison.form)
        shown = []
        for comparison in self.comparisons:
            if comparison.limit is None:
                shown.append(comparison.form)
        cases = f"on {self.comparisons[0].cases} cases"
        if wrong:
            line = f"DIFFERS from the adapter {cases}: {', '.join(wrong)}"
        else:
            judged = len(self.comparisons) - len(shown)
            line = f"SAME: {judged} of {judged} forms say what the adapter says {cases}"
        if shown:
            line += f"; too coarse to be judged: {', '.join(shown)}"
        if self.skipped:
            line += f"; not compared: {'; '.join(self.skipped)}"
        return line

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object."""
        rows = []
        for comparison in self.comparisons:
            row = asdict(comparison) | {"passed": comparison.passed}
            if not math.isfinite(comparison.difference):
                row["difference"] = None
            rows.append(row)
        return {
            "adapter": self.adapter,
            "base": self.base,
            "passed": self.passed,
            "verdict": self.verdict,
            "comparisons": rows,
            "skipped": list(self.skipped),
        }

    def table(self) -> str:
        """Return the comparisons as a Markdown table, and the verdict under it."""
        lines = [
            f"{self.adapter} on {self.base}, against the adapter in torch (32-bit):",
            "| form | same prompt ids | largest difference | limit | same greedy text | |",
            "|---|---|---|---|---|---|",
        ]
        for c in self.comparisons:
            if c.limit is None:
                limit = "none"
                verdict = "shown"
            else:
                limit = f"{c.limit:g}"
                if c.passed:
                    verdict = "ok"
                else:
                    verdict = "DIFFERS"
            same = f"{c.same_text}/{c.cases}"
            lines.append(
                f"| {c.form} | {c.same_ids}/{c.cases} | {c.difference:.2e} | {limit} | {same} | {verdict} |",
            )
        return "\n".join([*lines, "", self.verdict])


@dataclass(frozen=True)
class _Answer:
    """What one form says on one note: prompt ids, logits or log-probabilities of the first token,
    and the tokens of its greedy text, with those that end it.
    """

    ids: list[int]
    scores: dict[int, float]
    said: list[int]
    ends: frozenset[int]

    @property
    def greedy(self) -> list[int]:
        """The greedy text without what ends it."""
        return [token for token in self.said if token not in self.ends]


def verify(
    adapter: Path,
    *,
    base: str | None = None,
    exports: Sequence[Path] = (),
    notes: Sequence[str],
    tokens: int = 32,
    report: store.Report | None = None,
) -> Parity:
    """Compare an adapter with its merged model, merged GGUF, LoRA-GGUF on the base, and the default
    quantisation; and with what another program made of it.

    Forms that cannot be made of this adapter or base are named, with the reason, and not compared.

    Args:
        adapter: folder of a PEFT adapter, or of the run that made it.
        base: the base model; by default the one that the adapter names.
        exports: files and folders to compare too: a merged GGUF file, an adapter as a GGUF file, a
            merged Hugging Face folder.
        notes: the cases to compare on.
        tokens: length of the greedy text.
        report: told what is being done.

    Raises:
        InputError: no notes, or an export that is no model. ModelError: something cannot be loaded.
        MissingExtra: torch or llama.cpp is not installed.
    """
    if not notes:
        raise InputError("there is no case to compare on")
    folder = adapter_folder(adapter)
    name = base or base_of(folder)
    is_gguf = name in {known.name for known in store.PACKAGED} or name.endswith(".gguf")
    if is_gguf or any(path.suffix == ".gguf" for path in exports):
        require_llamacpp()
    tell = report or (lambda _what, _share: None)
    limit_torch_threads()
    tell("the adapter in torch", 0.0)
    tokenizer, model = load_adapted(folder, name, report)
    reference = _all_in_torch(model, tokenizer, notes, tokens)
    tell("the merged model in torch", 0.25)
    merged = model.merge_and_unload()
    answers = _all_in_torch(merged, tokenizer, notes, tokens, reference)
    found = [_compare("merged, torch", reference, answers, MERGED_LIMIT)]
    del model, merged
    skipped: list[str] = []
    source = _gguf_of(name, report) if is_gguf else None
    with tempfile.TemporaryDirectory() as scratch:
        if source is None:
            skipped.append("GGUF files of our making, which need a GGUF base")
        else:
            try:
                found += _files(folder, name, source, Path(scratch), notes, tokens, reference, tell)
            except NotAModelError:
                raise
            except ModelError as error:
                skipped.append(f"GGUF files of our making ({error})")
        for path in exports:
            tell(path.name, 0.95)
            found.append(_of_export(path, source, Path(scratch), notes, tokens, reference))
    return Parity(str(adapter), name, tuple(found), tuple(skipped))


def _of_export(
    path: Path, base: Path | None, scratch: Path, notes: Sequence[str], tokens: int, reference: list[_Answer],
) -> Comparison:  # fmt: skip
    """Compare what another program made of the adapter."""
    if path.is_dir():
        tokenizer, model, exact = load_plain(path)
        answers = _all_in_torch(model, tokenizer, notes, tokens, reference)
        if exact:
            stored = MERGED_LIMIT
        else:
            stored = HALF_LIMIT
        return _compare(f"{path.name}, torch", reference, answers, stored)
    reader = open_gguf(path)
    kinds = set()
    for tensor in reader.tensors:
        if len(tensor.shape) == 2:
            kinds.add(tensor.tensor_type.name)
    limit: float | None = None
    if kinds <= {"F32"}:
        limit = GGUF_LIMIT
    elif kinds <= {"F32", "F16", "BF16"}:
        limit = HALF_LIMIT
    elif kinds <= {"F32", "F16", "BF16", "Q8_0"}:
        limit = Q8_LIMIT
    field = reader.fields.get("general.type")
    if field is None or field.contents() != "adapter":
        return _served(f"{path.name}, llama.cpp", path, None, notes, tokens, reference, limit)
    if base is None:
        raise InputError(
            f"{path}: an adapter as a GGUF file needs a GGUF base; name one with --base"
        )
    plain = scratch / "base.gguf"
    rewrite(base, plain, "F32")
    form = f"base F32 + {path.name}, llama.cpp"
    return _served(form, plain, path, notes, tokens, reference, limit)


def _files(
    folder: Path, base: str, source: Path, scratch: Path, notes: Sequence[str], tokens: int,
    reference: list[_Answer], tell: store.Report,
) -> list[Comparison]:  # fmt: skip
    tell("merged GGUF read by torch", 0.5)
    merged, plain, lora = (
        scratch / "merged.gguf",
        scratch / "base.gguf",
        scratch / "lora.gguf",
    )
    rewrite(source, merged, "F32", folder)
    tokenizer, model = _read_gguf(merged)
    answers = _all_in_torch(model, tokenizer, notes, tokens, reference)
    found = [_compare("merged GGUF F32, read by torch", reference, answers, GGUF_LIMIT)]
    del model
    tell("merged GGUF in llama.cpp", 0.6)
    found.append(
        _served(
            "merged GGUF F32, llama.cpp",
            merged,
            None,
            notes,
            tokens,
            reference,
            GGUF_LIMIT,
        ),
    )
    merged.unlink()
    tell("base and LoRA-GGUF in llama.cpp", 0.7)
    rewrite(source, plain, "F32")
    write_lora_gguf(folder, base, lora)
    found.append(
        _served(
            "base F32 + LoRA-GGUF, llama.cpp",
            plain,
            lora,
            notes,
            tokens,
            reference,
            GGUF_LIMIT,
        ),
    )
    plain.unlink()
    kind, _ = store.fastest_quantisation()
    tell(f"merged GGUF {kind}", 0.9)
    rewrite(source, merged, kind, folder)
    found.append(
        _served(
            f"merged GGUF {kind}, as served",
            merged,
            None,
            notes,
            tokens,
            reference,
            None,
        ),
    )
    return found


def _read_gguf(file: Path) -> tuple[Any, Any]:
    """Return (tokenizer, model) of a GGUF file in 32-bit floats."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    where: dict[str, Any] = {
        "pretrained_model_name_or_path": str(file.parent),
        "gguf_file": file.name,
    }
    config = GgufConfig(dequantize=True)
    model = AutoModelForCausalLM.from_pretrained(
        **where,
        quantization_config=config,
        dtype=torch.float32,
    )
    return AutoTokenizer.from_pretrained(**where), model.eval()


def _all_in_torch(
    model: Any,
    tokenizer: Any,
    notes: Sequence[str],
    tokens: int,
    reference: Sequence[_Answer] | None = None,
) -> list[_Answer]:
    """Return what a model says on every note; without ``reference`` it is the reference."""
    answers = []
    for number, note in enumerate(notes):
        ids = _prompt_ids(tokenizer, note)
        if reference is None:
            answers.append(_generated(model, tokenizer, ids, tokens))
        else:
            answers.append(_confirmed(model, ids, reference[number]))
    return answers


def _prompt_ids(tokenizer: Any, note: str) -> list[int]:
    ids: list[int] = []
    for text, special in prompt_parts(
        with_start_token(tokenizer.chat_template, tokenizer.bos_token),
        readable(note),
    ):
        if text:
            ids += tokenizer.encode(
                text,
                add_special_tokens=False,
                split_special_tokens=not special,
            )
    return ids


def _generated(model: Any, tokenizer: Any, ids: list[int], tokens: int) -> _Answer:
    """Let a model write its greedy text, token by token."""
    import torch

    inputs = torch.tensor([ids])
    with torch.inference_mode():
        found = model.generate(
            input_ids=inputs, attention_mask=torch.ones_like(inputs), max_new_tokens=tokens, do_sample=False,
            use_cache=True, pad_token_id=tokenizer.eos_token_id, output_logits=True, return_dict_in_generate=True,
        )  # fmt: skip
    said = found.sequences[0, len(ids) :].tolist()
    ends = frozenset({tokenizer.eos_token_id})
    return _Answer(ids, _scores(found.logits[0][0]), said, ends)


def _confirmed(model: Any, ids: list[int], reference: _Answer) -> _Answer:
    """Ask a model at once whether its greedy text is that of the reference.

    It is if each token of it is the likeliest after those before: the check of speculative decoding
    (Leviathan et al. 2023, arXiv 2211.17192), which reads the weights once for all of the text.
    """
    import torch

    expected = reference.said
    inputs = torch.tensor([ids + expected[:-1]])
    with torch.inference_mode():
        logits = model(input_ids=inputs, logits_to_keep=len(expected)).logits[0]
    said = logits.argmax(dim=-1).tolist()
    for number, token in enumerate(expected):
        if said[number] != token:
            said = said[: number + 1]  # what comes after it was not asked for
            break
    return _Answer(ids, _scores(logits[0]), said, reference.ends)


def _scores(logits: Any) -> dict[int, float]:
    return dict(enumerate(logits.float().tolist()))


def _served(
    form: str, file: Path, lora: Path | None, notes: Sequence[str], tokens: int, reference: list[_Answer],
    limit: float | None,
) -> Comparison:  # fmt: skip
    engine = LlamaCppEngine(
        file,
        LlamaCppOptions(adapter=lora, threads=thread_limit(), exact=limit is not None),
    )
    try:
        answers = []
        for note in notes:
            answers.append(_in_llamacpp(engine, note, tokens))
    finally:
        engine.close()
    return _compare(
        form,
        [_log_probabilities(answer) for answer in reference],
        answers,
        limit,
    )


def _in_llamacpp(engine: LlamaCppEngine, note: str, tokens: int) -> _Answer:
    ids = engine.encode_prompt(prompt_parts(engine.chat_template, readable(note)))
    engine.forget()
    body = {
        "prompt": ids,
        "n_predict": tokens,
        "temperature": 0.0,
        "n_probs": _TOP,
        "return_tokens": True,
    }
    choice = engine._complete(body)["choices"][0]
    steps = choice["logprobs"]["content"]
    scores = {}
    for entry in steps[0]["top_logprobs"]:
        scores[entry["id"]] = entry["logprob"]
    said = [step["id"] for step in steps]
    return _Answer(ids, scores, said, frozenset(engine.end_tokens))


def _log_probabilities(answer: _Answer) -> _Answer:
    import numpy as np

    logits = np.array([answer.scores[i] for i in range(len(answer.scores))])
    top = logits.max()
    total = top + np.log(np.exp(logits - top).sum())
    return replace(answer, scores=dict(enumerate((logits - total).tolist())))


def _compare(
    form: str,
    reference: list[_Answer],
    answers: list[_Answer],
    limit: float | None,
) -> Comparison:
    pairs = list(zip(reference, answers, strict=True))
    difference = 0.0
    for expected, answer in pairs:
        for token, score in answer.scores.items():
            # A token that the adapter's model does not have is another vocabulary.
            own = expected.scores.get(token, math.inf)
            difference = max(difference, abs(own - score))
    return Comparison(
        form=form,
        same_ids=sum(a.ids == b.ids for a, b in pairs),
        difference=difference,
        same_text=sum(a.greedy == b.greedy for a, b in pairs),
        cases=len(pairs),
        limit=limit,
    )
