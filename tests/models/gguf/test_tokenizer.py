"""A GGUF file's vocabulary cuts a text as the model's own tokenizer does, or is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from gguf.constants import Keys
from tokenizers import Tokenizer, pre_tokenizers
from transformers import PreTrainedTokenizerFast
from vocabularies import CHATML, chatty, sentencepiece

from visit.errors import ModelError
from visit.graph.request import Request
from visit.models.gguf.header import Header
from visit.models.gguf.said import Said
from visit.models.gguf.tokenizer import files_of
from visit.models.loading.places import Place
from visit.models.loading.reading import tokenizer_at
from visit.models.tokens import Tokens

TEXTS = [
    "The capital of Japan is the city of Tokyo", " To  ky\nTokyo", "日本の首都は", "it's 12345 ½",
    "<s>Tokyo</s> <turn▁end>a\n\n b▁▁▁", "", " ",
]  # fmt: skip


def keys_of(tokenizer: Any, kind: str, **said: Any) -> dict[str, Any]:
    """The ``tokenizer.`` keys that llama.cpp's converter writes of a tokenizer."""
    state = json.loads(tokenizer.backend_tokenizer.to_str())
    added = {token["content"]: token for token in state["added_tokens"]}
    vocabulary = tokenizer.get_vocab()
    pieces = sorted(vocabulary, key=vocabulary.__getitem__)
    merges = [tuple(merge) for merge in state["model"]["merges"]]
    types = [(3 if added[p]["special"] else 4) if p in added else 1 for p in pieces]
    ranks = {"".join(merge): -float(rank) for rank, merge in enumerate(merges)}
    keys: dict[str, Any] = {"model": kind, "tokens": pieces, "token_type": types}
    if kind == "gpt2":
        keys |= {"pre": "gpt-2", "merges": [" ".join(merge) for merge in merges]}
    else:
        keys |= {"scores": [ranks.get(piece, -1e9) for piece in pieces]}
    named = {"bos": "bos", "eos": "eos", "unk": "unknown", "pad": "padding"}
    for own, name in named.items():
        if (id_ := getattr(tokenizer, f"{own}_token_id")) is not None:
            keys[f"{name}_token_id"] = id_
    given = {f"tokenizer.ggml.{k}": v for k, v in {**keys, **said}.items() if v is not None}
    return {"general.architecture": "llama", **given}


def files(keys: dict[str, Any]) -> dict[str, str]:
    return files_of(Said(Header(keys, {})))[0]


def tokenizer_of(keys: dict[str, Any], folder: Path) -> Any:
    """What a file's tokenizer is once it is written down and loaded."""
    for name, text in files(keys).items():
        (folder / name).write_text(text, encoding="utf-8")
    return tokenizer_at(Place("tiny", folder), None)


def same_ids(ours: Any, theirs: PreTrainedTokenizerFast) -> None:
    for text in TEXTS:
        ids = theirs(text)["input_ids"]
        assert ours(text)["input_ids"] == ids, text
        assert ours.decode(ids) == theirs.decode(ids)
        assert [ours.convert_ids_to_tokens(i) for i in ids] == theirs.convert_ids_to_tokens(ids)
    assert ours.all_special_ids == theirs.all_special_ids


@pytest.mark.parametrize("adds", [True, False])
def test_byte_level_pieces_are_cut_as_by_the_models_own(adds: bool, tmp_path: Path):
    theirs = chatty("chatml", adds_bos=adds)
    same_ids(tokenizer_of(keys_of(theirs, "gpt2", add_bos_token=adds), tmp_path), theirs)


@pytest.mark.parametrize("dummy_space", [True, False])
def test_sentencepieces_are_cut_as_by_the_models_own(dummy_space: bool, tmp_path: Path):
    theirs = sentencepiece(dummy_space=dummy_space)
    keys = keys_of(theirs, "llama", add_space_prefix=dummy_space, add_bos_token=False)
    ours = tokenizer_of(keys, tmp_path)
    assert ours("<turn▁end>a")["input_ids"] == theirs("<turn▁end>a")["input_ids"]
    same_ids(ours, theirs)


@pytest.mark.parametrize("adds", [True, False])
def test_a_file_says_whether_a_bos_comes_first(adds: bool, tmp_path: Path):
    tokenizer = tokenizer_of(keys_of(chatty("chatml"), "gpt2", add_bos_token=adds), tmp_path)
    tokens = Tokens(tokenizer, len(tokenizer))
    read = tokens.read(Request("The city"))
    assert "".join(token.text for token in read) == ("<s>" if adds else "") + "The city"
    assert read[0].special is adds


def test_a_sentencepiece_file_that_says_nothing_has_a_bos(tmp_path: Path):
    tokenizer = tokenizer_of(keys_of(sentencepiece(), "llama"), tmp_path)
    assert tokenizer("Tokyo")["input_ids"][0] == tokenizer.bos_token_id


def test_a_files_chat_template_is_the_models(tmp_path: Path):
    keys = keys_of(chatty("chatml"), "gpt2", add_bos_token=True)
    tokenizer = tokenizer_of({**keys, "tokenizer.chat_template": CHATML}, tmp_path)
    read = Tokens(tokenizer, len(tokenizer)).read(Request("The city", chat=True))
    text = "".join(token.text for token in read)
    assert text == "<|im_start|>user\nThe city<|im_end|>\n<|im_start|>assistant\n"
    assert "".join(token.text for token in read if token.role == "user") == "The city"


def test_phi_3s_special_tokens_take_the_spaces_after_them(tmp_path: Path):
    """``sentencepiece`` has such a token; a file says nothing of it but its architecture."""
    theirs = sentencepiece()
    keys = {**keys_of(theirs, "llama", add_bos_token=False), "general.architecture": "phi3"}
    text = "a<turn▁end>  Tokyo"
    assert tokenizer_of(keys, tmp_path)(text)["input_ids"] == theirs(text)["input_ids"]


def splits(pre: str, text: str) -> list[str]:
    """How a text is split before it is merged."""
    state = files(keys_of(chatty("chatml"), "gpt2", pre=pre))["tokenizer.json"]
    found = Tokenizer.from_str(state).pre_tokenizer.pre_tokenize_str(text)
    return [piece for piece, _ in found]


TEXT = "it's I'LL go  12345\n\n ½ x9, ok…"


def test_text_is_split_as_gpt_2_does():
    own = pre_tokenizers.ByteLevel(add_prefix_space=False)
    assert splits("gpt-2", TEXT) == [piece for piece, _ in own.pre_tokenize_str(TEXT)]


def test_text_is_split_at_every_digit_as_smollm_does():
    own = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True),
         pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )  # fmt: skip
    assert splits("smollm", TEXT) == [piece for piece, _ in own.pre_tokenize_str(TEXT)]


@pytest.mark.parametrize(
    ("pre", "pieces"),
    [
        ("llama-bpe", ["it", "'s", "ĠI", "'LL", "Ġgo", "Ġ", "Ġ", "123", "45"]),
        ("qwen2", ["it", "'s", "ĠI", "'LL", "Ġgo", "Ġ", "Ġ", "1", "2", "3", "4", "5"]),
        ("tekken", ["it", "'s", "ĠI", "'LL", "Ġgo", "Ġ", "Ġ", "1", "2", "3", "4", "5"]),
        ("gpt-4o", ["it's", "ĠI'LL", "Ġgo", "Ġ", "Ġ", "123", "45"]),
        ("falcon", ["it", "'", "s", "ĠI", "'", "LL", "Ġgo", "Ġ", "Ġ", "123", "45"]),
    ],
)
def test_text_is_split_as_the_name_says(pre: str, pieces: list[str]):
    assert splits(pre, "it's I'LL go  12345") == pieces


def refused(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError, match=message) as caught:
        files(keys)
    assert "\n" not in str(caught.value)


def test_a_split_that_is_not_known_is_refused_by_name():
    refused(keys_of(chatty("chatml"), "gpt2", pre="of-tomorrow"), "ggml.pre is of-tomorrow, which")
    refused(keys_of(chatty("chatml"), "gpt2", pre=None), "ggml.pre is None, which")


def test_another_kind_of_vocabulary_is_refused_by_name():
    refused(keys_of(chatty("chatml"), "gpt2", model="bert"), "ggml.model is bert, which visit does")


SAYS_NOTHING = (
    "eot", "eom", "fim_", "prefix_", "suffix_", "middle_", "seperator", "mask", "add_eos",
    "add_sep",
    "token_type_count", "huggingface.json", "chat_template.", "chat_templates",
)  # fmt: skip
"""What says how an answer ends, a gap is filled or a second text begins; the same once more."""


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_every_key_of_a_tokenizer_is_honoured_or_refused_by_name(kind: str):
    theirs = chatty("chatml") if kind == "gpt2" else sentencepiece()
    plain = keys_of(theirs, kind, padding_token_id=1)
    whole, silent = files(plain), []
    every = [k for k in vars(Keys.Tokenizer).values() if str(k).startswith("tokenizer.")]
    for template in [*every, "tokenizer.ggml.of_tomorrow"]:
        key = template.format(name="tool")
        for value in (7, True, "odd", ["x", "<s>"]):
            try:
                changed = files({**plain, key: value}) != whole
            except ModelError as error:
                # Or by one that it contradicts: other tokens have other merges and fewer ids.
                named = [key, *plain] if key in plain else [key]
                assert any(f"its {one} is" in str(error) for one in named), (key, str(error))
                continue
            if not changed and not any(word in key for word in SAYS_NOTHING):
                silent.append((key, value))
    idle = {"scores", "add_space_prefix"} if kind == "gpt2" else set()  # SentencePiece's alone
    holds = {"add_bos_token", "add_space_prefix"} if kind == "llama" else set()  # unless denied
    names = [(key.removeprefix("tokenizer.ggml."), value) for key, value in silent]
    assert [p for p in names if p[0] not in idle and not (p[0] in holds and p[1] is True)] == []
