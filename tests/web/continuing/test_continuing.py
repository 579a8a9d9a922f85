"""What the model goes on with: the tree of branches, what a page asks, what the strip says."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from hostile import HOSTILE
from sample import make_flow

from visit.engine.generating import Generate
from visit.errors import RequestError
from visit.graph.flow import TokenProbability
from visit.graph.generation import Ending, Generation, Sampling, Step
from visit.graph.limits import MOST_GENERATED
from visit.graph.request import Request, data_from_request
from visit.web.continuing.asking import ask_branch, ask_continuation, request_beside
from visit.web.continuing.branches import MOST_BRANCHES, Branches, Row
from visit.web.continuing.controls import continue_menu
from visit.web.continuing.strip import build_strip
from visit.web.server.tracing import request_from_controls
from visit.web.trees import html_from_tree, trees

PROMPT = [5, 6, 7]
NONE = Branches.of_prompt(PROMPT)
SHOWN = Request("a b", model="mini", heads=3, target=" c", position=1)


def html_of(parts: list[Any]) -> str:
    return "".join(map(html_from_tree, trees(parts)))


# ------------------------------------------------------------------ branches


def test_branches_survive_an_address_and_nothing_else_is_read():
    kept = NONE.with_branch((1, 2)).with_branch((1, 3, 4))
    assert Branches.parse(str(kept)) == kept
    assert re.fullmatch(r"3-[0-9a-f]{8}:1\.2,1\.3\.4", str(kept))
    for wrong in (None, 5, "", "3-0000:1", "0-00000000:1", "3-00000000:", "3-00000000:1..2"):
        assert Branches.parse(wrong) is None


def test_a_branch_is_shown_where_the_text_is_its_prompt_and_all_of_it():
    kept = NONE.with_branch((1, 2))
    assert kept.find_shown([*PROMPT, 1, 2]) == (1, 2)
    assert kept.find_shown(PROMPT) == ()
    assert kept.find_shown([*PROMPT, 1]) is None
    assert kept.find_shown([5, 6, 8, 1, 2]) is None and kept.find_shown([5]) is None


def test_what_is_gone_on_from_makes_room_for_what_it_became_and_the_oldest_goes():
    kept = NONE.with_branch((1, 2)).with_branch((1, 2, 3)).with_branch((1, 2, 3))
    assert kept.kept == ((1, 2, 3),)
    for last in range(10, 10 + MOST_BRANCHES):
        kept = kept.with_branch((9, last))
    assert len(kept.kept) == MOST_BRANCHES and (1, 2, 3) not in kept.kept
    assert Branches.parse(str(kept)) == kept


def test_a_branch_hangs_from_the_one_that_it_left_last():
    kept = NONE
    for branch in ((1, 2, 3, 4), (9, 9), (1, 2, 5), (1, 2, 5, 7), (1, 8)):
        kept = replace(kept, kept=(*kept.kept, branch))
    assert kept.rows() == (
        Row((1, 2, 3, 4), 0, 0),
        Row((1, 2, 5), 2, 1),
        Row((1, 2, 5, 7), 3, 2),
        Row((1, 8), 1, 1),
        Row((9, 9), 0, 0),
    )


# ------------------------------------------------------------------ what is asked


def test_the_model_goes_on_from_the_end_of_what_is_shown_by_ids():
    typed = {"count": "7", "temperature": "0.5", "top_p": "0.9", "seed": "4"}
    wanted = ask_continuation(typed, SHOWN, PROMPT, None)
    base = Request("", model="mini", heads=3, prompt_ids=(5, 6, 7))
    assert wanted.question == Generate(base, 7, 0.5, 0.9, 4)
    assert (wanted.branches, wanted.place) == (NONE, 3)
    kept = NONE.with_branch((1, 2))
    again = ask_continuation({}, SHOWN, [*PROMPT, 1, 2], kept)
    assert again.question == Generate(replace(base, prompt_ids=(5, 6, 7, 1, 2)), 20)
    assert (again.branches, again.place) == (kept, 5)


def test_another_token_is_gone_on_from_and_explained():
    kept = NONE.with_branch((1, 2))
    wanted = ask_continuation({"given": [1, 4], "count": "3"}, SHOWN, [*PROMPT, 1, 2], kept)
    base = Request("", model="mini", heads=3, prompt_ids=(5, 6, 7))
    assert wanted.question == Generate(base, 3, given_ids=(1, 4))
    assert wanted.place == 4
    shown = ask_continuation({"given": [1, 2], "at": 3}, SHOWN, [*PROMPT, 1, 4], kept)
    assert shown.question.count == 0 and shown.place == 3
    assert ask_branch(SHOWN, kept, [*PROMPT, 1, 2]) == Generate(base, 0, given_ids=(1, 2))


def test_a_typed_text_is_read_behind_the_prompt_as_it_was_given():
    wanted = ask_continuation({"text": " was"}, SHOWN, PROMPT, None)
    assert wanted.question == Generate(Request("a b", model="mini", heads=3), 0, given=" was")
    chat = replace(SHOWN, chat=True)
    assert ask_continuation({"text": "a"}, chat, PROMPT, None).question.request.chat


def test_what_is_explained_ahead_is_what_the_scrubber_asks():
    ids = (5, 6, 7, 1, 2)
    shown = Request(
        "a b c", "mini", heads=3, position=2, target="x", target_id=1, prompt_ids=ids, layers="none"
    )
    asked = request_from_controls(
        replace(SHOWN, layers="none"), "a b c", "mini", "y",
        {"prompt": "a b c", "model": "mini", "position": 3}, {"bos": None, "chat": False},
        {"typed": "y", "model": "mini", "target_id": 2}, {}, data_from_request(shown),
    )  # fmt: skip
    assert request_beside(shown, ids, 4) == asked


@pytest.mark.parametrize(
    ("asked", "request_", "said"),
    [
        ({"count": "many"}, SHOWN, "count is 'many'; give a whole number"),
        ({"count": str(MOST_GENERATED + 1)}, SHOWN, f"takes at most {MOST_GENERATED} at once"),
        ({"count": "0"}, SHOWN, "the number of tokens is 0; give 1 or more"),
        ({"temperature": "-1"}, SHOWN, "temperature is -1.0; give a number from 0 to 100"),
        ({"text": ""}, SHOWN, "there is no text; type what comes next"),
        ({}, replace(SHOWN, interventions=("L0.mlp@1 zero",)), "trace the prompt as it is first"),
    ],
)
def test_what_cannot_be_gone_on_with_is_refused_in_one_line(asked, request_, said):
    with pytest.raises(RequestError, match=said):
        ask_continuation(asked, request_, PROMPT, None)


@pytest.mark.parametrize("given", [[], "1.2", [1, "2"], {}])
def test_what_no_page_asks_is_no_question(given: object):
    with pytest.raises(ValueError, match="a continuation from what is no list of ids"):
        ask_continuation({"given": given}, SHOWN, PROMPT, None)


# ------------------------------------------------------------------ what is said


def make_generation(texts: list[str]) -> Generation:
    flow = make_flow()
    others = tuple(TokenProbability(90 + n, text, 0.01) for n, text in enumerate(texts))
    steps = tuple(Step(n + 1, text, 0.5, n + 1, others) for n, text in enumerate(texts))
    return Generation("0.1.0", flow.request, flow.model, flow.tokens, Sampling(), steps, Ending.EOS)


def test_every_step_is_a_chip_with_its_chance_and_has_its_others():
    found = make_generation([" a", "b"])
    begins = len(found.tokens)
    branches = Branches.of_prompt([one.id for one in found.tokens]).with_branch((1, 2))
    said = html_of(build_strip(found, branches, {1: " a", 2: "b"}))
    assert f'data-step="{begins}"' in said and f'data-step="{begins + 1}"' in said
    assert "·a: 50.0 %, rank 1" in said and "b: 50.0 %, rank 2" in said
    assert said.count('data-instead="90"') == 2 and f'data-others="{begins + 1}"' in said
    assert f'max="{begins + 1}"' in said and ">ends<" in said
    assert "Branches" not in said
    tree = html_of(build_strip(found, branches.with_branch((1, 3)), {1: " a", 2: "b", 3: "c"}))
    assert 'data-branch="1.2"' in tree and 'data-drop="1.3"' in tree
    assert 'data-drop="1.2"' not in tree


def test_no_token_is_read_as_markup():
    found = make_generation([*HOSTILE])
    ids = tuple(range(1, len(HOSTILE) + 1))
    branches = NONE.with_branch(ids).with_branch((1, 99))
    texts = {n + 1: text for n, text in enumerate(HOSTILE)} | {99: HOSTILE[0]}
    made = build_strip(found, branches, texts)
    assert "<script" not in html_of(made)


def test_the_menu_has_a_field_for_every_way_of_taking_tokens():
    said = html_of(continue_menu())
    for name, value in (("count", "20"), ("temperature", "0"), ("top_p", "1"), ("seed", "0")):
        assert re.search(f'id="continue-{name}"[^>]* value="{value}"', said) or re.search(
            f'value="{value}"[^>]* id="continue-{name}"', said
        ), name
