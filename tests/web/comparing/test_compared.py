"""Another prompt held against the shown one: what is asked, coloured and said in the tray."""

from __future__ import annotations

import json
from dataclasses import replace

from sample import make_flow, with_flow

from visit.engine.comparing import steps_to_compare
from visit.engine.questions import Explain
from visit.graph.index import Index
from visit.graph.request import Request
from visit.web.causes.difference import mark_differences
from visit.web.comparing.compared import say_difference
from visit.web.trees import trees
from visit.web.words import signed

SHORT, LONG = Request("The capital of Japan is"), Request("The big capital of Japan is")
BEFORE, SHOWN = (with_flow(make_flow(one, seed=n), n) for n, one in enumerate((SHORT, LONG)))


def aligned() -> tuple:
    """The two graphs with one id for each word: hand-made tokens are named after their places."""
    words = [token.text for flow in (BEFORE, SHOWN) for token in flow.tokens]
    return tuple(
        replace(flow, tokens=tuple(replace(t, id=words.index(t.text)) for t in flow.tokens))
        for flow in (BEFORE, SHOWN)
    )


def test_each_is_asked_for_once_more_with_the_parts_that_the_other_holds():
    before, shown = aligned()
    few = replace(
        before,
        nodes=tuple(n for n in before.nodes if str(n.id) != "L1.head0@4"),
        edges=tuple(e for e in before.edges if "L1.head0@4" not in (str(e.source), str(e.target))),
    )
    steps = steps_to_compare(Explain(SHORT, weights="0a"), Explain(LONG, weights="0a"))
    asked = [next(steps), steps.send(few)]
    asked.append(steps.send(shown))
    assert [one.request for one in asked] == [SHORT, LONG, LONG]
    last = steps.send(shown)
    assert last.request == SHORT and last.also == ("L1.head0@4",) and last.weights == "0a"


def test_a_part_is_coloured_at_its_own_position_of_the_shown_prompt():
    """One token longer: what is at 4 in the first prompt is at 5 in the shown one."""
    before, shown = aligned()
    made = [{"data": {"id": node}} for node in ("L1.head0@5", "embed@1", "embed@0")]
    mark_differences(made, Index(shown), before)
    flows = [{str(n.id): n.flow for n in flow.nodes} for flow in (before, shown)]
    moved = (flows[1]["L1.head0@5"] or 0) - (flows[0]["L1.head0@4"] or 0)
    assert (made[0]["data"]["difference"] > 0.5) == (moved > 0)
    assert "against the other prompt" in made[0]["data"]["tip"]
    assert "difference" not in made[1]["data"]
    assert "difference" in made[2]["data"]


def test_a_part_of_a_shorter_prompt_is_not_coloured_as_its_neighbour():
    """What is at 4 in the shown prompt is at 5 in the first, and in the columns of both."""
    shown, before = aligned()
    made = [{"data": {"id": "L1.head0@4"}}]
    mark_differences(made, Index(shown), before)
    flows = [{str(n.id): n.flow for n in flow.nodes} for flow in (before, shown)]
    moved = (flows[1]["L1.head0@4"] or 0) - (flows[0]["L1.head0@5"] or 0)
    assert f"flow {signed(moved)} against the other prompt" in made[0]["data"]["tip"]


def test_the_tray_says_both_answers_and_a_part_goes_to_its_place_in_the_shown_graph():
    said = json.dumps(trees(say_difference(*aligned())), ensure_ascii=False)
    assert "The capital of Japan is" in said
    assert "longest common sequence" in said
    assert '"data-node": "L' in said
    assert said.count('"tag": "tr"') == 13
