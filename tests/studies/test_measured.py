"""What the studies that come with visit measure of the bundled model, against its own questions."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from visit.engine.questions import Measure
from visit.engine.surveys import ReadMemories
from visit.errors import RequestError
from visit.graph.effect import agreement_of
from visit.graph.kinds import NodeKind
from visit.graph.request import Request
from visit.session import Session
from visit.studies import Column, Prompt, Surveyed, Unmeasured, columns_of
from visit.studies.catalogue import STUDIES
from visit.studies.prompts import read_source

N = 6


@pytest.fixture(scope="module")
def session() -> Session:
    return Session.load("mini")


@pytest.fixture(scope="module")
def prompts() -> tuple[Prompt, ...]:
    return read_source("capitals", limit=N, seed=3).prompts


@pytest.mark.parametrize("name", ["heads-and-residual", "norms-as-filters", "right-and-wrong",
                                  "head-scores", "sinks"])  # fmt: skip
def test_a_prompt_has_the_row_that_it_has_alone(
    session: Session, prompts: tuple[Prompt, ...], name: str
):
    """In float32, in which readings of near-equal tokens may change places at the end of a list."""
    study = STUDIES[name]()
    together = study.measure(session, prompts, {})
    assert together.places == tuple(range(N)) and not together.failed
    alone = [study.measure(session, [one], {}) for one in prompts]
    for column in together.columns:
        ours = together.values[column.name]
        theirs = np.concatenate([one.values[column.name] for one in alone])
        if ours.dtype == object or column.name in ("losers", "gainers"):
            assert (ours == theirs).mean() > 0.95
        elif column.name.split("_")[0] in ("head", "bare", "random", "attention", "block", "value",
                                           "query"):  # fmt: skip
            assert np.nanmean(np.abs(ours - theirs)) < 2e-3
        else:
            np.testing.assert_allclose(ours, theirs, rtol=2e-3, atol=2e-5)


def test_always_on_memories_are_those_of_the_sample(session: Session, prompts: tuple[Prompt, ...]):
    study = STUDIES["always-on"](strongest=20, often=0.6, sample=3, seed=1)
    prepared = study.prepare(session, prompts)
    assert len(prepared["sampled"]) == 3
    architecture = session.resident.loaded.architecture
    counts = np.zeros((architecture.sizes.n_layers, architecture.sizes.d_mlp))
    total = np.zeros_like(counts)
    for id_ in prepared["sampled"]:
        trace = session.resident.trace(Request(prompts[id_].text), lambda *_: None)
        for layer, recorded in enumerate(trace.layers):
            strongest = recorded.activation[-1].abs().topk(20).indices
            counts[layer, strongest.numpy()] += 1
            total[layer] += recorded.activation.mean(0).numpy()
    expected = [list(one) for one in np.argwhere(counts / 3 >= 0.6)]
    assert prepared["memories"] == expected and expected
    for (layer, number), mean in zip(prepared["memories"], prepared["means"], strict=True):
        assert mean == pytest.approx(total[layer, number] / 3, rel=1e-4, abs=1e-6)
    own, others = ({tuple(one) for one in prepared[name]} for name in ("memories", "others"))
    assert len(own) == len(others) and not own & others
    assert sorted(layer for layer, _ in own) == sorted(layer for layer, _ in others)

    rows = study.measure(session, prompts, prepared)
    for row, one in enumerate(prompts):
        trace = session.resident.trace(Request(one.text), lambda *_: None)
        for layer, recorded in enumerate(trace.layers):
            strongest = set(recorded.activation[-1].abs().topk(20).indices.tolist())
            n_on = sum(number in strongest for at, number in own if at == layer)
            assert rows.values["n_on"][row, layer] == n_on
    assert rows.values["confidence"][:, 0] == pytest.approx(
        [session.explain(Request(one.text, effects=False)).predictions[0].prob for one in prompts],
        rel=1e-4,
    )


def test_memories_say_what_their_values_do(session: Session):
    (found,) = session.ask(ReadMemories.of([(2, 5)]))
    architecture = session.resident.loaded.architecture
    value = architecture.blocks[2].mlp.w_out[5]
    logits = architecture.logits_from(
        architecture.final_norm(value) @ architecture.unembedding, architecture.unembedding_bias
    )
    assert found.words[0] == session.resident.tokens.text(int(logits.argmax()))
    assert found.norm == pytest.approx(float(value.norm()), rel=1e-5)
    entropy = torch.distributions.Categorical(logits=logits).entropy() / np.log(2)
    assert found.entropy == pytest.approx(float(entropy), rel=1e-4)
    with pytest.raises(RequestError, match=r"\[9, 5\] is no memory; give layers below 6"):
        session.ask(ReadMemories.of([(9, 5)]))


def test_agreement_is_that_of_the_measured_effects(session: Session, prompts: tuple[Prompt, ...]):
    study = STUDIES["agreement"]()
    found = study.measure(session, [*prompts[:2], Prompt(2, 3, "")], {})
    assert found.places == (0, 1) and len(found.failed) == 1
    for row, one in enumerate(prompts[:2]):
        effects = session.ask(Measure(Request(one.text), ("heads", "mlp"))).effects
        for at, kind in enumerate((NodeKind.HEAD, NodeKind.MLP)):
            own = [effect for effect in effects if effect.sites[0].kind is kind]
            assert found.values["n"][row, at] == len(own)
            for way, agreement in enumerate(agreement_of(own).values()):
                assert found.values["pearson"][row, at, way] == pytest.approx(
                    agreement.pearson, rel=1e-5
                )
                assert found.values["sign"][row, at, way] == pytest.approx(agreement.sign)
            reversed_ = sum(effect.flag == "reversed" for effect in own) / len(own)
            assert found.values["reversed"][row, at] == pytest.approx(reversed_)


def test_of_no_prompt_at_all_no_axes_are_known():
    """What a study says of prompts that all failed: an empty array has no axes but the first."""
    column = Column("prob", "probability of the ten likeliest tokens", ("rank",))
    failed = (Unmeasured(0, "too long"),)
    assert Surveyed((column,), {"prob": np.array([])}, (), failed).failed == failed


def test_columns_of_name_their_axes():
    found = columns_of(a=[1.0, 2.0], b=[[1, 2], [3, 4]], c=["x", "y"], d=np.zeros((2, 3, 4)))
    assert [(one.name, one.axes) for one in found.columns] == [
        ("a", ()), ("b", ("place",)), ("c", ()), ("d", ("axis 1", "axis 2")),
    ]  # fmt: skip
    assert found.places == (0, 1)
