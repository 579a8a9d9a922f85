"""Questions as JSON, and back."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any, get_args

import pytest

from visit.engine.exploring import (
    FindContexts,
    FindFactors,
    MapQueryKey,
    MapResiduals,
    ReadHeads,
    ReadNorms,
    ReadSaliency,
    ReadSinks,
    WatchTokens,
)
from visit.engine.generating import Generate
from visit.engine.question_data import (
    data_from_question,
    kinds_of_question,
    question_from_data,
)
from visit.engine.questions import (
    DrawParts,
    Explain,
    FindCircuit,
    Measure,
    OpenBlock,
    Question,
    RankParts,
    ReadConsensus,
    ReadLens,
    ReadPattern,
    ReadUpstream,
    SplitScore,
)
from visit.engine.surveys import (
    ReadMemories,
    SurveyActivations,
    SurveyDepths,
    SurveyHeads,
    SurveyMemories,
    SurveyNorms,
    SurveyPatterns,
    SurveyRemoval,
    SurveySinks,
)
from visit.errors import RequestError
from visit.graph.circuit import Score
from visit.graph.explored.maps import Projection
from visit.graph.explored.saliency import Baseline, SaliencyMethod, SaliencyOf
from visit.graph.interventions import Positions, Unit
from visit.graph.request import RankBy, Request

REQUEST = Request(
    "Rome is", model="mini", target=" a", position=-1, threshold=0.0, rank_by=RankBy.SHARE
)
SAMPLES: list[Question[Any]] = [
    Explain(REQUEST),
    OpenBlock(REQUEST, layer=2, position=-1),
    DrawParts(REQUEST, ("L1.head0@2", "L0.mlp@1")),
    ReadLens(REQUEST, positions=(0, -1, 3)),
    ReadLens(Request("Rome is"), positions=()),
    ReadPattern(REQUEST, layer=1, head=4, weights="0a1b"),
    Explain(REQUEST, may_load=False),
    Explain(REQUEST, also=("L1.head0@2", "L0.mlp@1")),
    RankParts(REQUEST),
    RankParts(REQUEST, memories=0),
    Measure(REQUEST),
    Measure(
        REQUEST,
        ("L1.head0@2<1", "mlp"),
        "scale:0.5",
        ("Paris is",),
        Positions.ALL,
        3,
        together=True,
        unit=Unit.LOGPROB,
        estimate_only=True,
        steps=2,
    ),
    RankParts(REQUEST, memories=7),
    ReadUpstream(REQUEST, "L1.head0@2", count=12),
    FindCircuit(REQUEST),
    FindCircuit(REQUEST, ("mlp",), Score.FLOW, "zero", threshold=0.5, points=9),
    FindCircuit(REQUEST, sites=("L1.head0@2",), reference=("Paris is",), checks=0),
    SplitScore(REQUEST, "L1.head0@2", source=-2, count=12),
    FindContexts(REQUEST),
    FindContexts(REQUEST, "L1.head0", "Rome is a city.", 3),
    FindFactors(REQUEST),
    FindFactors(REQUEST, 3, "0-1", first_token=True, seed=5),
    MapQueryKey(REQUEST),
    MapQueryKey(REQUEST, "L1.head0", Projection.TSNE, ("Paris is",), first_token=True, seed=2),
    ReadHeads(REQUEST),
    ReadHeads(REQUEST, "L1.head0", pair="L0.head1", repeats=2, seed=3),
    MapResiduals(REQUEST),
    MapResiduals(REQUEST, Projection.TSNE, ("Paris is",), ("a: b",), first_token=True, seed=2),
    ReadNorms(REQUEST),
    ReadSinks(REQUEST),
    ReadSinks(REQUEST, hide=False),
    Generate(REQUEST),
    Generate(REQUEST, 5, 0.7, 0.9, 3, given=" a city"),
    Generate(REQUEST, 0, given_ids=(5, 7)),
    ReadSaliency(REQUEST),
    ReadSaliency(
        REQUEST, SaliencyMethod.INTEGRATED_GRADIENTS, SaliencyOf.PROBABILITY, 3, 20, Baseline.MEAN
    ),
    WatchTokens(REQUEST),
    WatchTokens(REQUEST, (" Rome", r"\#12"), at=-2),
    ReadConsensus(REQUEST, (("Rome",), ("Oslo",)), (1, 3), ("", " a"), template="{city} is"),
    SurveyHeads.of(["Rome is", "Oslo is"], ["", " a"], k=7, values=0, queries=False, seed=3),
    SurveyNorms.of(["Rome is"], seed=2),
    SurveyMemories.of(["Rome is"], strongest=3, positions=100),
    SurveyActivations.of(["Rome is"]),
    SurveyRemoval.of(["Rome is"], memories=((0, 3), (1, 7)), means=(0.5, -1.0)),
    SurveyDepths.of(["Rome is"], [" a"]),
    SurveyPatterns.of(["Rome is"]),
    SurveySinks.of(["Rome is"]),
    ReadMemories.of([[0, 3], [1, 7]]),
]


def own_kinds() -> dict[str, type[Question[Any]]]:
    """The package's questions, without those that tests define."""
    return {
        name: kind
        for name, kind in kinds_of_question().items()
        if kind.__module__.startswith("visit.")
    }


@pytest.mark.parametrize("question", SAMPLES, ids=lambda question: type(question).__name__)
def test_a_question_survives_json(question: Question[Any]):
    data = json.loads(json.dumps(data_from_question(question), allow_nan=False))
    back = question_from_data(data)
    assert back == question
    assert type(back) is type(question)
    assert hash(back) == hash(question)


def test_every_question_has_a_sample_here():
    assert {type(question) for question in SAMPLES} == set(own_kinds().values())


def test_every_question_names_its_answers_type():
    for kind in own_kinds().values():
        (base,) = kind.__orig_bases__  # type: ignore[attr-defined]
        (answer,) = get_args(base)
        assert answer is not Any, kind


def test_a_question_bears_its_name_and_its_request_as_a_document_does():
    assert data_from_question(OpenBlock(Request("a"), 2, 3)) == {
        "question": "OpenBlock",
        "request": {
            "prompt": "a", "layers": "all", "heads": 10, "sources": 2, "memories": 18,
            "anti_memories": 7, "attn_neurons": 18, "anti_attn_neurons": 7, "top_k": 10,
            "threshold": 0.01, "rank_by": "flow", "metric": "choice", "candidates": 100,
            "route": "flow", "strongest": 40, "strongest_memories": 0,
        },
        "layer": 2,
        "position": 3,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("Explain", "a question is an object with its fields, not str"),
        ({}, "question None is not known; ask one of .*Explain.*OpenBlock"),
        ({"question": "Guess", "request": {"prompt": "a"}}, "question 'Guess' is not known"),
        ({"question": ["Explain"]}, r"question \['Explain'\] is not known"),
        ({"question": "Explain"}, "the question Explain lacks its request; give it"),
        ({"question": "Explain", "request": []}, "the request is of type list; give its fields"),
        ({"question": "Explain", "request": {"prompt": 5}}, "prompt is 5; give text"),
        ({"question": "Explain", "request": {"prompt": ""}}, "the prompt is empty"),
        (
            {"question": "Explain", "request": {"prompt": "a", "rank_by": "luck"}},
            "rank_by is 'luck'; give flow, effect, logit, share or norm",
        ),
        (
            {"question": "OpenBlock", "request": {"prompt": "a"}, "layer": 1},
            "the question OpenBlock lacks its position; give it",
        ),
        (
            {"question": "OpenBlock", "request": {"prompt": "a"}, "layer": "1", "position": 0},
            "the question OpenBlock cannot be read: layer is '1'; give a whole number",
        ),
        (
            {"question": "ReadLens", "request": {"prompt": "a"}, "positions": [0, None]},
            r"the question ReadLens cannot be read: positions\[1\] is None; give a whole number",
        ),
        (
            {"question": "FindCircuit", "request": {"prompt": "a"}, "by": "luck"},
            "by is 'luck'; give effect, flow, estimate or direct",
        ),
        (
            {"question": "ReadLens", "request": {"prompt": "a"}, "positions": 3},
            r"the question ReadLens cannot be read: positions is 3; give a list like \[1, 2, 3\]",
        ),
    ],
)
def test_what_is_no_question_is_refused_in_one_line(data: object, message: str):
    with pytest.raises(RequestError, match=message) as caught:
        question_from_data(data)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SplitScore(REQUEST, "L1.head0@2", count=-3), "count is -3; give 1 or more"),
        (lambda: ReadUpstream(REQUEST, "L1.head0@2", -1), "count is -1; give 1 or more"),
        (lambda: RankParts(REQUEST, -1), "memories is -1; give 0 or more"),
    ],
)
def test_a_negative_count_is_refused_from_python_too(
    make: Callable[[], Question[Any]], message: str
):
    with pytest.raises(RequestError, match=f"^{message}$"):
        make()


def test_a_field_of_another_type_is_a_request_error_without_type_checks():
    """In a process of its own, since here every argument's type is checked before."""
    source = (
        "from visit.engine.questions import SplitScore\n"
        "from visit.errors import RequestError\n"
        "from visit.graph.request import Request\n"
        "try:\n    SplitScore(Request('a'), None)\n"
        "except RequestError as error:\n    print(error)\n"
    )
    said = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True)
    assert said.stdout == "head is None; give text\n", said.stderr


def test_fields_of_a_later_version_are_passed_over():
    data = {**data_from_question(SAMPLES[1]), "colour": "red"}
    assert question_from_data(data) == SAMPLES[1]


def test_a_question_that_is_made_of_another_is_known_and_no_two_have_one_name():
    class ReadPatternTwice(ReadPattern):
        """A question made of another."""

    asked = ReadPatternTwice(REQUEST, layer=1, head=4)
    assert question_from_data(data_from_question(asked)) == asked
    other = type("ReadPatternTwice", (OpenBlock,), {})
    try:
        with pytest.raises(ValueError, match="two questions are named ReadPatternTwice, in "):
            kinds_of_question()
    finally:
        del asked, other, ReadPatternTwice
        gc.collect()  # a class lasts until then, and with it its name
