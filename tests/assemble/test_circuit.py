"""What ``FindCircuit`` answers: a planted circuit, exact ends, its edges, and what it refuses."""

from __future__ import annotations

import re
from typing import Any

import pytest
from planted import INDUCTION, LAST, PREVIOUS_TOKEN, PROMPT, SAYS, SOURCE, planted

from visit.engine.questions import FindCircuit
from visit.errors import RequestError
from visit.graph.circuit import Circuit, Score
from visit.graph.flow import NodeKind
from visit.graph.interventions import OWN_PROMPT, Positions
from visit.graph.request import Request
from visit.session import Session

JAPAN, FRANCE = "The capital of Japan is the city of", "The capital of France is the city of"
REQUEST = Request(JAPAN)
PLANTED = Request(PROMPT, candidates=5)


@pytest.fixture(scope="module")
def session() -> Session:
    return Session.load("mini", dtype="float64")


@pytest.fixture(scope="module")
def of_mini(session: Session) -> Circuit:
    return session.circuit(REQUEST, "heads", "mlp", reference=(FRANCE,), keep=5, checks=60)


@pytest.fixture(scope="module")
def with_planted() -> Session:
    return Session(planted())


@pytest.mark.parametrize("by", [Score.EFFECT, Score.ESTIMATE])
def test_a_planted_circuit_is_found_whole_and_minimal(with_planted: Session, by: Score):
    found = with_planted.circuit(
        PLANTED, "heads", "mlp", positions=Positions.ALL, how="zero", by=by
    )
    assert found.target.text == SAYS
    assert {str(part.site) for part in found.kept} == {f"{PREVIOUS_TOKEN}@*", f"{INDUCTION}@*"}
    assert found.chosen.faithfulness == pytest.approx(1, abs=0.05)
    for part in found.kept:
        assert part.change == pytest.approx(-1, abs=0.1)
    assert [part for part in found.parts if part.is_idle or part.is_missed] == []
    # Complete: nothing else does what the two do.
    assert found.complement.faithfulness == pytest.approx(0, abs=0.1)


def test_a_planted_circuit_is_found_at_its_two_positions(with_planted: Session):
    found = with_planted.circuit(
        PLANTED, "heads", "mlp", positions=Positions.EACH, how="zero", keep=2
    )
    wanted = {f"{PREVIOUS_TOKEN}@{SOURCE}", f"{INDUCTION}@{LAST}"}
    assert {str(part.site) for part in found.kept} == wanted
    # The previous-token head writes at the last position too, which makes the residual longer.
    assert found.chosen.faithfulness == pytest.approx(1, abs=0.2)


def test_a_circuit_named_by_hand_is_measured_as_it_is(with_planted: Session):
    by_hand = (f"{INDUCTION}@*", "L0.head0@*")
    found = with_planted.circuit(
        PLANTED, "heads", "mlp", positions=Positions.ALL, how="zero", sites=by_hand
    )
    assert {str(part.site) for part in found.kept} == set(by_hand)
    assert found.chosen.size == 2
    assert found.chosen.faithfulness == pytest.approx(0, abs=0.1)
    states = {str(part.site): part for part in found.parts}
    assert states["L0.head0@*"].is_idle
    assert states[f"{PREVIOUS_TOKEN}@*"].is_missed
    assert found.curve[2].faithfulness == pytest.approx(1, abs=0.05)


def test_all_kept_is_1_and_none_kept_is_0_exactly(of_mini: Circuit):
    none, *_, every = of_mini.curve
    assert (none.size, none.faithfulness, none.metric) == (0, 0.0, of_mini.none)
    assert (every.size, every.faithfulness) == (len(of_mini.parts), 1.0)
    assert every.metric == of_mini.base.metric
    assert of_mini.chosen in of_mini.curve and of_mini.chosen.size == 5


def test_parts_are_ranked_by_measured_effects_of_each_alone(session: Session, of_mini: Circuit):
    assert of_mini.how == "patch"
    effects = session.measure(REQUEST, "heads", "mlp", how="patch", reference=(FRANCE,)).effects
    measured = {str(one.sites[0]): one.measured for one in effects}
    assert {str(part.site): part.score for part in of_mini.parts} == pytest.approx(measured)
    sizes = [abs(part.score) for part in of_mini.parts]
    assert sizes == sorted(sizes, reverse=True)
    assert of_mini.reference is not None and of_mini.reference.prompts == (FRANCE,)


def together(session: Session, *sites: str) -> float:
    """What patching several parts together changes the metric by."""
    (effect,) = session.measure(
        REQUEST, *sites, how="patch", reference=(FRANCE,), together=True
    ).effects
    assert effect.measured is not None
    return effect.measured


def test_checks_are_differences_of_circuits_that_differ_in_one_part(
    session: Session, of_mini: Circuit
):
    kept = [str(part.site) for part in of_mini.kept]
    left = [str(part.site) for part in of_mini.parts if not part.kept]
    whole = together(session, *kept, *left)

    def part(name: str) -> Any:
        return next(one for one in of_mini.parts if str(one.site) == name)

    own = together(session, *left)
    assert of_mini.chosen.faithfulness == pytest.approx(1 - own / whole, abs=1e-9)
    complement = together(session, *kept)
    assert of_mini.complement.faithfulness == pytest.approx(1 - complement / whole, abs=1e-9)
    without = (own - together(session, kept[2], *left)) / whole
    assert part(kept[2]).change == pytest.approx(without, abs=1e-9)
    more = (own - together(session, *left[1:])) / whole
    assert part(left[0]).change == pytest.approx(more, abs=1e-9)
    assert part(left[0]).backup == pytest.approx(
        (together(session, *kept, left[0]) - complement - part(left[0]).score) / -whole, abs=1e-9
    )


def test_edges_are_what_feeds_a_part_and_direct_logits(session: Session):
    parts = ("L1.head2@3", "L2.mlp@3", "L3.memory7.value@7", "L4.head3@7", "L5.attn@7", "L4.mlp@7")
    found = session.circuit(REQUEST, *parts, how="zero", by=Score.DIRECT, sites=parts)
    edges = {(str(one.source), str(one.target)): one.flow for one in found.edges}
    fed = {
        (str(part.id), reader): part.flow
        for reader in ("L4.head3@7", "L4.mlp@7", "L3.memory7.value@7")
        for part in session.upstream(REQUEST, reader, count=100_000).parts
    }
    for pair in [("L1.head2@3", "L4.head3@7"), ("L2.mlp@3", "L4.head3@7"),
                 ("L4.head3@7", "L4.mlp@7")]:  # fmt: skip
        assert edges[pair] == pytest.approx(fed[pair], abs=1e-9)
    assert ("L2.mlp@3", "L4.mlp@7") not in edges  # at another position, and no head reads it
    assert not any(target == "L5.attn@7" for _, target in edges)  # its heads do
    for part in found.parts:
        direct = edges.get((str(part.site), "output@7"), 0.0)
        assert direct == pytest.approx(-part.score, abs=1e-9)
    sizes = [abs(one.flow) for one in found.edges]
    assert sizes == sorted(sizes, reverse=True)


def test_a_part_at_every_position_has_the_edges_of_all_of_them(session: Session):
    def flow(source: str, target: str, *parts: str) -> float:
        found = session.circuit(REQUEST, *parts, how="zero", by=Score.DIRECT, sites=parts)
        return sum(
            one.flow
            for one in found.edges
            if str(one.source).startswith(source) and str(one.target).startswith(target)
        )

    each = [f"{name}@{place}" for name in ("L1.head2", "L3.head1") for place in range(8)]
    together = flow("L1.head2@*", "L3.head1@*", "L1.head2@*", "L3.head1@*")
    assert together == pytest.approx(flow("L1.head2@", "L3.head1@", *each), abs=1e-9)
    assert together != 0


def test_how_is_a_patch_where_there_is_one_contrast_and_a_mean_else(session: Session):
    def how(*reference: str, **more: Any) -> str:
        return session.circuit(REQUEST, "mlp", reference=reference, checks=0, **more).how

    assert how(FRANCE) == "patch"
    assert how(FRANCE, JAPAN) == "mean"
    assert how(OWN_PROMPT) == "mean"
    assert how(FRANCE, how="resample") == "resample"
    assert session.circuit(REQUEST, "mlp", checks=0).reference.name == "the bundled reference text"


def test_a_size_can_be_named_in_four_ways(session: Session):
    def ask(**named: Any) -> Circuit:
        return session.circuit(REQUEST, "mlp", reference=(FRANCE,), checks=0, **named)

    scores = [abs(part.score) for part in ask().parts]
    assert ask(keep=0).chosen.size == 0 and ask(keep=6).chosen.faithfulness == 1.0
    assert ask(threshold=scores[2]).chosen.size == 3
    assert ask(cumulative=0.5, by=Score.FLOW).chosen.size < 6
    assert abs(ask().chosen.faithfulness - 1) <= 0.2
    assert {str(one.site) for one in ask(sites=("L1.mlp@7",)).kept} == {"L1.mlp@7"}


def test_what_reads_in_a_circuit_is_of_kinds_with_edges(of_mini: Circuit):
    kept = {part.site for part in of_mini.kept}
    for edge in of_mini.edges:
        assert edge.source in kept
        assert edge.target in kept or edge.target.kind is NodeKind.OUTPUT


@pytest.mark.parametrize(
    ("parts", "named", "said"),
    [
        (("L9.mlp@7",), {}, "L9.mlp@7 does not exist"),
        (("teeth",), {}, "'teeth' is not a site"),
        (("heads", "attn"), {}, "L0.head0@7 is a part of L0.attn@7"),
        (("L1.head0@*", "L1.head0@7"), {}, "L1.head0@* and L1.head0@7 overlap"),
        (("resid",), {}, "L0.resid_post@7 cannot be kept by itself"),
        (("mlp",), {"keep": 7}, "keep is 7, but there are 6 parts"),
        (("mlp",), {"keep": -1}, "keep is -1; give 0 or more"),
        (("mlp",), {"keep": 2, "cumulative": 0.5}, "keep and cumulative each say what is kept"),
        (("mlp",), {"cumulative": 1.5}, "cumulative is 1.5; give a number from 0 to 1"),
        (("mlp",), {"points": 1}, "points is 1; give 2 or more"),
        (("mlp",), {"sites": ("L1.head0@7",)}, "L1.head0@7 is not among the 6 parts in question"),
        (("mlp",), {"how": "scale:0.5"}, "leaves something of a part; give zero, mean"),
        (("mlp",), {"how": "patch"}, "needs a reference prompt"),
        (("mlp",), {"reference": ("One two",)}, "has 2 tokens and the prompt 8"),
        (("mlp",), {"reference": (JAPAN,)}, "the metric is as it was, so there is nothing to keep"),
    ],
)
def test_what_is_no_circuit_is_refused_in_one_line(
    session: Session, parts: tuple[str, ...], named: dict[str, Any], said: str
):
    with pytest.raises(RequestError, match=re.escape(said)) as refused:
        session.circuit(REQUEST, *parts, **named)
    assert "\n" not in str(refused.value)


def test_a_changed_pass_has_no_circuit(session: Session):
    changed = Request(JAPAN, interventions=("L1.mlp@7 zero",))
    with pytest.raises(RequestError, match="leave its interventions out"):
        session.ask(FindCircuit(changed))
