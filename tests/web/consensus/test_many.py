"""What holds over many prompts: what the page asks, what it proposes, draws, lists and says."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from hostile import HOSTILE, OURS, texts_of
from sample import make_flow
from sample_consensus import COUNTRIES, PROMPT, TEMPLATE, make_consensus

from visit.engine.questions import ReadConsensus
from visit.errors import RequestError
from visit.graph.consensus import LeftOut
from visit.graph.limits import MOST_PROMPTS
from visit.graph.request import Request
from visit.graph.template import Template
from visit.session import Session
from visit.web.consensus.asking import ask_consensus, measure_from, with_unread
from visit.web.consensus.figure import consensus_figure
from visit.web.consensus.first import CAPITALS, PROPOSALS, data_from_proposal, propose
from visit.web.consensus.listed import list_parts, places_in, say_consensus
from visit.web.screen.examples import EXAMPLES
from visit.web.state.bounds import Bounds
from visit.web.theme import LIGHT
from visit.web.trees import html_from_tree, trees
from visit.web.words import signed

FLOW = make_flow(Request(PROMPT))
SHOWN = Request(
    "a b", model="mini", target=" c", position=1, heads=3, interventions=("L0.mlp@1 zero",)
)


def text_of(parts: list[Any]) -> str:
    return re.sub(r"<[^>]+>", " ", "".join(map(html_from_tree, trees(parts))))


# ------------------------------------------------------------------ what is asked


def test_a_template_and_its_values_are_asked_of_the_plain_pass_each_towards_its_own_answer():
    question, unread = ask_consensus(SHOWN, {"prompts": TEMPLATE, "values": "Japan\n\nPeru\n"})
    assert unread == ()
    assert question == ReadConsensus(
        Request(TEMPLATE, model="mini", heads=3),
        values=(("Japan",), ("Peru",)),
        lines=(1, 3),
        targets=("", ""),
        template=TEMPLATE,
        strongest=20,
        effects=False,
    )


def test_prompts_one_a_line_need_no_values_and_effects_are_measured_where_they_rank():
    asked = {"prompts": "One is\nTwo is", "values": "left over", "by": "effect"}
    question, _ = ask_consensus(SHOWN, asked)
    assert (question.template, question.values) == ("", (("One is",), ("Two is",)))
    assert question.effects is True
    assert measure_from("luck") == "flow"


def test_a_slot_that_comes_again_has_its_value_again_and_a_broken_line_is_left_out():
    asked = {"prompts": "{a} and {b}; {b}", "values": "x, y\nz\nu, v"}
    question, unread = ask_consensus(SHOWN, asked)
    assert question.values == (("x", "y", "y"), ("u", "v", "v"))
    assert unread == (
        LeftOut(2, "it has 1 value and the template 2 slots (a, b); put commas between"),
    )
    whole = with_unread(make_consensus(), unread)
    assert [one.line for one in whole.left_out] == [2, 3]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({}, "there is no prompt; type a template, or prompts one a line"),
        ({"prompts": " \n"}, "there is no prompt"),
        ({"prompts": TEMPLATE, "values": " "}, "there is no value for {country}; type one a line"),
        ({"prompts": "One {", "values": "x"}, "template 'One {' has no slot, or a brace too many"),
        ({"prompts": "{a} {b}", "values": "x"}, "no line can be read; line 1: it has 1 value"),
    ],
)
def test_what_cannot_be_asked_is_one_line(asked: dict[str, Any], said: str):
    with pytest.raises(RequestError) as problem:
        ask_consensus(SHOWN, asked)
    assert str(problem.value).startswith(said) and "\n" not in str(problem.value)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ("\n".join(["x"] * (MOST_PROMPTS + 1)), r"101 prompts .* at most 100 at once: leave some"),
        (
            "\n".join(["x", "y" * 1_000]),
            r"a prompt is 1,0\d\d letters .* at most 300 letters",
        ),
    ],
)
def test_more_than_a_server_reads_at_once_is_refused_with_what_is_allowed(values: str, said: str):
    question, _ = ask_consensus(SHOWN, {"prompts": TEMPLATE, "values": values})
    with pytest.raises(RequestError, match=said):
        Bounds().check_prompts(question)
    few, _ = ask_consensus(SHOWN, {"prompts": TEMPLATE, "values": "x\n" * MOST_PROMPTS})
    Bounds().check_prompts(few)


# ------------------------------------------------------------------ what is proposed


def test_the_shown_prompts_own_values_come_first_and_the_papers_template_where_it_has_none():
    assert propose("The capital of Chad is the city of").values[:2] == ("Chad", "Japan")
    assert propose("The capital of Peru is the city of").values.count("Peru") == 1
    assert propose("Once upon a time") == CAPITALS
    named = propose("When Zoe and Max went to the store, Max gave a drink to")
    assert named.values[0] == "Zoe, Max" and "{other}" in named.prompts
    assert propose("The capital of " + "x" * 9_000 + " is the city of") == CAPITALS
    assert data_from_proposal(CAPITALS)["values"].splitlines() == list(CAPITALS.values)


@pytest.mark.parametrize("proposal", PROPOSALS, ids=lambda one: one.prompts[:12])
def test_every_proposal_can_be_asked_and_fits_an_example(proposal: Any):
    question, unread = ask_consensus(SHOWN, data_from_proposal(proposal))
    assert unread == () and len(question.values) == len(proposal.values) > 10
    template = Template.parse(proposal.prompts)
    assert any(template.read(example.prompt) for example in EXAMPLES)


def test_the_bundled_model_knows_the_proposed_capitals():
    question, _ = ask_consensus(Request("x"), data_from_proposal(CAPITALS))
    consensus = Session.load("mini").ask(question)
    answers = {one.prompt.split()[3]: one.target.text for one in consensus.prompts}
    assert len(answers) == len(CAPITALS.values) and consensus.left_out == ()
    assert (answers["Japan"], answers["Nepal"], answers["Cuba"]) == (
        " Tokyo",
        " Kathmandu",
        " Havana",
    )
    assert len(set(answers.values())) == len(answers)


# ------------------------------------------------------------------ what is drawn and listed


def test_bars_have_the_means_with_their_intervals_and_lead_to_nodes_of_the_shown_prompt():
    bars, _ = consensus_figure(make_consensus(), FLOW, "flow", LIGHT)["data"]
    assert bars["x"] == [2.0, -1.5, 1.0, 0.75, 0.125]
    assert bars["error_x"]["array"] == [0.75, 0.5, 0.0, 0.0, 0.375]
    assert bars["error_x"]["arrayminus"] == [0.5, 0.25, 0.0, 0.0, 0.375]
    # Japan is one token: the slot before a value's last is not in this prompt.
    assert bars["customdata"] == ["L0.mlp@7", "L1.head2@7", "L1.head2@3", None, "L2.head1@1"]


def test_a_cell_of_the_map_is_a_head_at_all_of_its_slots_together():
    _, cells = consensus_figure(make_consensus(), FLOW, "flow", LIGHT)["data"]
    n_heads = FLOW.model.n_heads
    assert len(cells["z"]) == n_heads + 1 and len(cells["z"][0]) == FLOW.model.n_layers
    assert f"flow {signed(-1.5 + 1.0)}" in cells["text"][2][1]
    # One prompt of four has the slot: the others have nothing there.
    assert f"flow {signed(0.75 / 4)}" in cells["text"][0][2]
    assert cells["z"][n_heads][0] == 1.0 and cells["z"][2][1] == pytest.approx(-0.5)
    assert cells["customdata"][2][1] == "L1.head2@7" and cells["customdata"][0][2] is None


def test_an_effect_is_coloured_as_the_part_speaks_for_the_target():
    bars, cells = consensus_figure(make_consensus(), FLOW, "effect", LIGHT)["data"]
    assert bars["x"] == [-2.0, 1.5]
    assert cells["z"][FLOW.model.n_heads][0] == 1.0 and cells["z"][2][1] < 0


def test_a_row_says_slot_mean_interval_deviation_and_how_often_and_picks_its_part():
    (_, table) = trees(list_parts(make_consensus(), FLOW, "flow"))
    rows = [html_from_tree(row) for row in table["children"][1]["children"]]
    assert 'data-node="L0.mlp@7"' in rows[0] and "L0 MLP" in rows[0]
    said = re.sub(r"<[^>]+>", " ", rows[0])
    for number in ("+2.00", "+1.50 to +2.75", "0.50", "100 %"):
        assert number in said
    assert "{country}" in rows[2] and "—" in rows[2]
    assert "data-node" not in rows[3] and "1 of 4" in rows[3]
    assert "no such slot" in rows[3]


def test_what_is_said_counts_prompts_names_answers_and_the_line_that_is_left_out():
    said = text_of(say_consensus(make_consensus()))
    for text in (
        "prompts",
        "4",
        "+4.00",
        *(answer.replace(" ", "·") for answer in COUNTRIES.values()),
    ):
        assert text in said
    assert "Line 3 is left out: its country is empty; give text" in said
    many = replace(make_consensus(), left_out=tuple(LeftOut(n, "x") for n in range(1, 10)))
    assert "and 3 more" in text_of(say_consensus(many))


def test_only_the_traced_slot_is_in_a_prompt_of_another_template():
    other = make_flow(Request("Once upon a time"))
    assert places_in(make_consensus(), other) == {8: 3}
    assert places_in(make_consensus(), FLOW)[4] == 3


@pytest.mark.parametrize("text", [text for text in HOSTILE if text])
def test_whatever_a_token_holds_it_is_shown_as_text(text: str):
    slots = tuple(replace(slot, name=text, before=None) for slot in make_consensus().slots)
    made = replace(make_consensus(), slots=slots)
    read = [
        OURS.sub("", one)
        for one in texts_of(consensus_figure(made, FLOW, "flow", LIGHT))
        if not one.endswith("<extra></extra>")
    ]
    assert not [one for one in read if "<" in one or "%{" in one or "$" in one]
    html = "".join(map(html_from_tree, trees(list_parts(made, FLOW, "flow"))))
    assert "<script" not in html and "<img" not in html and "<a " not in html
