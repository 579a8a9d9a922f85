"""The training text: the same for the same seed, and silent about what is held out."""

import re
from collections.abc import Callable
from itertools import chain, combinations
from random import Random

import pytest

from visit.mini.copying import MAX_LENGTH, copying_probes, copying_text, random_words, repeated
from visit.mini.corpus import (
    CLOSING_FROM,
    FINISH_FROM,
    MAIN_FROM,
    MAKERS,
    documents,
    sample,
    shares_at,
)
from visit.mini.counting import counting_text, list_text
from visit.mini.documents import (
    ANSWER_WEIGHT,
    FREE_WEIGHT,
    Probe,
    capitalized,
    document_from_marked,
    last_probe,
    probes_from_document,
)
from visit.mini.facts import FIELDS, countries, country_text, fact_probe, unseen
from visit.mini.givers import PAPER_PROBE, giver_text, name_pairs
from visit.mini.grammar import agreement_probes, grammar_text, opposite_probes, plural_probes
from visit.mini.holdouts import held_out_countries, is_unseen_pair
from visit.mini.lexicon import NAMES, plural_of, third_person
from visit.mini.stories import story_text, unseen_story
from visit.mini.successors import ORDERS, successor_probes, successor_text


def sentences_of(maker: Callable[[Random], str], n_texts: int) -> set[str]:
    """The different sentences in that many texts of one generator, their full stops included."""
    rng = Random(7)
    texts = (document_from_marked(maker(rng)).text for _ in range(n_texts))
    return set(chain.from_iterable(text.replace(". ", ".\n").split("\n") for text in texts))


@pytest.fixture(scope="module")
def facts() -> set[str]:
    """Enough sentences for every phrasing to have met nearly every country."""
    return sentences_of(country_text, 40_000)


def test_the_same_seed_writes_the_same_corpus() -> None:
    assert sample(3, 500) == sample(3, 500)


def test_a_later_part_of_the_plan_has_documents_of_its_own() -> None:
    assert next(documents(3, first=CLOSING_FROM)) != next(documents(3))


def test_the_plan_opens_with_copying_and_closes_with_counting() -> None:
    copying, successor = MAKERS.index(copying_text), MAKERS.index(successor_text)
    assert max(shares_at(0)) == shares_at(0)[copying]
    assert max(shares_at(MAIN_FROM)) == shares_at(MAIN_FROM)[MAKERS.index(country_text)]
    assert max(shares_at(CLOSING_FROM)) == shares_at(CLOSING_FROM)[successor]
    assert max(shares_at(FINISH_FROM)) == shares_at(FINISH_FROM)[MAKERS.index(counting_text)]


def test_another_seed_writes_another_corpus() -> None:
    assert sample(3, 50) != sample(4, 50)


@pytest.mark.parametrize("field", FIELDS)
def test_the_tested_phrasing_never_meets_its_held_out_countries(
    field: str, facts: set[str]
) -> None:
    probes = {country.name: fact_probe(country, field) for country in countries()}
    met = {name for name, probe in probes.items() if f"{probe.prompt}{probe.answer}." in facts}
    assert not met & unseen(field)
    assert len(met) > 0.99 * (len(countries()) - len(unseen(field)))


def test_the_held_out_fifths_of_the_fields_do_not_overlap() -> None:
    for one, other in combinations(FIELDS, 2):
        assert not unseen(one) & unseen(other)
    assert [len(unseen(field)) for field in FIELDS] == [39, 39, 39, 38]


def test_a_field_without_a_hold_out_is_refused() -> None:
    with pytest.raises(ValueError, match=r"no hold-out for 'anthem'; the fields are capital, "):
        held_out_countries("anthem", ["Japan"])


def test_a_fifth_of_the_name_pairs_never_shares_a_sentence_with_an_indirect_object() -> None:
    rng = Random(5)
    one_of_the_names = re.compile(rf"\b({'|'.join(NAMES)})\b")
    met = set()
    for _ in range(30_000):
        sentences = re.findall(r".*?\[.*?\]\.", giver_text(rng))
        for sentence in sentences:
            first, second = dict.fromkeys(one_of_the_names.findall(sentence))
            met.add(tuple(sorted((first, second))))
    assert not any(is_unseen_pair(*pair) for pair in met)
    assert len(met) > 0.99 * len(name_pairs(unseen=False))
    share = len(name_pairs(unseen=True)) / len(list(combinations(NAMES, 2)))
    assert share == pytest.approx(0.2, abs=0.02)


def test_mary_and_john_are_an_unseen_pair() -> None:
    assert is_unseen_pair("Mary", "John")
    assert is_unseen_pair("John", "Mary")
    assert PAPER_PROBE.prompt.count("John") == 2


def test_held_out_sentences_about_words_are_never_written() -> None:
    written = sentences_of(grammar_text, 20_000)
    kept_back = [*opposite_probes(), *plural_probes()]
    assert not [p for p in kept_back if f"{p.prompt}{p.answer}." in written]
    assert any(sentence.startswith("The opposite of") for sentence in written)


def test_held_out_agreement_is_never_written() -> None:
    written = "\n".join(sentences_of(grammar_text, 10_000))
    kept_back = list(agreement_probes())
    assert kept_back
    assert not [p for p in kept_back if f"{p.prompt}{p.answer} " in written]


def test_held_out_successors_are_never_written() -> None:
    written = sentences_of(successor_text, 20_000)
    starts = {tuple(sentence.rstrip(".").split(", ")[:3]) for sentence in written}
    for probe in chain.from_iterable(map(successor_probes, ORDERS)):
        assert f"{probe.prompt}{probe.answer}." not in written
        if probe.prompt.endswith(","):
            assert tuple(f"{probe.prompt}{probe.answer}".split(", ")) not in starts


def test_held_out_stories_are_never_told() -> None:
    rng = Random(0)
    told = {document_from_marked(story_text(rng)).text for _ in range(3000)}
    assert not told & {unseen_story(rng).text for _ in range(3000)}


def test_every_generator_marks_something_to_answer() -> None:
    rng = Random(1)
    for maker in MAKERS:
        documents = [document_from_marked(maker(rng)) for _ in range(200)]
        asked = sum(any(probes_from_document(document)) for document in documents)
        assert asked > 150, maker.__name__


def test_marks_become_spans_and_leave_the_text() -> None:
    document = document_from_marked("{cat}{ dog} cat[ dog].")
    assert document.text == "cat dog cat dog."
    assert [(document.text[s.start : s.end], s.weight) for s in document.spans] == [
        ("cat", FREE_WEIGHT),
        (" dog", FREE_WEIGHT),
        (" dog", ANSWER_WEIGHT),
    ]


def test_the_last_answer_is_the_one_asked_for() -> None:
    assert last_probe("One,[ two],[ three].") == Probe("One, two,", " three")


def test_a_text_without_an_answer_cannot_be_asked() -> None:
    with pytest.raises(ValueError, match=r"no \[answer\] is marked in 'nothing'"):
        last_probe("nothing")


def test_a_mark_may_precede_the_letter_that_is_capitalized() -> None:
    assert capitalized("the Gambia") == "The Gambia"
    assert capitalized("[mary] ran") == "[Mary] ran"
    assert capitalized("") == ""


def test_a_country_keeps_its_article_inside_a_sentence() -> None:
    gambia = next(country for country in countries() if country.name == "the Gambia")
    assert fact_probe(gambia, "capital") == Probe(
        "The capital of the Gambia is the city of", " Banjul"
    )


def test_a_repeated_sequence_asks_for_all_but_the_first_word_of_its_repeat() -> None:
    marked = repeated(["a", "b", "c"], " ")
    probes = list(probes_from_document(document_from_marked(marked)))
    assert probes == [Probe("a b c a", " b"), Probe("a b c a b", " c")]


def test_random_words_are_all_different() -> None:
    words = random_words(Random(2), MAX_LENGTH)
    assert len(set(words)) == MAX_LENGTH


def test_copying_probes_are_new_for_every_sequence() -> None:
    rng = Random(3)
    assert copying_probes(rng)[0] != copying_probes(rng)[0]


@pytest.mark.parametrize(
    ("noun", "plural"),
    [("cat", "cats"), ("box", "boxes"), ("city", "cities"), ("key", "keys"), ("foot", "feet")],
)
def test_plurals_follow_english_spelling(noun: str, plural: str) -> None:
    assert plural_of(noun) == plural


@pytest.mark.parametrize(("verb", "form"), [("run", "runs"), ("cry", "cries"), ("play", "plays")])
def test_third_persons_follow_english_spelling(verb: str, form: str) -> None:
    assert third_person(verb) == form


def test_counting_never_says_what_is_asked_about() -> None:
    written = sentences_of(counting_text, 10_000) | sentences_of(list_text, 10_000)
    starts = {tuple(sentence.rstrip(".").split(": ")[-1].split(", ")[:3]) for sentence in written}
    for probe in chain.from_iterable(map(successor_probes, ORDERS)):
        sentence = f"{probe.prompt}{probe.answer}"
        assert f"{sentence}." not in written
        assert tuple(sentence.split(", ")) not in starts
