"""The prompts that circuits are looked for in: every row fills its template, and has a contrast."""

from __future__ import annotations

import pytest
from behaviours import END, Behaviour, list_behaviours

from visit.graph.template import Template

N_ROWS = 12


@pytest.mark.parametrize("behaviour", list_behaviours(N_ROWS), ids=lambda one: one.name)
def test_every_row_is_a_prompt_with_its_answer_and_another_with_another(behaviour: Behaviour):
    template = Template.parse(behaviour.template)
    assert len(set(behaviour.rows)) == len(behaviour.rows) >= N_ROWS
    for row in behaviour.rows:
        prompt, _ = template.fill(row[:-1])
        other, _ = template.fill(behaviour.contrast(row))
        assert prompt != other
        assert len(prompt.split()) == len(other.split())
        assert row[-1].startswith(" ") and row[-1].strip().isalpha()


@pytest.mark.parametrize("behaviour", list_behaviours(2), ids=lambda one: one.name)
def test_every_place_that_is_named_is_a_slot_or_the_end(behaviour: Behaviour):
    places = {*Template.parse(behaviour.template).names, END}
    look = behaviour.look
    named = {one for score in behaviour.scores for one in (score.reader, score.source)}
    named |= {behaviour.at, *((look.source, look.against) if look else ())} - {None}
    assert named <= places


def test_the_answers_are_what_the_prompts_ask_for():
    capitals, objects, induction, successor = list_behaviours(N_ROWS)
    assert ("Japan", " Tokyo") in capitals.rows
    for recipient, giver, again, answer in objects.rows:
        assert giver == again != recipient
        assert answer == f" {recipient}"
    for row in induction.rows:
        assert row[:3] == row[4:7] and row[-1] == f" {row[3]}"
        assert induction.contrast(row)[2:4] == (row[3], row[2])
    assert ("Monday", "Tuesday", "Wednesday", " Thursday") in successor.rows
