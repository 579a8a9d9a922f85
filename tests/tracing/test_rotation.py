"""The scores of queries and keys turned by our rotation are the model's own, in every family."""

from __future__ import annotations

import pytest
import torch
from own_scores import own_scores
from specimens import MAKERS, TOKEN_IDS, specimen

from visit.attribution import circuits
from visit.attribution.projections import keys_by_source, queries_at
from visit.tracing.rotation import find_position_bias, find_rotation

EVERY = list(range(len(TOKEN_IDS)))


@pytest.mark.parametrize("name", sorted(set(MAKERS) - {"gpt2-square", "mixtral-square"}))
def test_turned_queries_and_keys_give_the_models_own_scores(name: str):
    tiny = specimen(name)
    own = own_scores(tiny)
    for layer in range(3):
        attention = tiny.architecture.blocks[layer].attention
        queries = torch.stack(
            [queries_at(tiny.architecture, tiny.trace, layer, reader) for reader in EVERY]
        )
        keys = circuits.repeat_kv_heads(
            keys_by_source(tiny.architecture, tiny.trace, layer), len(attention.w_q)
        ).transpose(0, 1)
        rotation = find_rotation(attention, tiny.trace, layer)
        if rotation is not None:
            queries, keys = (rotation.rotate(one, EVERY) for one in (queries, keys))
        scores = torch.einsum("rhd,shd->hrs", queries, keys) * attention.score_scale
        for head in range(len(scores)):
            bias = find_position_bias(attention, tiny.trace, layer, head)
            ours = scores[head] if bias is None else scores[head] + bias
            if attention.score_cap is not None:
                ours = attention.score_cap * torch.tanh(ours / attention.score_cap)
            seen = tiny.trace.layers[layer].attention[head] > 0
            torch.testing.assert_close(ours[seen], own[layer][head][seen], rtol=1e-9, atol=1e-9)
