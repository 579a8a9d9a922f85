"""What ``Measure`` answers: the numbers of a plain pass, its references, and what it refuses."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from visit.engine.questions import Measure
from visit.errors import RequestError
from visit.formats.effects import effects_from_json, json_from_effects
from visit.formats.effects_summary import text_from_effects
from visit.graph.effects import Effects, Flag, TokenDelta
from visit.graph.interventions import OWN_PROMPT, Positions, Unit
from visit.graph.request import Request
from visit.session import Session

JAPAN, FRANCE = "The capital of Japan is the city of", "The capital of France is the city of"
LAST = 7


@pytest.fixture(scope="module")
def session() -> Session:
    return Session.load("mini", dtype="float64")


@pytest.fixture(scope="module")
def zeroed(session: Session) -> Effects:
    return session.ask(Measure(Request(JAPAN), ("heads", "attn", "mlp", "memories"), memories=5))


def log_probs_with(
    session: Session, layer: int, kind: str, value: torch.Tensor | float
) -> torch.Tensor:
    """By a hook of the test's own: what the block's attention or MLP writes at the end is this."""
    loaded = session.resident.loaded
    block = loaded.architecture.blocks[layer]
    module = block.mlp.output if kind == "mlp" else block.attention.output

    def hook(_module: object, _args: object, output: torch.Tensor) -> torch.Tensor:
        output = output.clone()
        output[0, LAST] = value
        return output

    handle = module.register_forward_hook(hook)
    ids = [token.id for token in session.resident.tokens.read(Request(JAPAN))]
    try:
        with torch.no_grad():
            logits = loaded.model(input_ids=torch.tensor([ids])).logits[0, LAST]
    finally:
        handle.remove()
    return logits.double().log_softmax(-1)


def test_a_measured_effect_is_the_plain_passs_own(session: Session, zeroed: Effects):
    by_site = {str(one.sites[0]): one for one in zeroed.effects}
    candidates = [token.id for token in zeroed.metric.candidates]
    for layer, kind in ((1, "attn"), (4, "mlp")):
        after = log_probs_with(session, layer, kind, 0.0)
        one = by_site[f"L{layer}.{kind}@{LAST}"]
        # Differences of log-probabilities are differences of logits.
        metric = float(after[zeroed.target.id] - after[candidates].mean())
        assert one.measured == pytest.approx(metric - zeroed.base.metric, abs=1e-5)
        assert one.after.prob == pytest.approx(float(after[zeroed.target.id].exp()), abs=1e-6)
        assert one.after.rank == 1 + int((after > after[zeroed.target.id]).sum())
        best = after.topk(3).indices.tolist()
        assert [token.id for token in one.after.top[:3]] == best


def test_predictions_are_the_graphs_own_numbers(session: Session, zeroed: Effects):
    """Of zero ablation: minus the direct logit, and minus the flow."""
    flow = session.explain(Request(JAPAN, heads=6))
    edges = {
        str(edge.source): edge for edge in flow.edges if edge.ledger and edge.ledger == "heads"
    }
    nodes = {str(node.id): node for node in flow.nodes}
    compared = 0
    for one in zeroed.effects:
        name = str(one.sites[0])
        if name in edges and ".head" in name:
            assert one.direct == pytest.approx(-edges[name].direct_logit, abs=1e-6)
            assert one.flow == pytest.approx(-nodes[name].flow, abs=1e-6)
            compared += 1
    assert compared == 36


def test_sites_and_sorts_are_named_once_each(session: Session, zeroed: Effects):
    assert len(zeroed.effects) == 36 + 6 + 6 + 6 * 5
    sites = [str(one.sites[0]) for one in zeroed.effects]
    assert len(set(sites)) == len(sites)
    sizes = [abs(one.measured) for one in zeroed.effects]
    assert sizes == sorted(sizes, reverse=True)


def test_agreement_is_of_all_sites_listed(zeroed: Effects):
    assert {way: one.n for way, one in zeroed.agreement.items()} == dict.fromkeys(
        ("direct", "flow", "estimate"), len(zeroed.effects)
    )
    assert zeroed.agreement["estimate"].spearman > 0.5


def test_an_effects_document_reads_back_the_same(zeroed: Effects):
    text = json_from_effects(zeroed, "2026-01-01T00:00:00+00:00")
    assert effects_from_json(text) == zeroed
    assert json_from_effects(effects_from_json(text), "2026-01-01T00:00:00+00:00") == text


def test_a_summary_lists_the_strongest_first_and_says_of_how_many(zeroed: Effects):
    text = text_from_effects(zeroed, 3)
    assert f"(the 3 strongest of {len(zeroed.effects)})" in text
    assert str(zeroed.effects[0].sites[0]) in text
    assert "Spearman" in text


def test_a_summary_names_no_token_that_moves_by_less_than_it_shows(zeroed: Effects):
    one = next(one for one in zeroed.effects if one.after is not None and one.after.gains)
    assert one.after is not None
    gains = (TokenDelta(1, " much", 0.2), TokenDelta(2, " noise", 4e-7))
    losses = (TokenDelta(3, " little", -0.0006), TokenDelta(4, " less", -0.0004))
    after = replace(one.after, gains=gains, losses=losses)
    row = text_from_effects(replace(zeroed, effects=(replace(one, after=after),)), 1)
    assert "-·little +·much\n" in row
    assert "noise" not in row and "·less" not in row


def test_flags_say_what_is_repaired_and_reversed(zeroed: Effects):
    one = next(one for one in zeroed.effects if one.direct and abs(one.direct) > 0.1)
    assert replace(one, direct=1.0, measured=-0.5).flag is Flag.REVERSED
    assert replace(one, direct=1.0, measured=0.2).flag is Flag.REPAIRED
    assert replace(one, direct=1.0, measured=0.3).flag is None
    assert replace(one, direct=0.001, measured=-0.5).flag is None
    assert replace(one, direct=1.0, measured=None).flag is None


@pytest.mark.parametrize("positions", [Positions.TRACED, Positions.ALL, Positions.EACH])
def test_together_is_one_pass_with_all_of_it(session: Session, positions: Positions):
    answer = session.ask(Measure(Request(JAPAN), ("mlp",), positions=positions, together=True))
    (one,) = answer.effects
    assert len(one.sites) == {"traced": 6, "all": 6, "each": 48}[positions]
    assert one.measured != 0


def test_all_positions_together_are_each_of_them_together(session: Session):
    one, other = (
        session.ask(Measure(Request(JAPAN), ("attn",), positions=positions, together=True))
        for positions in (Positions.ALL, Positions.EACH)
    )
    assert one.effects[0].measured == pytest.approx(other.effects[0].measured, abs=1e-9)


def test_a_patch_says_how_much_of_the_way_it_goes(session: Session):
    """All of it, where the whole residual at the traced position is the reference's."""
    answer = session.ask(
        Measure(Request(JAPAN, target=" Tokyo", versus=" Paris"), ("resid",), "patch", (FRANCE,))
    )
    last = next(one for one in answer.effects if str(one.sites[0]) == f"L5.resid_post@{LAST}")
    assert last.normalised == pytest.approx(1.0, abs=1e-9)
    assert answer.reference.metric == pytest.approx(answer.base.metric + last.measured, abs=1e-9)


def test_a_mean_over_own_positions_leaves_out_the_first(session: Session):
    answer = session.ask(Measure(Request(JAPAN), ("L4.mlp@7",), "mean", (OWN_PROMPT,)))
    trace = session.resident.trace(Request(JAPAN), lambda *_: None)
    mean = trace.layers[4].mlp_out[1:].mean(0)
    added = session.ask(Measure(Request(JAPAN), ("L4.mlp@7",), "zero"))
    assert answer.reference.n_positions == LAST
    expected = log_probs_with(session, 4, "mlp", mean)
    candidates = [token.id for token in answer.metric.candidates]
    metric = float(expected[answer.target.id] - expected[candidates].mean())
    assert answer.effects[0].measured == pytest.approx(metric - answer.base.metric, abs=1e-5)
    assert answer.effects[0].measured != added.effects[0].measured


def test_the_bundled_texts_means_are_kept(session: Session, cache_of_its_own: Path):
    question = Measure(Request(JAPAN), ("attn",), "mean")
    first = session.ask(question)
    assert first.reference.n_positions > 500
    (file,) = (cache_of_its_own / "means").iterdir()
    session.resident.traces.clear()
    again = session.ask(question)
    assert again.effects == first.effects
    file.write_bytes(b"cut short")
    assert session.ask(question).effects == first.effects


@pytest.fixture
def cache_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VISIT_CACHE", str(tmp_path))
    return tmp_path


def test_a_resample_is_the_same_every_time(session: Session):
    question = Measure(Request(JAPAN), ("heads",), "resample", (FRANCE, "One two three four"))
    one, other = session.ask(question), session.ask(question)
    assert one.effects == other.effects
    assert any(abs(effect.measured) > 0.01 for effect in one.effects)


def test_the_divergence_has_no_prediction_and_is_never_negative(session: Session):
    answer = session.ask(Measure(Request(JAPAN), ("attn",), unit=Unit.KL))
    assert all(one.estimate is None and one.measured >= 0 for one in answer.effects)
    assert answer.agreement == {}
    for one in answer.effects:
        assert one.measured == pytest.approx(one.after.kl)


def test_a_log_probability_is_estimated_by_its_own_gradient(session: Session):
    """By finite difference: a change of one part in ten thousand."""
    answer = session.ask(
        Measure(Request(JAPAN), ("attn", "mlp"), how="scale:0.9999", unit=Unit.LOGPROB)
    )
    for one in answer.effects:
        assert one.estimate == pytest.approx(one.measured, rel=2e-2, abs=1e-9)


def test_estimates_alone_measure_nothing(session: Session):
    answer = session.ask(Measure(Request(JAPAN), ("heads",), estimate_only=True, steps=3))
    assert all(one.measured is None and one.after is None for one in answer.effects)
    assert len(answer.effects) == 36
    assert effects_from_json(json_from_effects(answer)) == answer


@pytest.mark.parametrize(
    ("parts", "how", "reference", "said"),
    [
        (("L9.mlp@7",), "zero", (), "L9.mlp@7 does not exist"),
        (("L1.mlp@9",), "zero", (), "comes after the traced position 7"),
        (("teeth",), "zero", (), "'teeth' is not a site"),
        ((), "zero", (), "no part is named"),
        (("L1.ln1@7",), "zero", (), "ln1 cannot be changed"),
        (("mlp",), "patch", (), "needs a reference prompt"),
        (("mlp",), "patch", ("One two",), "has 2 tokens and the prompt 8"),
        (("mlp",), "zero", (FRANCE,), "needs no reference"),
        (("mlp",), "scale", (), "scale needs its number"),
        (("mlp",), "melt", (), "how 'melt' is not known"),
        (("L1.head1@7",), "knockout", (), "cannot be knocked out"),
        (("L0.head0@7<0", "L0.head0@7<9"), "zero", (), "reads from a later position"),
        (("L1.head1@0<0",), "knockout", (), "position 0 reads itself alone"),
    ],
)
def test_what_cannot_be_changed_so_is_refused_in_one_line(
    session: Session, parts: tuple[str, ...], how: str, reference: tuple[str, ...], said: str
):
    with pytest.raises(RequestError, match=re.escape(said)) as refused:
        session.ask(Measure(Request(JAPAN), parts, how, reference))
    assert "\n" not in str(refused.value)


def test_a_change_that_computes_no_numbers_is_named(session: Session):
    with pytest.raises(RequestError, match=r"scale:1e300 at L1.mlp@7 computes NaN or infinity"):
        session.ask(Measure(Request(JAPAN), ("L1.mlp@7",), "scale:1e300"))


@pytest.mark.parametrize("position", [3, 7])
def test_a_head_that_is_left_nothing_to_read_is_named(session: Session, position: int):
    sites = tuple(f"L1.head2@{position}<{source}" for source in range(position + 1))
    with pytest.raises(RequestError, match="was the last source left to its head there"):
        session.ask(Measure(Request(JAPAN), sites, "knockout", together=True))
    (but_one,) = session.measure(Request(JAPAN), *sites[1:], how="knockout", together=True).effects
    assert but_one.measured is not None
    assert (but_one.after is not None) and 0 < but_one.after.prob < 1


def test_the_first_token_goes_on_where_no_other_may_read_it(session: Session):
    every = session.measure(Request(JAPAN), "L1.head2@*<0", how="knockout", together=True)
    named = tuple(f"L1.head2@{reader}<0" for reader in range(1, 8))
    alone = session.measure(Request(JAPAN), *named, how="knockout", together=True)
    assert every.effects[0].measured == pytest.approx(alone.effects[0].measured, abs=1e-5)


def test_a_session_measures_in_one_call(session: Session):
    one = session.measure(Request(JAPAN), "L4.mlp@7", how="scale:0.5")
    assert one == session.ask(Measure(Request(JAPAN), ("L4.mlp@7",), "scale:0.5"))


@pytest.mark.parametrize("unit", Unit)
def test_a_patch_of_everything_goes_all_the_way_in_every_unit(session: Session, unit: Unit):
    question = Measure(Request(JAPAN), ("L5.resid_post@7",), "patch", (FRANCE,), unit=unit)
    (whole,) = session.ask(question).effects
    assert whole.normalised == pytest.approx(1.0, abs=1e-9)
    (part,) = session.ask(replace(question, parts=("L3.head4@7",))).effects
    assert part.normalised == pytest.approx(part.measured / whole.measured, rel=1e-9)


@pytest.mark.parametrize("how", ["zero", "mean", "scale:0.5"])
def test_what_is_changed_together_counts_once(session: Session, how: str):
    """A head of an attention that is changed, or of all its positions, is changed with it."""
    wholes = ("attn", "L2.mlp@7", "L1.head3@*")
    inside = ("heads", "L2.memory3.value@7", "L1.head3@5", "L1.head3@7")
    if how == "scale:0.5":
        inside += ("L1.head3@7<2", "L3.attn_bias@7")
    (both,) = session.measure(Request(JAPAN), *wholes, *inside, how=how, together=True).effects
    (alone,) = session.measure(Request(JAPAN), *wholes, how=how, together=True).effects
    assert both == alone
    assert {str(site) for site in both.sites} >= {"L2.mlp@7", "L1.head3@*", "L0.attn@7"}


def test_a_part_beside_another_one_is_no_part_of_it(session: Session):
    sites = ("L2.attn@6", "L2.head3@7", "L3.head3@6", "L2.mlp@6", "L2.memory3.value@7")
    (one,) = session.measure(Request(JAPAN), *sites, together=True).effects
    assert {str(site) for site in one.sites} == set(sites)


@pytest.mark.parametrize("asked", [{"estimate_only": True}, {"steps": 3}])
def test_a_divergence_is_not_predicted(asked: dict[str, object]):
    with pytest.raises(RequestError, match="no gradient predicts it"):
        Measure(Request(JAPAN), unit=Unit.KL, **asked)


def test_a_changed_pass_that_computes_no_numbers_is_told_from_a_model_that_does_not(
    session: Session,
):
    request = Request(JAPAN, interventions=("L1.mlp@7 scale:1e300",))
    with pytest.raises(RequestError, match=r"changed at L1.mlp@7 computes NaN or infinity"):
        session.explain(request)
