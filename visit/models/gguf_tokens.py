"""What a GGUF file says about its tokenizer and transformers may ignore.

transformers 5 reads ``add_bos_token`` from the file. 4.57 passes it over and has every tokenizer
of Llama's architecture begin with a BOS, which the model may never have seen there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

_FLAG = "tokenizer.ggml.add_bos_token"


def keep_bos_flag(tokenizer: Any, file: Path) -> None:
    """Have a tokenizer add a BOS by itself as its GGUF file says; a file may say nothing.

    Args:
        tokenizer: What transformers made of the file; changed in place.
        file: The GGUF file.
    """
    from gguf import GGUFReader

    field = GGUFReader(file).fields.get(_FLAG)
    if field is None or not hasattr(tokenizer, "add_bos_token"):
        return
    wanted = bool(field.contents())
    if (tokenizer("a")["input_ids"][:1] == [tokenizer.bos_token_id]) != wanted:
        tokenizer.add_bos_token = wanted  # the post-processor follows
