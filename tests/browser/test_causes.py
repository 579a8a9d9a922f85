"""What parts cause, walked through as a researcher does; each number is the command's."""

from __future__ import annotations

import re

import pytest
from screen import CY, Screen, wait_until

from visit.graph.request import Request
from visit.session import Session
from visit.web.words import percent, signed

pytestmark = pytest.mark.browser

PROMPT = "The capital of Japan is the city of"
SECOND = "The capital of France is the city of"
REQUEST = Request(PROMPT, layers="none", strongest=0)
WALKS = {
    "mini": ("L5.head2@7", "L4.head1@7", "L3.head0@7"),
    "smollm2": ("L23.head4@7", "L23.head6@7", "L29.head1@7"),
}


def session_of(kind: str) -> Session:
    if kind == "mini":
        return Session.load("mini")
    from serve import smollm2_session

    session = smollm2_session()
    assert isinstance(session, Session)
    return session


def result(screen: Screen) -> str:
    return str(screen.ask("document.getElementById('causes-result')?.innerText ?? ''"))


@pytest.mark.parametrize("kind", ["mini", pytest.param("smollm2", marks=pytest.mark.real_model)])
def test_three_heads_are_left_out_a_prompt_is_patched_and_a_source_knocked_out(open_app, kind):
    session, sites, request = session_of(kind), WALKS[kind], REQUEST
    screen = open_app(kind, shared=False)
    screen.wait_for_graph()
    page = screen.page

    # Without one, in the inspector; from there into the tray.
    for site in sites:
        screen.ask("site => { visit.set('tab', 'causes'); visit.pick(site); }", site)
        (effect,) = session.measure(request, site).effects
        collect = page.locator(f'#causes-result [data-collect="{site}"]')
        wait_until(collect.count, site)
        said = result(screen)
        assert effect.measured is not None and effect.after is not None
        assert signed(effect.measured) in said
        assert percent(effect.after.prob) in said
        collect.click()
    assert screen.ask("[...visit.state.collected]") == list(sites)

    # Without all three: the changed pass, coloured by the difference.
    (together,) = session.measure(request, *sites, together=True).effects
    assert together.measured is not None and together.after is not None
    page.get_by_role("button", name="Run without them").click()
    wait_until(lambda: "Δ" in screen.in_tray(), "the changed pass")
    assert f"Δ {signed(together.measured)}" in screen.in_tray()
    assert percent(together.after.prob) in screen.in_tray()
    target = page.locator(".prediction").first
    wait_until(lambda: percent(together.after.top[0].prob) in target.inner_text(), "its words")
    assert screen.ask("visit.state.view.request.interventions") == [f"{s} zero" for s in sites]
    wait_until(lambda: screen.ask(f"{CY}.nodes('[difference]').length") > 5, "differences")
    assert screen.ask("document.documentElement.dataset.colouring") == "difference"
    wait_until(lambda: "interventions=" in page.url, "the address")
    assert page.locator(".cause-chip.is-off").count() == 3

    # Back.
    page.locator("#undo").click()
    wait_until(lambda: page.locator(".cause-chip.is-off").count() == 0, "the plain pass")
    assert screen.ask("document.documentElement.dataset.colouring") == "kind"

    # Patched together, measured.
    (patched,) = session.measure(
        request, *sites, how="patch", reference=(SECOND,), together=True
    ).effects
    screen.ask("second => { visit.set('how', 'patch'); visit.set('second', second); }", SECOND)
    page.get_by_role("button", name="Measure without them").click()
    assert patched.measured is not None
    wait_until(lambda: f"Δ {signed(patched.measured)}" in screen.in_tray(), "the patch")

    # One source knocked out, by its cell in the pattern.
    head = sites[0]
    (knocked,) = session.measure(request, f"{head}<3", how="knockout").effects
    screen.ask("head => { visit.set('how', 'zero'); visit.pick(head); }", head)
    page.get_by_role("tab", name="Attention").click()
    wait_until(lambda: page.locator("svg.heatmap").count(), "the pattern")
    x, y = screen.ask(
        "(() => { const map = document.querySelector('svg.heatmap');"
        " map.scrollIntoView({ block: 'center' });"
        " const box = map.getBoundingClientRect(), cell = Number(map.dataset.cell);"
        " return [box.left + 3.5 * cell, box.top + 7.5 * cell]; })()"
    )
    page.mouse.click(x, y)
    chosen = page.locator(f'#causes-result .subject ~ [data-collect="{head}<3 knockout"]')
    wait_until(lambda: chosen.count(), "the knocked-out source")
    assert knocked.measured is not None
    assert signed(knocked.measured) in result(screen)
    wait_until(lambda: page.locator(".score-parts").count() == 2, "why it looks there")
    assert signed(session.why(request, head, 3).score) in result(screen)


def test_what_is_predicted_is_held_against_what_is_measured_and_a_circuit_found(open_app):
    session, sites, request = session_of("mini"), WALKS["mini"], REQUEST
    screen = open_app("mini", shared=False)
    screen.wait_for_graph()
    page = screen.page
    screen.ask("sites => visit.set('collected', new Set(sites))", list(sites))
    screen.ask("second => visit.set('second', second)", SECOND)

    # Agreement and the maps.
    page.get_by_role("button", name="Causes", exact=True).click()
    effects = session.measure(request, "heads", "mlp")
    wait_until(
        lambda: (
            screen.ask("document.querySelectorAll('#agreement .point').length")
            == len(effects.effects)
        ),
        "a point for every part",
    )
    pearson = effects.agreement["flow"].pearson
    assert pearson is not None and signed(pearson) in page.inner_text("#agreement-said")
    wait_until(lambda: screen.ask("!!document.querySelector('#patching .hm image')"), "the maps")
    assert "·Paris" in page.inner_text("#patching-said")
    page.locator('input[name="cause-predicted"][value="estimate"]').check()
    estimate = effects.agreement["estimate"].pearson
    assert estimate is not None
    wait_until(lambda: signed(estimate) in page.inner_text("#agreement-said"), "by estimate")

    # The circuit, drawn alone; then one of the parts that are collected.
    circuit = session.circuit(request, reference=(SECOND,), checks=60)
    page.get_by_role("button", name="Find the circuit").click()
    kept_of_all = f"{circuit.chosen.size} of {len(circuit.parts)}"
    wait_until(lambda: kept_of_all in page.inner_text("#circuit-said"), "the circuit")
    assert f"{circuit.chosen.faithfulness:.2f}" in page.inner_text("#circuit-said")
    listed = "[...document.querySelector('.circuit-list').querySelectorAll('[data-node]')]"
    kept = [str(part.site) for part in circuit.kept]
    assert screen.ask(f"{listed}.map(one => one.dataset.node)") == kept[:24]
    page.get_by_role("button", name="Draw only these").click()
    wait_until(
        lambda: set(screen.ask(f"{CY}.nodes().map(node => node.id())")) >= set(kept), "them drawn"
    )
    page.get_by_role("button", name="Keep only these").click()
    wait_until(lambda: "3 of" in page.inner_text("#circuit-said"), "those that are collected")

    # A prompt of another length is refused in one line, in place.
    page.locator("#second-of-pane").fill("France")
    page.locator("#second-of-pane").press("Enter")
    wait_until(
        lambda: re.search(r"has \d+ tokens? and this one 8", page.inner_text("#patching-said")),
        "what does not fit",
    )


def test_a_link_shows_a_changed_pass_and_a_viewer_has_no_causes(open_app):
    screen = open_app("mini", shared=False)
    screen.page.goto(f"{screen.address}?prompt=a+b&interventions=L5.head2@1+zero")
    screen.wait_for_graph()
    wait_until(lambda: screen.page.locator(".cause-chip.is-off").count() == 1, "the chip")
    viewer = open_app("viewer")
    viewer.wait_for_graph()
    assert viewer.page.locator('[data-pane="causes"], [data-tab="causes"]').count() == 0
