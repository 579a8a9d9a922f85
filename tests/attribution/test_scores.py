"""A score is the sum of its parts, for every family, head, reader and source, in float64."""

from __future__ import annotations

import pytest
import torch
from own_scores import own_scores
from planted import INDUCTION, LAST, PREVIOUS_TOKEN, PROMPT, SOURCE, planted
from specimens import MAKERS, TOKEN_IDS, Specimen, specimen
from torch import Tensor

from visit.attribution.scored import score_head
from visit.attribution.scores import less_mean, list_parts, split_scores, written_at
from visit.graph.ids import NodeId
from visit.graph.kinds import NodeKind
from visit.tracing.hooks import Float64Throughout
from visit.tracing.trace import record

EVERY = range(len(TOKEN_IDS))
WIDE = torch.float64


@pytest.fixture(params=sorted(MAKERS))
def tiny(request: pytest.FixtureRequest) -> Specimen:
    return specimen(request.param)


def equal(ours: Tensor, theirs: Tensor) -> None:
    torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)


def test_the_parts_of_either_side_add_up_to_the_models_own_score(tiny: Specimen):
    own = own_scores(tiny)
    for layer in range(3):
        cap = tiny.architecture.blocks[layer].attention.score_cap
        for head in range(tiny.architecture.sizes.n_heads):
            scored = score_head(tiny.architecture, tiny.trace, layer, head, WIDE)
            split = split_scores(tiny.architecture, tiny.trace, scored, EVERY)
            seen = tiny.trace.layers[layer].attention[head] > 0
            given = own[layer][head].masked_fill(~seen, 0.0)
            before = given if cap is None else cap * torch.atanh(given / cap)
            wanted = less_mean(before, seen)[seen]
            equal(split.scores[seen], wanted)
            equal((split.query.sum(1) + split.bias)[seen], wanted)
            equal((split.key.sum(1) + split.bias)[seen], wanted)


def test_pairs_add_up_to_the_parts_of_both_sides(tiny: Specimen):
    scored = score_head(tiny.architecture, tiny.trace, 2, 1, WIDE)
    for source in (4, 6):
        split = split_scores(tiny.architecture, tiny.trace, scored, [6], source)
        assert split.pairs is not None
        equal(split.pairs[0].sum(1), split.query[0, :, source])
        equal(split.pairs[0].sum(0), split.key[0, :, source])


@pytest.mark.parametrize("name", ["gpt2", "gemma2", "qwen3", "olmo2", "granite-moe", "bloom"])
def test_every_part_has_its_name_and_its_vector(name: str):
    tiny = specimen(name)
    for layer in range(3):
        block = tiny.architecture.blocks[layer]
        scored = score_head(tiny.architecture, tiny.trace, layer, 0, WIDE)
        written = written_at(tiny.architecture, tiny.trace, layer, 4, WIDE)
        equal(written.sum(0), tiny.trace.layers[layer].resid_pre[4])
        split = split_scores(tiny.architecture, tiny.trace, scored, [4])
        names = list_parts(tiny.architecture, layer, 0, 4, NodeKind.QUERY)
        assert len(names) == split.query.shape[1] == split.key.shape[1]
        assert len(set(names)) == len(names)
        n_constants = len(names) - len(written)
        has_norm_bias = block.ln1 is not None and block.ln1.bias is not None
        assert (NodeKind.LN1 in {one.kind for one in names}) == has_norm_bias
        assert n_constants == len(scored.query.constants)
        # A part's share by hand: its vector through the norm, its scale held, and the weights.
        part = len(written) - 1
        resid = tiny.trace.layers[layer].resid_pre[4]
        normed = written[part]
        if block.ln1 is not None:
            normed = block.ln1.linear(normed, block.ln1.scale(resid))
        raw = normed @ block.attention.w_q[0]
        if block.attention.q_norm is None and not block.attention.rotary:
            by_hand = scored.key.whole[:5] @ raw * block.attention.score_scale
            equal(split.query[0, part], less_mean(by_hand, scored.seen[4, :5]))


def test_what_a_source_gets_without_a_part_is_the_models_own_attention_without_it(tiny: Specimen):
    """Against the attention run again on a residual without the part.

    A query's part is left out at the reader, where it changes the reader's own key as well: so
    only the earlier sources are compared, by their parts of what they get together.
    """
    layer, reader, source = 2, 6, 4
    for head in (0, 3):
        scored = score_head(tiny.architecture, tiny.trace, layer, head, WIDE)
        for side, position in ((scored.query, reader), (scored.key, source)):
            resid = tiny.trace.layers[layer].resid_pre[position]
            written = written_at(tiny.architecture, tiny.trace, layer, position, WIDE)
            changed = side.without_each(resid, written, position)
            for part in (0, 1, len(written) - 1):
                theirs = attention_with(tiny, layer, position, resid - written[part])
                theirs = theirs[head, reader]
                if side is scored.key:
                    ours = scored.attend_with(changed, NodeKind.KEY, reader, source)[part]
                    equal(ours, theirs[source])
                    continue
                places = [one for one in range(reader) if theirs[one] > 0]
                ours = torch.stack([
                    scored.attend_with(changed, NodeKind.QUERY, reader, one)[part]
                    for one in places
                ])  # fmt: skip
                equal(ours / ours.sum(), theirs[places] / theirs[places].sum())


def attention_with(tiny: Specimen, layer: int, position: int, resid: Tensor) -> Tensor:
    """A layer's own pattern with another residual at one position."""
    call = tiny.trace.layers.calls[layer]
    changed = call.residual.clone()
    changed[0, position] = resid
    inputs = (changed, *call.inputs[1:]) if call.inputs else ()
    named = call.named if call.inputs else {**call.named, "hidden_states": changed}
    block, found = tiny.architecture.blocks[layer], list[Tensor]()
    hook = block.attention.module.register_forward_hook(
        lambda module, args, output: found.append(output[1][0])
    )
    with torch.no_grad(), Float64Throughout():
        block.module(*inputs, **named)
    hook.remove()
    return found[0]


def test_without_its_biases_a_query_is_what_the_rest_makes_of_it():
    """By hand, for a norm's bias and the projection's: GPT-2 has both and turns nothing."""
    tiny = specimen("gpt2")
    scored = score_head(tiny.architecture, tiny.trace, 2, 1, WIDE)
    block, recorded = tiny.architecture.blocks[2], tiny.trace.layers[2]
    written = written_at(tiny.architecture, tiny.trace, 2, 5, WIDE)
    changed = scored.query.without_each(recorded.resid_pre[5], written, 5)
    w_q, b_q = block.attention.w_q[1], block.attention.b_q[1]
    equal(changed[-2], (recorded.ln1[5] - block.ln1.bias) @ w_q + b_q)
    equal(changed[-1], recorded.ln1[5] @ w_q)


def test_the_key_side_of_a_planted_induction_head_names_the_previous_token_head_first():
    """And its query side the token that it reads from: the embedding."""
    tiny = planted()
    ids = tiny.tokenizer(PROMPT, add_special_tokens=False)["input_ids"]
    trace = record(tiny.model, tiny.architecture, ids)
    earlier, induction = (
        NodeId.parse(f"{PREVIOUS_TOKEN}@{SOURCE}"),
        NodeId.parse(f"{INDUCTION}@{LAST}"),
    )
    assert float(trace.layers[0].attention[earlier.head, SOURCE, SOURCE - 1]) > 0.99
    assert float(trace.layers[1].attention[induction.head, LAST, SOURCE]) > 0.99
    scored = score_head(tiny.architecture, trace, 1, induction.head, WIDE)
    split = split_scores(tiny.architecture, trace, scored, [LAST], SOURCE)
    keys = list_parts(tiny.architecture, 1, induction.head, SOURCE, NodeKind.KEY)
    queries = list_parts(tiny.architecture, 1, induction.head, LAST, NodeKind.QUERY)
    by_key, by_query = split.key[0, :, SOURCE], split.query[0, :, SOURCE]
    assert str(keys[int(by_key.argmax())]) == str(earlier)
    assert str(queries[int(by_query.argmax())]) == f"embed@{LAST}"
    assert float(by_key.max()) > 0.9 * float(split.scores[0, SOURCE])
    pair = int(split.pairs[0].argmax())
    assert str(queries[pair // len(keys)]) == f"embed@{LAST}"
    assert str(keys[pair % len(keys)]) == str(earlier)
    # No other part is missed as much.
    written = written_at(tiny.architecture, trace, 1, SOURCE, WIDE)
    changed = scored.key.without_each(trace.layers[1].resid_pre[SOURCE], written, SOURCE)
    without = scored.attend_with(changed, NodeKind.KEY, LAST, SOURCE)
    assert int(without.argmin()) == int(by_key.argmax())
    assert float(without.min()) < 0.8 < 0.99 < float(without.max())
