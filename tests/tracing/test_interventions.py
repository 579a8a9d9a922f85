"""A changed pass is what a plain pass with a hook of the test's own gives, at 1e-9 in float64.

Every kind of site, every way, at the last and at an earlier position, alone and together; run
whole, and by the sweep from the first changed position on.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
import torch
from own_hooks import Change, logits_with, logits_without, value_of
from specimens import MAKERS, STRUCTURES, TOKEN_IDS, Specimen, specimen
from torch import Tensor

from visit.errors import RequestError
from visit.graph.interventions import How, Intervention, Site, Way
from visit.graph.kinds import NodeKind
from visit.tracing import interventions, sweep
from visit.tracing.interventions import Edit, Window, edits_from
from visit.tracing.sites import check_intervention, value_at
from visit.tracing.sweep import logits_of_residuals, resume, run_changed
from visit.tracing.trace import Trace, record

LAST, EARLIER = len(TOKEN_IDS) - 1, 3
OTHER_IDS = (3, 14, 22, 9, 41, 5, 35)
KINDS = (
    "attn", "mlp", "resid_mid", "resid_post", "head1", "memory5.value", "attn_neuron7", "expert2",
    "attn_bias", "mlp_bias",
)  # fmt: skip


@pytest.fixture(params=sorted(set(MAKERS) - {"gpt2-square", "mixtral-square"}))
def tiny(request: pytest.FixtureRequest) -> Specimen:
    return specimen(request.param)


def equal(ours: Tensor, theirs: Tensor) -> None:
    torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)


def sites_of(tiny: Specimen) -> list[Site]:
    """One of every kind that the model has, at the last and an earlier position."""
    names = [f"L1.{kind}@{place}" for kind in KINDS for place in (LAST, EARLIER)]
    names += [f"embed@{LAST}", f"embed@{EARLIER}", "L1.head1@6<5", "L1.head1@6<6", "L2.head0@3<2"]
    found = []
    for site in map(Site.parse, names):
        try:
            check_intervention(tiny.architecture, Intervention(site), LAST)
        except RequestError:
            continue
        found.append(site)
    return found


def test_every_site_and_way_is_what_a_hook_of_our_own_does(tiny: Specimen):
    """In one sweep from every position that something begins at, and whole."""
    architecture, trace = tiny.architecture, tiny.trace
    other = other_trace(tiny)
    cases = [
        case
        for turn, site in enumerate(sites_of(tiny))
        for case in cases_of(other, tiny, site, turn)
    ]
    by_start: dict[int, list[int]] = {}
    for place, (intervention, _) in enumerate(cases):
        by_start.setdefault(intervention.site.position or 0, []).append(place)
    assert set(by_start) == {EARLIER, LAST}
    for start, places in by_start.items():
        resumed = resume(tiny.model, architecture, TOKEN_IDS, start, lambda n: trace.layers[n].ln1)
        variants = [
            edits_from(cases[place][0], LAST, lambda site: value_at(architecture, other, site))
            for place in places
        ]
        seen = []
        for chosen, last, plain in run_changed(
            architecture, resumed, variants, chunk_elements=1 << 14
        ):
            equal(capped(tiny, logits_of_residuals(architecture, plain[None]))[0],
                  trace.logits[LAST])  # fmt: skip
            swept = capped(tiny, logits_of_residuals(architecture, last))
            for row, own in enumerate(chosen):
                intervention, change = cases[places[own]]
                theirs = logits_with(tiny, (intervention.site, change))[LAST]
                # What is left of a pattern that one source had almost all of is known less well.
                part = 1e-8 if change is None else 1e-9
                size = float(theirs.abs().max())
                torch.testing.assert_close(swept[row], theirs, rtol=part, atol=part * size)
                seen.append(own)
        assert sorted(seen) == list(range(len(places)))
    whole = cases[:: max(1, len(cases) // 3)]
    for intervention, change in whole:
        edits = edits_from(intervention, LAST, lambda site: value_at(architecture, other, site))
        changed = record(tiny.model, architecture, TOKEN_IDS, edits=edits)
        equal(changed.logits, logits_with(tiny, (intervention.site, change)))


def cases_of(
    other: Trace, tiny: Specimen, site: Site, turn: int
) -> list[tuple[Intervention, Change | None]]:
    """Ways by turns, so that every way meets every family, and the knock-out.

    Two of the ways of each site in one family of each structure; in the others one.
    """
    cases: list[tuple[Intervention, Change | None]] = [
        (Intervention(site), lambda x: x * 0),
        (Intervention(site, How(Way.SCALE, 1.7)), lambda x: x * 1.7),
    ]
    if site.kind not in (NodeKind.ATTN_BIAS, NodeKind.MLP_BIAS):
        there = value_at(tiny.architecture, other, site)
        cases += [
            (Intervention(site, How(Way.PATCH)), lambda x: there),
            (Intervention(site, How(Way.ADD, 0.5)), lambda x: x + there / 2),
        ]
    chosen = [cases[turn % len(cases)], cases[(turn + 1) % len(cases)]]
    if all(tiny is not specimen(name) for name in STRUCTURES):
        chosen = chosen[:1]
    knocked = [(Intervention(site, How(Way.KNOCKOUT)), None)] if site.source is not None else []
    return chosen + knocked


def other_trace(tiny: Specimen) -> Trace:
    return record(tiny.model, tiny.architecture, OTHER_IDS)


def capped(tiny: Specimen, logits: Tensor) -> Tensor:
    cap = tiny.architecture.soft_cap
    return logits if cap is None else cap * torch.tanh(logits / cap)


def test_a_recorded_value_is_what_the_site_holds(tiny: Specimen):
    for site in sites_of(tiny):
        if site.kind not in (NodeKind.ATTN_BIAS, NodeKind.MLP_BIAS):
            equal(value_at(tiny.architecture, tiny.trace, site), value_of(tiny, site))


def test_patching_every_positions_entering_residual_gives_the_other_prompts_logits(tiny: Specimen):
    architecture = tiny.architecture
    other = other_trace(tiny)
    edits = edits_from(
        Intervention(Site.parse("L0.resid_post@*"), How(Way.PATCH)),
        LAST,
        lambda site: value_at(architecture, other, site),
    )
    assert len(edits) == len(TOKEN_IDS)
    changed = record(tiny.model, architecture, TOKEN_IDS, edits=edits)
    equal(changed.logits, other.logits)
    resumed = resume(tiny.model, architecture, TOKEN_IDS, 0, lambda n: tiny.trace.layers[n].ln1)
    ((_, last, _),) = run_changed(architecture, resumed, [edits])
    equal(capped(tiny, logits_of_residuals(architecture, last))[0], other.logits[LAST])


def test_changes_made_together_are_made_in_one_pass(tiny: Specimen):
    """Each to what is there by then: of what an earlier one has changed already."""
    names = ("L0.mlp@5", "L1.head1@3", "L1.head0@6", "L2.attn_neuron7@6")
    sites = [Site.parse(name) for name in names]
    edits = sum((edits_from(Intervention(site), LAST, no_value) for site in sites), ())
    theirs = logits_without(tiny, *sites)
    equal(record(tiny.model, tiny.architecture, TOKEN_IDS, edits=edits).logits, theirs)
    resumed = resume(
        tiny.model, tiny.architecture, TOKEN_IDS, 3, lambda n: tiny.trace.layers[n].ln1
    )
    # Beside one that is changed later, and one in an earlier layer.
    variants = [edits[1:], edits, edits_from(Intervention(Site.parse("L0.mlp@4")), LAST, no_value)]
    ((order, last, _),) = run_changed(tiny.architecture, resumed, variants)
    swept = capped(tiny, logits_of_residuals(tiny.architecture, last))[order.index(1)]
    equal(swept, theirs[LAST])


def test_a_part_is_changed_before_what_it_is_a_part_of():
    """An MLP that is taken out writes nothing, whatever is done to its memories."""
    tiny = specimen("llama-gqa")
    sites = [Site.parse("L1.mlp@3"), Site.parse("L1.memory5.value@3")]
    edits = sum(
        (edits_from(Intervention(site, How(Way.SCALE, 0.0)), LAST, no_value) for site in sites), ()
    )
    changed = record(tiny.model, tiny.architecture, TOKEN_IDS, edits=edits)
    equal(changed.logits, logits_with(tiny, (sites[0], lambda x: x * 0)))


def no_value(site: Site) -> Tensor:
    raise AssertionError(f"nothing is put at {site}")


@pytest.mark.parametrize("name", ["gpt2", "gemma2"])
def test_a_long_prompts_changed_layers_are_recorded_again_as_they_were(name: str):
    """Scaled, so that a layer changed twice would show."""
    tiny = specimen(name)
    sites = ["embed@2", "L1.head1@3", "L2.resid_post@6", "L1.head0@6<5"]
    edits = sum(
        (
            edits_from(Intervention(Site.parse(site), How(Way.SCALE, 1.5)), LAST, no_value)
            for site in sites
        ),
        (),
    )
    kept = record(tiny.model, tiny.architecture, TOKEN_IDS, edits=edits)
    again = record(tiny.model, tiny.architecture, TOKEN_IDS, edits=edits, kept_bytes=0)
    assert not again.layers.kept
    for one, other in zip(kept.layers, again.layers, strict=True):
        equal(one.resid_pre, other.resid_pre)
        equal(one.z, other.z)
        equal(one.resid_post, other.resid_post)


def test_a_pass_after_a_changed_one_is_the_plain_one_again():
    tiny = specimen("llama-gqa")
    edits = edits_from(Intervention(Site.parse("L1.head1@6")), LAST, no_value)
    record(tiny.model, tiny.architecture, TOKEN_IDS, edits=edits)
    equal(record(tiny.model, tiny.architecture, TOKEN_IDS).logits, tiny.trace.logits)


@pytest.mark.parametrize(
    ("site", "how", "said"),
    [
        ("L9.mlp@6", "zero", "L9.mlp@6 does not exist: the model has the layers 0 to 2"),
        ("L1.head6@6", "zero", "its numbers are 0 to 5"),
        ("L1.mlp@7", "zero", "comes after the traced position 6"),
        ("L1.expert0@6", "zero", "has memories and no experts"),
        ("L1.attn_bias@6", "zero", "has no bias in its attention's output"),
        ("L1.head1@6<2", "mean", "has no mean"),
    ],
)
def test_what_the_model_does_not_have_is_refused_in_one_line(site: str, how: str, said: str):
    tiny = specimen("llama-gqa")
    with pytest.raises(RequestError, match=re.escape(said)) as refused:
        check_intervention(tiny.architecture, Intervention(Site.parse(site), How.parse(how)), LAST)
    assert "\n" not in str(refused.value)


def test_a_parallel_block_has_no_residual_between():
    tiny = specimen("falcon-7b")
    with pytest.raises(RequestError, match="side by side"):
        check_intervention(tiny.architecture, Intervention(Site.parse("L1.resid_mid@6")), LAST)


# ---------------------------------------------------------------- faults planted in the sweep


def sweep_differs(name: str = "llama-gqa") -> bool:
    """Whether the sweep of an earlier and a later head differs from a pass run whole."""
    tiny = specimen(name)
    resumed = resume(
        tiny.model, tiny.architecture, TOKEN_IDS, EARLIER, lambda n: tiny.trace.layers[n].ln1
    )
    sites = (Site.parse(f"L0.head1@{EARLIER}"), Site.parse("L1.head2@6<1"))
    variants = [edits_from(Intervention(site), LAST, no_value) for site in sites]
    ((order, last, _),) = run_changed(tiny.architecture, resumed, variants)
    theirs = [logits_with(tiny, (sites[one], lambda x: x * 0))[LAST] for one in order]
    ours = capped(tiny, logits_of_residuals(tiny.architecture, last))
    return not torch.allclose(ours, torch.stack(theirs), rtol=1e-9, atol=1e-9)


def test_a_stale_key_in_the_sweep_is_caught(monkeypatch: pytest.MonkeyPatch):
    """Keys and values of the positions before, taken from the layer below."""
    assert not sweep_differs()
    own = sweep._Remembered.update

    def stale(cache: Any, keys: Tensor, values: Tensor, layer: int, *more: Any, **named: Any):
        return own(cache, keys, values, max(layer - 1, 0), *more, **named)

    monkeypatch.setattr(sweep._Remembered, "update", stale)
    assert sweep_differs()


def test_an_intervention_one_position_off_is_caught(monkeypatch: pytest.MonkeyPatch):
    own = interventions._Editor._index
    monkeypatch.setattr(
        interventions._Editor, "_index", lambda editor, one: min(own(editor, one) + 1, 3)
    )
    assert sweep_differs()


def test_a_row_in_anothers_place_is_caught(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(
        Edit, "in_rows", lambda edit, rows: replace(edit, rows=tuple(row - 1 for row in rows))
    )
    assert sweep_differs()


def test_a_source_read_at_another_position_is_caught(monkeypatch: pytest.MonkeyPatch):
    """What attention read before the window, off by one."""
    tiny = specimen("llama-gqa")
    monkeypatch.setattr(
        sweep,
        "Window",
        lambda start, before: Window(start, None if before is None else before.roll(1, 0)),
    )
    assert tiny.architecture.sizes.n_layers == 3
    assert sweep_differs()
