"""A session of any tiny model, with a tokenizer whose tokens are numbers."""

from __future__ import annotations

from functools import cache

import torch
from specimens import specimen
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from visit.models.loading import loaded_from
from visit.session import Session


@cache
def numbered(name: str, dtype: torch.dtype = torch.float64) -> Session:
    """A session with the named tiny model; ``3 14 15`` is read as the tokens 3, 14 and 15."""
    tiny = specimen(name, dtype)
    vocabulary = {f"▁{id_}": id_ for id_ in range(tiny.architecture.sizes.d_vocab)}
    backend = Tokenizer(models.WordLevel(vocabulary, unk_token="▁0"))
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    backend.decoder = decoders.Metaspace()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, clean_up_tokenization_spaces=False
    )
    return Session(loaded_from(tiny.model, tokenizer, name=name, weights_sha256="0" * 64))
