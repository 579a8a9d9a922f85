"""Bundled prompts: as many as are asked for, all different, the same for a seed, answers right."""

from __future__ import annotations

import csv
from collections import Counter

import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerBase

from visit.errors import RequestError
from visit.mini import FOLDER
from visit.mini.documents import Probe
from visit.mini.facts import FORWARD, TESTED
from visit.mini.measure import accuracy, verdicts
from visit.studies.prompts import BUNDLED, read_source
from visit.studies.prompts.bundled import USUAL
from visit.studies.prompts.capitals import FIRST, N_CAPITALS, THEN, capitals
from visit.studies.prompts.indirect_object import PEOPLE
from visit.studies.prompts.repeats import FEWEST, MOST, words


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerBase:
    """The bundled model's."""
    return AutoTokenizer.from_pretrained(FOLDER)


@pytest.mark.parametrize("name", BUNDLED)
def test_a_thousand_prompts_are_all_different_and_the_same_for_a_seed(name: str):
    found = read_source(name, limit=1000, seed=3)
    assert found == read_source(name, limit=1000, seed=3)
    assert found.name == name
    assert found.left_out == ()
    assert len({prompt.text for prompt in found.prompts}) == 1000
    assert [prompt.id for prompt in found.prompts] == [*range(1000)]
    assert found.prompts != read_source(name, limit=1000, seed=4).prompts


@pytest.mark.parametrize("name", BUNDLED)
def test_fewer_prompts_are_the_first_of_more(name: str):
    usual = read_source(name).prompts
    assert len(usual) == USUAL
    assert usual == read_source(name, limit=3 * USUAL).prompts[:USUAL]


@pytest.mark.parametrize("name", BUNDLED)
def test_every_answer_begins_with_a_space_and_no_prompt_ends_in_one(name: str):
    for prompt in read_source(name, limit=300).prompts:
        assert prompt.target[0] == " " != prompt.target[1]
        assert prompt.text == prompt.text.strip()


@pytest.mark.parametrize("name", BUNDLED)
def test_mini_can_read_a_thousand_of_each(name: str, tokenizer: PreTrainedTokenizerBase):
    """Its context is 128 tokens; and it has a token of its own for each answer's beginning."""
    for prompt in read_source(name, limit=1000).prompts:
        assert len(tokenizer.encode(prompt.text)) < 100
        together = tokenizer.encode(prompt.text + prompt.target)
        answer = tokenizer.encode(prompt.target)
        assert together[-len(answer) :] == answer


@pytest.mark.parametrize("name", BUNDLED)
def test_mini_spells_out_the_answers(name: str, tokenizer: PreTrainedTokenizerBase):
    probes = [Probe(prompt.text, prompt.target) for prompt in read_source(name).prompts]
    model = AutoModelForCausalLM.from_pretrained(FOLDER).eval()
    assert accuracy(list(verdicts(model, tokenizer, probes))) >= 0.98


def test_asking_for_more_than_there_are_is_one_line():
    assert len(read_source("capitals", limit=N_CAPITALS).prompts) == N_CAPITALS
    said = r"2,510 prompts of capitals, and 2,509 can be made; give a smaller limit"
    with pytest.raises(RequestError, match=said):
        read_source("capitals", limit=N_CAPITALS + 1)
    with pytest.raises(RequestError, match=r"of repeats, and 1,000,000 can be made"):
        read_source("repeats", limit=1_000_001)


def test_capitals_are_those_of_the_list_in_phrasings_that_mini_was_taught():
    taught = {one.partition("[")[0] for one in (TESTED["capital"], *FORWARD["capital"])}
    assert taught >= {*FIRST, *THEN}
    with (FOLDER / "countries.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    right = {
        (one[0].upper() + one[1:], f" {row['capital']}")
        for row in rows
        for one in (phrasing.replace("{x}", row["name"]) for phrasing in (*FIRST, *THEN))
    }
    drawn = list(capitals(0))
    assert len(drawn) == len(right) == N_CAPITALS
    assert set(drawn) == right
    phrased = {one[0] for one in drawn[: len(rows) * len(FIRST)]}
    assert not any(" has its capital in " in one or "'s capital is" in one for one in phrased)


def test_a_sentence_names_the_receiver_once_and_the_giver_twice_by_turns_first_and_second():
    orders = Counter[str]()
    for prompt in read_source("indirect-object", limit=200).prompts:
        named = [word for word in prompt.text.replace(",", " ").split() if word in PEOPLE]
        assert len(named) == 3
        giver, receiver = named[2], prompt.target[1:]
        assert {giver, receiver} == {*named[:2]}
        assert giver != receiver
        orders["BABA" if named[0] == giver else "ABBA"] += 1
        assert not prompt.text.startswith(PEOPLE)
    assert orders == {"ABBA": 100, "BABA": 100}


def test_what_is_repeated_goes_on_as_it_did():
    lengths, places = set[int](), set[int]()
    for prompt in read_source("repeats", limit=500).prompts:
        said = prompt.text.split()
        start = said.index(said[0], 1)
        assert len({*said[:start]}) == start
        again = said[start:]
        assert again == said[: len(again)]
        assert len(again) >= 2
        assert prompt.target == f" {said[len(again)]}"
        lengths.add(start)
        places.add(len(again))
    assert lengths == {*range(FEWEST, MOST + 1)}
    assert max(places) > MOST - 4


def test_each_repeated_word_and_each_name_is_one_token_to_mini(
    tokenizer: PreTrainedTokenizerBase,
):
    assert len(words()) > 500
    split = [word for word in (*words(), *PEOPLE) if len(tokenizer.encode(f" {word}")) != 1]
    assert split == []
