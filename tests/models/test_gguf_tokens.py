"""A GGUF file's word on its tokenizer is kept, at both ends of the transformers range."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from vocabularies import CHATML, chatty

from visit.graph.request import Request
from visit.models.loading.places import Place
from visit.models.loading.reading import tokenizer_at
from visit.models.tokens import Tokens


def file_of(folder: Path, **said: bool) -> Path:
    """A GGUF file with a byte-level vocabulary, a chat template and hardly anything else."""
    import gguf

    backend = chatty("chatml").backend_tokenizer
    vocabulary = backend.get_vocab()
    pieces = sorted(vocabulary, key=vocabulary.__getitem__)
    merges = json.loads(backend.to_str())["model"]["merges"]
    file = folder / "tiny.gguf"
    writer = gguf.GGUFWriter(str(file), "llama")
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(pieces)
    writer.add_token_types(
        [3 if piece.startswith("<") and len(piece) > 1 else 1 for piece in pieces]
    )
    writer.add_token_merges([" ".join(merge) for merge in merges])
    writer.add_bos_token_id(vocabulary["<s>"])
    writer.add_eos_token_id(vocabulary["</s>"])
    writer.add_chat_template(CHATML)
    for name, value in said.items():
        writer.add_bool(f"tokenizer.ggml.{name}", value)
    writer.add_tensor("output_norm.weight", np.zeros(4, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file


@pytest.mark.parametrize("adds", [True, False])
def test_a_file_says_whether_a_bos_comes_first(adds: bool, tmp_path: Path):
    file = file_of(tmp_path, add_bos_token=adds)
    tokenizer = tokenizer_at(Place("tiny", file.parent, file.name), None)
    tokens = Tokens(tokenizer, len(tokenizer))
    read = tokens.read(Request("The city"))
    assert "".join(token.text for token in read) == ("<s>" if adds else "") + "The city"
    assert read[0].special is adds


def test_a_files_chat_template_is_the_models(tmp_path: Path):
    file = file_of(tmp_path, add_bos_token=True)
    tokenizer = tokenizer_at(Place("tiny", file.parent, file.name), None)
    read = Tokens(tokenizer, len(tokenizer)).read(Request("The city", chat=True))
    text = "".join(token.text for token in read)
    assert text == "<|im_start|>user\nThe city<|im_end|>\n<|im_start|>assistant\n"
    assert "".join(token.text for token in read if token.role == "user") == "The city"
