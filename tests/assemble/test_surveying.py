"""Every survey's columns are those of a plain loop over prompts that run by themselves."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from numbered import numbered
from specimens import logits_of
from torch import Tensor

from visit.assemble.surveying import batches
from visit.attribution.projections import keys_by_source, queries_at
from visit.engine.surveys import (
    Survey,
    SurveyDepths,
    SurveyHeads,
    SurveyMemories,
    SurveyNorms,
    SurveyPatterns,
    SurveyRemoval,
    SurveySinks,
)
from visit.errors import RequestError
from visit.graph.request import Request
from visit.graph.studied.columns import Surveyed
from visit.graph.studied.function_words import WordClass, word_classes
from visit.models.architectures import Architecture
from visit.session import Session
from visit.tracing.hooks import run_like
from visit.tracing.trace import Trace, record

PROMPTS = ("3 14 15 9 26 5", "35 8 9", "2", "2 3 14 15 4 4 21 6 7", "9 8 9 8 9 30")
TARGETS = (" 7", " 8", " 9", "", " 12")
FAMILIES = ("gpt2", "bloom", "falcon-7b", "llama-gqa", "gemma2", "qwen3")
K = 7


def ask(session: Session, kind: type[Survey], **named: object) -> Surveyed:
    question = kind(Request("1"), PROMPTS, TARGETS, **named)
    return session.ask(question)


def traces(session: Session) -> list[Trace]:
    loaded = session.resident.loaded
    return [
        record(loaded.model, loaded.architecture, [int(one) for one in prompt.split()])
        for prompt in PROMPTS
    ]


def lens(architecture: Architecture, vector: Tensor) -> Tensor:
    return logits_of(architecture, architecture.final_norm(vector.double()))


def top(architecture: Architecture, vector: Tensor, k: int = K) -> set[int]:
    return set(lens(architecture, vector).topk(k).indices.tolist())


def shared(a: set[int], b: set[int]) -> float:
    return len(a & b) / K


def written(architecture: Architecture, trace: Trace, layer: int, head: int, z: Tensor) -> Tensor:
    """What a head's z becomes when it is added, by the model's own projection."""
    attention, recorded = architecture.blocks[layer].attention, trace.layers[layer]
    vector = z @ attention.w_o[head]
    return vector if recorded.attn_gain is None else vector * recorded.attn_gain[-1]


def check(ours: np.ndarray, theirs: Sequence[object], tolerance: float = 1e-9) -> None:
    np.testing.assert_allclose(
        ours.astype(float), np.array(theirs, float), rtol=tolerance, atol=tolerance
    )


@pytest.mark.parametrize("name", FAMILIES)
def test_heads_overlap_as_a_loop_over_heads_finds(name: str):
    session = numbered(name)
    found = ask(session, SurveyHeads, k=K, values=3)
    architecture = session.resident.loaded.architecture
    sizes = architecture.sizes
    for row, trace in enumerate(traces(session)):
        final = top(architecture, trace.residuals[-1][-1])
        for layer, recorded in enumerate(trace.layers):
            whole = {
                "attention": top(architecture, recorded.attn_out[-1]),
                "block": top(architecture, recorded.resid_post[-1]),
                "final": final,
            }
            values = found.values
            assert values["attention_block"][row, layer] == pytest.approx(
                shared(whole["attention"], whole["block"])
            )
            assert values["block_final"][row, layer] == pytest.approx(shared(whole["block"], final))
            for head in range(sizes.n_heads):
                z = recorded.z[-1, head]
                vector = written(architecture, trace, layer, head, z)
                assert values["norm"][row, layer, head] == pytest.approx(float(vector.norm()))
                own = top(architecture, vector)
                for of, tokens in whole.items():
                    assert values[f"head_{of}"][row, layer, head] == pytest.approx(
                        shared(own, tokens)
                    )
                if sizes.n_heads * sizes.d_head == sizes.d_model:
                    bare = torch.zeros(sizes.d_model).double()
                    bare[head * sizes.d_head : (head + 1) * sizes.d_head] = z
                    overlap = shared(top(architecture, bare), whole["block"])
                    assert values["bare_block"][row, layer, head] == pytest.approx(overlap)
                else:
                    assert np.isnan(values["bare_block"][row, layer, head])
                check_values(session, found, row, trace, layer, head, own)


def check_values(
    session: Session, found: Surveyed, row: int, trace: Trace, layer: int, head: int, own: set[int]
) -> None:
    """The sources that it attends to most; NaN where the prompt has no more."""
    architecture = session.resident.loaded.architecture
    attention, recorded = architecture.blocks[layer].attention, trace.layers[layer]
    order = recorded.attention[head, -1].argsort(descending=True, stable=True).tolist()
    for rank in range(3):
        ours = [
            found.values[name][row, layer, head, rank] for name in ("value_head", "value_token")
        ]
        if rank >= len(order):
            assert np.isnan(ours).all()
            continue
        source = order[rank]
        v = attention.value(recorded.ln1[source], head)
        vector = written(architecture, trace, layer, head, v)
        said = lens(architecture, vector).softmax(-1)
        assert ours[0] == pytest.approx(shared(top(architecture, vector), own))
        assert ours[1] == pytest.approx(float(said[trace.token_ids[source]]))


@pytest.mark.parametrize("name", FAMILIES)
def test_queries_and_keys_are_read_where_they_meet(name: str):
    """Directions whose products with the residuals are the scores, norms of queries aside."""
    session = numbered(name)
    found = ask(session, SurveyHeads, k=K, values=0).values
    assert "value_head" not in found
    architecture = session.resident.loaded.architecture
    n_heads, n_kv_heads = architecture.sizes.n_heads, architecture.sizes.n_kv_heads
    for row, trace in enumerate(traces(session)):
        last = len(trace.token_ids) - 1
        for layer, recorded in enumerate(trace.layers):
            attention = architecture.blocks[layer].attention
            queries = queries_at(architecture, trace, layer, last)
            keys = keys_by_source(architecture, trace, layer)
            for head in range(n_heads):
                kv_head = head * n_kv_heads // n_heads
                source = int(recorded.attention[head, -1].argmax())
                gains = [
                    1.0 if norm is None else norm.gain.view(-1, architecture.sizes.d_head)[at % len(
                        norm.gain.view(-1, architecture.sizes.d_head))]
                    for norm, at in ((attention.k_norm, kv_head), (attention.q_norm, head))
                ]  # fmt: skip
                seeks = attention.w_k[kv_head] @ (queries[head] * gains[0])
                offered = attention.w_q[head] @ (keys[kv_head, source] * gains[1])
                overlap = shared(top(architecture, seeks), top(architecture, offered))
                assert found["query_key"][row, layer, head] == pytest.approx(overlap)


@pytest.mark.parametrize("name", FAMILIES)
def test_norms_are_read_before_and_after(name: str):
    session = numbered(name)
    found = ask(session, SurveyNorms).values
    architecture = session.resident.loaded.architecture
    names = [
        f"{layer}.{kind}" for layer in range(session.model.n_layers) for kind in ("ln1", "ln2")
    ]
    names.append("final_norm")
    assert found["before"].shape[1] == len(names)
    order = list(WordClass)
    classes = [order.index(one) for one in word_classes(session.resident.tokens.texts(range(61)))]
    for row, trace in enumerate(traces(session)):
        target = TARGETS[row]
        target_id = int(target) if target else int(trace.logits[-1].argmax())
        for place, norm in enumerate(names):
            read = read_norm(architecture, trace, norm)
            if read is None:
                assert np.isnan(found["entropy_after"][row, place])
                assert (found["losers"][row, place] == -1).all()
                continue
            before, after = read
            for logits, end in ((before, "before"), (after, "after")):
                probs = logits.softmax(-1)
                mass = [sum(float(p) for p, c in zip(probs, classes, strict=True) if c == n)
                        for n in range(len(order))]  # fmt: skip
                check(found[end][row, place], mass, 1e-8)
                entropy = -sum(float(p) * float(p.log2()) for p in probs if p > 0)
                assert found[f"entropy_{end}"][row, place] == pytest.approx(entropy, rel=1e-6)
                rank = 1 + int((logits > logits[target_id]).sum())
                assert found[f"rank_{end}"][row, place] == rank
            change = after.softmax(-1) - before.softmax(-1)
            assert found["losers"][row, place].tolist() == change.argsort()[:10].tolist()
            assert found["gainers"][row, place].tolist() == change.argsort().flip(0)[:10].tolist()
            said = json.loads(found["words"][row])[place]
            assert said == [[f" {id_}" for id_ in found[name][row, place][:3].tolist()]
                            for name in ("losers", "gainers")]  # fmt: skip


def read_norm(architecture: Architecture, trace: Trace, name: str) -> tuple[Tensor, Tensor] | None:
    if name == "final_norm":
        x, norm = trace.residuals[-1][-1], architecture.final_norm
        centred = x - x.mean() if norm.centers else x
        spread = (centred.square().mean() + norm.epsilon).sqrt()
        return logits_of(architecture, centred / spread), trace.logits[-1]
    layer, kind = int(name.split(".")[0]), name.split(".")[1]
    recorded, block = trace.layers[layer], architecture.blocks[layer]
    if getattr(block, kind) is None or (kind == "ln2" and block.ln2 is block.ln1):
        return None
    middle = recorded.resid_pre if recorded.resid_mid is None else recorded.resid_mid
    x = recorded.resid_pre[-1] if kind == "ln1" else middle[-1]
    module = (block.ln1 if kind == "ln1" else block.ln2).module
    with run_like(x):
        normed = module(x)
    return lens(architecture, x), lens(architecture, normed)


@pytest.mark.parametrize("name", FAMILIES)
def test_depths_are_the_lens_of_every_residual(name: str):
    session = numbered(name)
    found = ask(session, SurveyDepths)
    architecture = session.resident.loaded.architecture
    assert [one.place for one in found.failed] == [3]  # it names no answer
    assert "right answer" in found.failed[0].reason
    kept = [one for row, one in enumerate(traces(session)) if row != 3]
    for row, (trace, target) in enumerate(zip(kept, [t for t in TARGETS if t], strict=True)):
        answer = int(trace.logits[-1].argmax())
        assert found.values["answer"][row] == session.resident.tokens.text(answer)
        assert found.values["is_right"][row] == (answer == int(target))
        for depth, residual in enumerate(trace.residuals):
            logits = lens(architecture, residual[-1])
            probs = logits.softmax(-1)
            values = {name: column[row, depth] for name, column in found.values.items()
                      if column.ndim == 2}  # fmt: skip
            assert values["target_prob"] == pytest.approx(float(probs[int(target)]), rel=1e-6)
            assert values["answer_prob"] == pytest.approx(float(probs[answer]), rel=1e-6)
            assert values["target_rank"] == 1 + int((logits > logits[int(target)]).sum())
            entropy = float(-(probs * probs.log2()).sum())
            assert values["entropy"] == pytest.approx(entropy, rel=1e-6)


@pytest.mark.parametrize("name", FAMILIES)
def test_the_strongest_memories_and_what_holding_them_does(name: str):
    session = numbered(name)
    found = ask(session, SurveyMemories, strongest=5).values
    loaded = session.resident.loaded
    all_traces = traces(session)
    for row, trace in enumerate(all_traces):
        for layer, recorded in enumerate(trace.layers):
            activation = recorded.activation[-1]
            order = activation.abs().argsort(descending=True)[:5]
            assert found["strongest"][row, layer].tolist() == order.tolist()
            check(found["activation"][row, layer], activation[order].tolist(), 1e-6)

    memories, others = ((0, 3), (1, 7)), ((0, 4), (1, 9))
    removed = ask(session, SurveyRemoval, memories=memories, means=(0.2, -0.1), others=others,
                  other_means=(0.0, 0.3), strongest=9).values  # fmt: skip
    for row, trace in enumerate(all_traces):
        for layer, recorded in enumerate(trace.layers):
            active = recorded.activation[-1].abs().topk(9).indices.tolist()
            n_on = sum(number in active for at, number in memories if at == layer)
            assert removed["n_on"][row, layer] == n_on
    conditions = [(), ((memories, (0.0, 0.0))), (memories, (0.2, -0.1)), (others, (0.0, 0.0)),
                  (others, (0.0, 0.3))]  # fmt: skip
    for row, prompt in enumerate(PROMPTS):
        ids = torch.tensor([[int(one) for one in prompt.split()]])
        plain = None
        for number, condition in enumerate(conditions):
            logits = run_held(loaded.model, loaded.architecture, ids, condition)
            plain = logits if plain is None else plain
            log_probs = logits.log_softmax(-1)
            expected = {
                "entropy": float(-(log_probs[-1].exp() * log_probs[-1]).sum() / np.log(2)),
                "confidence": float(log_probs[-1].max().exp()),
                "same_top": float(logits[-1].argmax() == plain[-1].argmax()),
                "loss": float(-log_probs[-1, int(TARGETS[row])]) if TARGETS[row] else np.nan,
                "text_loss": np.nan
                if ids.shape[1] == 1
                else float(-log_probs[:-1].gather(1, ids.T[1:]).mean()),
            }
            for of, value in expected.items():
                assert float(removed[of][row, number]) == pytest.approx(
                    value, rel=1e-5, abs=1e-7, nan_ok=True
                ), (of, number)


def run_held(model: object, architecture: Architecture, ids: Tensor, condition: tuple) -> Tensor:
    hooks = []
    for (layer, number), to in zip(*condition, strict=True) if condition else ():

        def hold(module: object, given: tuple[Tensor], at: int = number, to: float = to) -> object:
            changed = given[0].clone()
            changed[..., at] = to
            return (changed,)

        output = architecture.blocks[layer].mlp.output
        hooks.append(output.register_forward_pre_hook(hold))
    try:
        with run_like(architecture.unembedding):
            return model(input_ids=ids, use_cache=False).logits[0]
    finally:
        for hook in hooks:
            hook.remove()


def test_head_scores_and_sinks_are_of_each_prompts_own_pattern():
    session = numbered("llama-gqa")
    scores = ask(session, SurveyPatterns).values["score"]
    sinks = ask(session, SurveySinks).values
    for row, trace in enumerate(traces(session)):
        n, ids = len(trace.token_ids), trace.token_ids
        looked_at: list[Callable[[int], list[int]]] = [
            lambda reader: [reader - 1] if reader else [],
            lambda reader, ids=ids: [s for s in range(reader) if ids[s] == ids[reader]],
            lambda reader, ids=ids: [s + 1 for s in range(reader - 1) if ids[s] == ids[reader]],
            lambda reader: [0] if reader else [],
        ]
        for layer, recorded in enumerate(trace.layers):
            for head, pattern in enumerate(recorded.attention):
                for kind, sources_of in enumerate(looked_at):
                    readers = [r for r in range(n) if sources_of(r)]
                    there = sum(float(pattern[r, s]) for r in readers for s in sources_of(r))
                    expected = there / len(readers) if readers else np.nan
                    assert scores[row, kind, layer, head] == pytest.approx(
                        expected, rel=1e-5, nan_ok=True
                    )
                means = [float(pattern[s:, s].mean()) for s in range(n)]
                assert sinks["on_first"][row, layer, head] == pytest.approx(means[0], rel=1e-5)
                assert sinks["on_strongest"][row, layer, head] == pytest.approx(
                    max(means), rel=1e-5
                )
                assert sinks["sink"][row, layer, head] == int(np.argmax(means))
        for depth, residual in enumerate(trace.residuals):
            sizes = residual.abs()
            assert sinks["largest"][row, depth] == pytest.approx(float(sizes.max()), rel=1e-5)
            times = float(sizes.max() / sizes.median())
            assert sinks["times_median"][row, depth] == pytest.approx(times, rel=1e-5)
            where, coordinate = divmod(int(sizes.argmax()), sizes.shape[1])
            assert (sinks["where"][row, depth], sinks["coordinate"][row, depth]) == (
                where, coordinate,
            )  # fmt: skip
            assert sinks["norm_first"][row, depth] == pytest.approx(
                float(residual[0].norm()), rel=1e-5
            )


# ---------------------------------------------------------------- batches


def test_the_same_rows_however_many_run_together():
    session = numbered("gpt2")
    one, all_ = (ask(session, SurveyHeads, k=K, positions=n).values for n in (1, 1000))
    assert all(np.array_equal(one[name], all_[name], equal_nan=True) for name in one
               if name not in ("norm", "value_token"))  # fmt: skip
    np.testing.assert_allclose(one["norm"], all_["norm"], rtol=1e-10)


def test_out_of_memory_halves_the_batch_and_goes_on(monkeypatch: pytest.MonkeyPatch):
    session, ran = numbered("gpt2"), list[int]()
    whole = ask(session, SurveyPatterns).values["score"]
    run_padded = batches.run_padded

    def run_small(
        model: object, architecture: object, prompts: object, *more: object, **named: object
    ) -> Tensor:
        ran.append(len(prompts))
        if len(prompts) > 1 or int(prompts.lengths.max()) == 9:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return run_padded(model, architecture, prompts, *more, **named)

    monkeypatch.setattr(batches, "run_padded", run_small)
    found = ask(session, SurveyPatterns)
    assert ran[0] == len(PROMPTS)
    assert found.places == (0, 1, 2, 4)
    assert [one.place for one in found.failed] == [3]
    assert found.failed[0].reason == "memory does not suffice for its 9 tokens"
    np.testing.assert_allclose(found.values["score"], whole[[0, 1, 2, 4]], rtol=1e-6)


def test_a_prompt_that_cannot_be_read_is_left_out_with_its_reason():
    session = numbered("gpt2")
    long = " ".join(["3"] * 2000)
    found = session.ask(SurveySinks(Request("1"), ("3 4", long, "5")))
    assert found.places == (0, 2)
    assert "2000 tokens long" in found.failed[0].reason
    with pytest.raises(RequestError, match="1 targets for 2 prompts; give each one"):
        SurveySinks(Request("1"), ("3", "4"), ("5",))
    with pytest.raises(RequestError, match="leave chat out"):
        session.ask(SurveySinks(Request("1", chat=True), ("3",)))


def test_a_removal_that_cannot_be_is_refused():
    session = numbered("gpt2")
    with pytest.raises(RequestError, match="is no memory; give layers below"):
        ask(session, SurveyRemoval, memories=((0, 4000),), means=(0.0,))
    with pytest.raises(RequestError, match="1 memories and 0 means"):
        ask(session, SurveyRemoval, memories=((0, 4),))
    with pytest.raises(RequestError, match="experts in place of memories"):
        ask(numbered("mixtral"), SurveyMemories)
