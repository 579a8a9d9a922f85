"""A tokenizer of a GGUF file's vocabulary, as ``tokenizer.json`` and ``tokenizer_config.json``.

The file names its kind: byte-level pieces with merges (``gpt2``) or SentencePiece's (``llama``),
and how text is split before it is merged, by a name that only llama.cpp's source explains.

Source: llama.cpp's ``llama-vocab.cpp``, and the ``tokenizer.json`` of the models themselves.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from visit.models.gguf.said import Said, refusal

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_CONTROL, _ADDED = 3, 4
"""The types of tokens that are found whole in a text: special ones, and others."""
_SPACE = "▁"

_GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_SHORT = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_WORDS = r"[^\r\n\p{L}\p{N}]?\p{L}+"
_REST = r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_LLAMA_3 = rf"{_SHORT}|{_WORDS}|\p{{N}}{{1,3}}|{_REST}"
_QWEN_2 = rf"{_SHORT}|{_WORDS}|\p{{N}}|{_REST}"
_TEKKEN = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
    r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_GPT_4O = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    rf"{_SHORT}?"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
    rf"{_SHORT}?"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_BLOOM = r" ?[^(\s|.,!?…。，、।۔،)]+"  # noqa: RUF001
_DIGIT = r"\p{N}"
_PATTERNS: dict[tuple[str, ...], tuple[str, ...]] = {
    (_GPT2,): ("gpt-2", "phi-2", "mpt", "olmo", "jais", "trillion"),
    (_DIGIT, _GPT2): ("smollm", "starcoder", "refact", "command-r", "codeshell", "exaone"),
    (_LLAMA_3,): ("llama3", "llama-v3", "llama-bpe", "falcon3", "pixtral", "dbrx", "smaug-bpe"),
    (_QWEN_2,): ("qwen2", "deepseek-r1-qwen", "megrez", "stablelm2"),
    (_GPT_4O,): ("gpt-4o", "llama4"),
    (_TEKKEN,): ("tekken",),
    (_BLOOM,): ("bloom", "gpt3-finnish", "poro-chat"),
    (r"[\p{P}\$\+<=>\^~\|`]+", _GPT2, r"[0-9][0-9][0-9]"): ("falcon",),
}
_SPLITS = {name: patterns for patterns, names in _PATTERNS.items() for name in names}
"""How each name of ``tokenizer.ggml.pre`` splits a text: by one pattern after another."""
_NORMALISED = ("qwen2", "deepseek-r1-qwen", "megrez")
"""Whose text is put into Unicode's NFC first."""
_OF_ARCHITECTURE = {
    **{name: name for name in ("bloom", "falcon", "qwen2")},
    **dict.fromkeys(["qwen2moe", "qwen3", "qwen3moe"], "qwen2"),
    "gpt2": "gpt-2",
    "starcoder2": "starcoder",
}
"""How older files split, which have no such name."""

_SPECIAL = {"bos": "bos", "eos": "eos", "unk": "unknown", "pad": "padding"}
"""transformers' short names of special tokens, and the file's."""
_NO_TOKEN = 0xFFFFFFFF
_NEVER_STRIPS = ("<unk>", "<s>", "<|endoftext|>")
"""Phi-3's special tokens that leave the spaces after them alone; its others take them."""

_IDLE = (
    "eot_token_id", "eom_token_id", "fim_pre_token_id", "fim_suf_token_id", "fim_mid_token_id",
    "fim_pad_token_id", "fim_rep_token_id", "fim_sep_token_id", "prefix_token_id",
    "suffix_token_id", "middle_token_id", "seperator_token_id", "separator_token_id",
    "mask_token_id", "cls_token_id", "token_type_count", "add_eos_token", "add_sep_token",
)  # fmt: skip
"""Keys that say how an answer ends or a gap is filled, and nothing of how a prompt is read."""


def files_of(said: Said) -> tuple[dict[str, str], dict[str, int | None]]:
    """The tokenizer's files by name, and its special tokens' ids as a config has them.

    Raises:
        ModelError: the vocabulary is of another kind, or something of it cannot be honoured.
    """
    keys = said.all_of("tokenizer.")
    ggml = {k.removeprefix("ggml."): keys.pop(k) for k in list(keys) if k.startswith("ggml.")}
    for idle in _IDLE:
        ggml.pop(idle, None)
    template = keys.pop("chat_template", None)
    for key in [key for key in keys if key.startswith("chat_template") or key.endswith(".json")]:
        del keys[key]  # other templates by name, and the same tokenizer once more
    if template is not None and not isinstance(template, str):
        raise refusal("tokenizer.chat_template", template, "a text")
    kind = _text(ggml, "model", None)
    if kind not in ("gpt2", "llama"):
        raise refusal("tokenizer.ggml.model", kind, "gpt2 or llama")
    tokens = _list(ggml, "tokens", str)
    if not tokens:
        raise refusal("tokenizer.ggml.tokens", tokens, "the vocabulary")
    ids = {own: _id(ggml, f"{name}_token_id", len(tokens)) for own, name in _SPECIAL.items()}
    special = {own: tokens[id_] for own, id_ in ids.items() if id_ is not None}
    types = _list(ggml, "token_type", int)
    adds_bos = _flag(ggml, "add_bos_token", kind == "llama")
    build = _byte_level if kind == "gpt2" else _sentencepiece
    tokenizer = build(said.architecture, tokens, ggml, special)
    strips = said.architecture == "phi3" and kind == "llama"
    _add_whole(tokenizer, tokens, types, _NEVER_STRIPS if strips else None)
    _end(tokenizer, kind, special.get("bos") if adds_bos else None)
    for key, value in {**{f"ggml.{k}": v for k, v in ggml.items()}, **keys}.items():
        raise refusal(f"tokenizer.{key}", value, "only what changes nothing")
    config: dict[str, Any] = {
        "tokenizer_class": "TokenizersBackend",
        "clean_up_tokenization_spaces": False,
        **{f"{name}_token": token for name, token in special.items()},
    }
    if template is not None:
        config["chat_template"] = template
    files = {
        "tokenizer.json": tokenizer.to_str(),
        "tokenizer_config.json": json.dumps(config, ensure_ascii=False, indent=1),
    }
    return files, {f"{name}_token_id": ids[name] for name in ("bos", "eos", "pad")}


def _text(ggml: dict[str, Any], key: str, default: str | None) -> str | None:
    value = ggml.pop(key, default)
    if value is not None and not isinstance(value, str):
        raise refusal(f"tokenizer.ggml.{key}", value, "a text")
    return value


def _flag(ggml: dict[str, Any], key: str, default: bool) -> bool:
    value = ggml.pop(key, default)
    if not isinstance(value, bool):
        raise refusal(f"tokenizer.ggml.{key}", value, "true or false")
    return value


def _id(ggml: dict[str, Any], key: str, n_tokens: int) -> int | None:
    value = ggml.pop(key, None)
    if value is None or (type(value) is int and 0 <= value < n_tokens):
        return value
    if value == _NO_TOKEN:
        return None
    raise refusal(f"tokenizer.ggml.{key}", value, f"an id below {n_tokens}")


def _list(ggml: dict[str, Any], key: str, *types: type) -> list[Any]:
    values = ggml.pop(key, [])
    if not isinstance(values, list) or not all(type(value) in types for value in values):
        raise refusal(f"tokenizer.ggml.{key}", values, "a list of the right type")
    return values


def _byte_level(
    architecture: str, tokens: Sequence[str], ggml: dict[str, Any], special: Mapping[str, str]
) -> Tokenizer:
    """GPT-2's kind: pieces of bytes, merged in the order that the file lists."""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

    named = _text(ggml, "pre", None)
    named = _OF_ARCHITECTURE.get(architecture) if named in (None, "default") else named
    if named not in _SPLITS:
        raise refusal("tokenizer.ggml.pre", named, f"one of {', '.join(sorted(_SPLITS))}")
    ggml.pop("add_space_prefix", None)  # of SentencePiece's
    ggml.pop("scores", None)
    merges = _listed_merges(ggml, tokens)
    model = models.BPE(
        vocab={token: id_ for id_, token in enumerate(tokens)},
        merges=merges,
        ignore_merges=named in ("llama3", "llama-v3", "llama-bpe", "tekken"),
    )
    tokenizer = Tokenizer(model)
    if named in _NORMALISED:
        tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            *(pre_tokenizers.Split(Regex(split), "isolated") for split in _SPLITS[named]),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def _listed_merges(ggml: dict[str, Any], tokens: Sequence[str]) -> list[tuple[str, str]]:
    """The pairs of pieces that the file lists, first the one that is merged first."""
    known, merges = set(tokens), []
    for merge in _list(ggml, "merges", str):
        left, _, right = merge.partition(" ")
        if not {left, right, left + right} <= known:
            raise refusal("tokenizer.ggml.merges", merge, "pairs of its own tokens")
        merges.append((left, right))
    return merges


def _sentencepiece(
    architecture: str, tokens: Sequence[str], ggml: dict[str, Any], special: Mapping[str, str]
) -> Tokenizer:
    """Llama 2's and Gemma's kind: pieces of text, bytes as a last resort, merged by score."""
    from tokenizers import Tokenizer, decoders, models, normalizers

    is_gemma = architecture.startswith("gemma")
    if (named := _text(ggml, "pre", "default")) not in ("default", "gemma"):
        raise refusal("tokenizer.ggml.pre", named, "default for SentencePiece")
    if _flag(ggml, "remove_extra_whitespaces", False):
        raise refusal("tokenizer.ggml.remove_extra_whitespaces", True, "False")
    begins_with_space = _flag(ggml, "add_space_prefix", not is_gemma)
    # Gemma writes runs of spaces as they are, and its merges in the order of its tokens.
    respelled = [_SPACE * len(t) if " " in t and not t.strip(" ") else t for t in tokens]
    scores = _list(ggml, "scores", float, int)
    if is_gemma or len(scores) != len(tokens):
        scores = [-float(id_) for id_ in range(len(tokens))]
    merges = _listed_merges(ggml, respelled)
    tokenizer = Tokenizer(
        models.BPE(
            vocab={token: id_ for id_, token in enumerate(respelled)},
            merges=merges or _merges(respelled, scores),
            unk_token=special.get("unk"),
            fuse_unk=True,
            byte_fallback=True,
        )
    )
    prefix = [normalizers.Prepend(_SPACE)] if begins_with_space else []
    tokenizer.normalizer = normalizers.Sequence([*prefix, normalizers.Replace(" ", _SPACE)])
    strip = [decoders.Strip(" ", 1, 0)] if begins_with_space else []
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace(_SPACE, " "), decoders.ByteFallback(), decoders.Fuse(), *strip]
    )
    return tokenizer


def _merges(tokens: Sequence[str], scores: Sequence[float]) -> list[tuple[str, str]]:
    """Every way to make a piece of two others: the best piece first, as SentencePiece merges."""
    ids = {token: id_ for id_, token in enumerate(tokens)}
    pairs: list[tuple[str, str]] = []
    for id_ in sorted(range(len(tokens)), key=lambda id_: -scores[id_]):
        token = tokens[id_]
        halves = [(token[:cut], token[cut:]) for cut in range(1, len(token))]
        made = [pair for pair in halves if pair[0] in ids and pair[1] in ids]
        pairs += sorted(made, key=lambda pair: (ids[pair[0]], ids[pair[1]]))
    return pairs


def _add_whole(
    tokenizer: Tokenizer,
    tokens: Sequence[str],
    types: Sequence[int],
    never_strips: Sequence[str] | None,
) -> None:
    """Have the tokenizer find special tokens, and others that were added, whole in a text.

    Args:
        tokenizer: Changed in place.
        tokens: Of the file.
        types: What each of them is.
        never_strips: Those special tokens that leave spaces after them alone where the others
            take them; ``None`` where all leave them alone.
    """
    from tokenizers import AddedToken

    known = tokenizer.get_vocab()
    marked = [pair for pair in zip(tokens, types, strict=False) if pair[0] in known]
    tokenizer.add_special_tokens(
        [
            AddedToken(
                token,
                normalized=False,
                rstrip=never_strips is not None and token not in never_strips,
            )
            for token, type_ in marked
            if type_ == _CONTROL
        ]
    )
    tokenizer.add_tokens(
        [AddedToken(token, normalized=False) for token, type_ in marked if type_ == _ADDED]
    )


def _end(tokenizer: Tokenizer, kind: str, bos: str | None) -> None:
    """What comes after the pieces are found: whether a BOS is put before them."""
    from tokenizers import processors

    steps: list[Any] = [processors.ByteLevel(trim_offsets=False)] if kind == "gpt2" else []
    if bos is not None:
        id_ = tokenizer.token_to_id(bos)
        steps.append(
            processors.TemplateProcessing(
                single=f"{bos}:0 $A:0",
                pair=f"{bos}:0 $A:0 {bos}:1 $B:1",
                special_tokens=[(bos, id_)],
            )
        )
    if steps:
        tokenizer.post_processor = steps[0] if len(steps) == 1 else processors.Sequence(steps)
