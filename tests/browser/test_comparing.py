"""Another target, another model and many prompts, walked through as a researcher does."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from screen import CY, wait_until
from specimens import save_tiny_model
from test_figures import NAME, check_head, keep, texts
from test_screens import compare_with, violations

from visit.engine.questions import ReadConsensus
from visit.graph.request import Request
from visit.mini import FOLDER
from visit.mini.model import MODEL_FILES
from visit.session import Session
from visit.web.consensus.asking import ask_consensus
from visit.web.consensus.first import data_from_proposal, propose
from visit.web.consensus.listed import say_interval
from visit.web.words import percent, signed

pytestmark = pytest.mark.browser

PROMPT = "The capital of Japan is the city of"
REQUEST = Request(PROMPT, model="mini", layers="none")
CHANGED_LAYER, CHANGED_HEAD = 3, 1


@pytest.fixture(scope="module")
def session() -> Session:
    return Session.load("mini")


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled model with one head that writes half as much more."""
    from safetensors.torch import load_file, save_file

    folder = tmp_path_factory.mktemp("tuned")
    for name in MODEL_FILES:
        shutil.copy(FOLDER / name, folder / name)
    weights = load_file(folder / "model.safetensors")
    (name,) = (n for n in weights if n.endswith(f"h.{CHANGED_LAYER}.attn.c_proj.weight"))
    width = len(weights[name]) // 6
    weights[name][CHANGED_HEAD * width : (CHANGED_HEAD + 1) * width] *= 1.5
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    return folder


def test_another_target_of_the_prompt(open_app, session):
    screen = open_app("mini", shared=False)
    screen.wait_for_graph()
    page = screen.page

    # Another target: both answers, the table, and the flow's differences in colours.
    found = session.compare(REQUEST, replace(REQUEST, target=" Paris"))
    compare_with(screen, "target", " Paris")
    wait_until(lambda: "against another target" in screen.in_tray(), "the comparison")
    said = screen.in_tray()
    for side in (found.first, found.second):
        assert percent(side.target.prob) in said and signed(side.metric.value) in said
    assert page.locator("#target").input_value() == " Paris"
    assert screen.ask("visit.state.pane.name") == "flow"
    assert screen.ask("document.documentElement.dataset.colouring") == "difference"
    wait_until(lambda: screen.ask(f"{CY}.nodes('[difference]').length") > 5, "differences")
    tip = f"{CY}.nodes('[difference]').first().data('tip')"
    assert "against the target ·Tokyo" in screen.ask(tip)
    page.locator(".differing > summary").click()
    rows = page.locator(".differences tbody tr")
    assert rows.count() == 12
    first = rows.first.locator("button[data-node]")
    first.click()
    screen.inspected(first.get_attribute("data-node") or "")
    assert violations(screen) == {}

    # Back, and what is no token, in one line.
    page.locator("#undo").click()
    wait_until(lambda: screen.in_tray() == "", "the first graph")
    compare_with(screen, "target", "no such token")
    problem = page.locator("#problem")
    wait_until(problem.is_visible, "the refusal")
    assert "give a single token" in problem.inner_text()


def test_another_model_and_one_that_has_nothing_in_common(open_app, session, tuned, tmp_path):
    screen = open_app("mini", shared=False)
    screen.wait_for_graph()
    page = screen.page
    try:
        compare_with(screen, "model", str(tuned))
        wait_until(lambda: "against mini" in screen.in_tray(), "the other model's graph")
        assert page.locator("#model").input_value() == str(tuned)
        found = session.compare(REQUEST, replace(REQUEST, model=str(tuned)))
        assert signed(found.second.metric.value) in screen.in_tray()
        wait_until(lambda: screen.ask(f"{CY}.nodes('[difference]').length") > 5, "differences")
        page.locator("#undo").click()
        wait_until(lambda: screen.in_tray() == "", "the first graph")
        compare_with(screen, "model", str(save_tiny_model(tmp_path)))
        problem = page.locator("#problem")
        wait_until(problem.is_visible, "the refusal")
        assert "compare two models of one architecture" in problem.inner_text()
        assert screen.in_tray() == ""
    finally:
        # The server's other pages ask whichever model was used last.
        page.goto(f"{screen.address}?prompt=a&model=mini")
        screen.wait_for_graph()


def test_what_holds_over_the_proposed_prompts_is_the_commands(open_app, session, tmp_path):
    screen = open_app("mini", shared=False)
    screen.wait_for_graph()
    page = screen.page
    page.get_by_role("button", name="Causes", exact=True).click()

    # What is proposed is of the shown prompt's template, its own value first.
    proposal = data_from_proposal(propose(PROMPT))
    prompts, values = page.locator("#many-prompts"), page.locator("#many-values")
    wait_until(lambda: prompts.input_value() == proposal["prompts"], "the proposal")
    assert values.input_value() == proposal["values"]

    # A broken line is listed and left out.
    typed = {"prompts": "From {a} to {b}", "values": "Rome, Oslo\nBonn\nLima, Bern"}
    prompts.fill(typed["prompts"])
    values.fill(typed["values"])
    run = page.get_by_role("button", name="Run over the prompts")
    run.click()
    said = page.locator("#consensus-said")
    wait_until(lambda: "Line 2 is left out: it has 1 value" in said.inner_text(), "the broken line")

    # The proposal itself: means, intervals and how often among the strongest.
    prompts.fill(proposal["prompts"])
    values.fill(proposal["values"])
    run.click()
    question, _ = ask_consensus(REQUEST, proposal)
    assert isinstance(question, ReadConsensus)
    consensus = session.ask(question)
    strongest = consensus.parts("flow")[0]
    assert strongest.flow is not None and strongest.flow.among is not None
    row = page.locator("#consensus-parts tbody tr").first
    wait_until(lambda: signed(strongest.flow.mean) in row.inner_text(), "the strongest part")
    assert say_interval(strongest.flow) in row.inner_text()
    assert percent(strongest.flow.among) in row.inner_text()
    assert page.locator("#consensus-parts tbody tr").count() == 20
    wait_until(lambda: page.locator("#consensus .barlayer .point").count() == 20, "the bars")
    assert "·Tokyo" in said.inner_text()

    # A row picks its part; by the keyboard a bar is spoken.
    go = row.locator("button[data-node]")
    go.click()
    assert screen.ask("visit.state.picked") == str(strongest.id)
    page.focus('[data-cells="consensus"]')
    page.keyboard.press("ArrowDown")
    assert "flow" in page.locator("#cell-said").inner_text()
    assert violations(screen) == {}

    # The figure, saved.
    path = keep(screen, tmp_path, "svg", "consensus", Width=160, Letters=7)
    assert path.name == f"{NAME}-consensus-flow.svg"
    from xml.etree import ElementTree

    root = ElementTree.parse(path).getroot()
    check_head(root, 7)
    said_in_it = texts(root)
    assert any("What holds over many prompts, by flow" in text for text in said_in_it)
    assert percent(strongest.flow.among) in said_in_it and "layer" in said_in_it

    # Ranked by effect, which is measured then; what cannot be asked is one line in place.
    page.locator('input[name="many-by"][value="effect"]').check()
    measured = session.ask(ask_consensus(REQUEST, {**proposal, "by": "effect"})[0])
    best = measured.parts("effect")[0]
    assert best.effect is not None
    wait_until(lambda: signed(best.effect.mean) in row.inner_text(), "the effects")
    prompts.fill("One {")
    run.click()
    wait_until(lambda: "has no slot, or a brace too many" in said.inner_text(), "the refusal")
    assert page.locator("#consensus-parts tbody tr").count() == 0


def test_a_run_over_many_prompts_is_cancelled(open_app):
    screen = open_app("mini", shared=False)
    screen.wait_for_graph()
    page = screen.page
    page.get_by_role("button", name="Causes", exact=True).click()
    page.locator("#many-values").fill("\n".join(f"place {n}" for n in range(100)))
    page.locator('input[name="many-by"][value="effect"]').check()
    page.get_by_role("button", name="Run over the prompts").click()
    wait_until(page.locator("#cancel").is_visible, "something to cancel")
    wait_until(lambda: "prompts" in page.locator("#stage").inner_text(), "the progress")
    page.locator("#cancel").click()
    wait_until(page.locator("#cancel").is_hidden, "the end of it")
    assert page.locator("#consensus-parts tbody tr").count() == 0
    assert page.locator("#problem").is_hidden()
