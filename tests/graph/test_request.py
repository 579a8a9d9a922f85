"""A request holds what it says, or is refused; as data and as texts it is the same request."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from enum import StrEnum
from typing import get_args

import jaxtyping
import pytest
from flow_strategies import requests, small_flow
from hypothesis import given
from hypothesis import strategies as st

from visit.engine.question_data import question_from_data
from visit.errors import RequestError
from visit.formats.document import flow_from_json, json_from_flow
from visit.graph.fields import hints_of, text_from_value
from visit.graph.request import (
    DRAWN,
    RankBy,
    Request,
    check_text,
    data_from_request,
    layers_from_spec,
    request_from_data,
    request_from_texts,
    request_like,
    texts_from_request,
)


@pytest.fixture
def unchecked() -> Iterator[None]:
    """Call the package as users do, whose types nothing checks but the package itself."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.mark.parametrize(
    ("spec", "layers"),
    [
        ("all", (0, 1, 2, 3)),
        ("none", ()),
        ("2", (2,)),
        ("0-2", (0, 1, 2)),
        ("3,0-1", (0, 1, 3)),
        (" 1 , 1 - 2 ", (1, 2)),
    ],
)
def test_a_layer_specification_names_layers_in_order(spec: str, layers: tuple[int, ...]):
    assert layers_from_spec(spec, 4) == layers


@given(st.sets(st.integers(0, 30)))
def test_layers_written_one_by_one_are_read_back(layers: set[int]):
    spec = ",".join(map(str, layers)) or "none"
    assert layers_from_spec(spec, 31) == tuple(sorted(layers))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("", "layers '' cannot be read; give all, none, or like 0-5,11"),
        ("1,", "layers '1,' cannot be read"),
        ("-1", "layers '-1' cannot be read"),
        ("first", "layers 'first' cannot be read"),
        ("3-1", "layers '3-1' run backwards; give 1-3"),
        ("2-4", "layer 4 does not exist; the model has 0 to 3"),
    ],
)
def test_a_wrong_layer_specification_is_refused(spec: str, message: str):
    with pytest.raises(RequestError, match=message):
        layers_from_spec(spec, 4)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"prompt": ""}, "the prompt is empty; give at least one token of text"),
        ({"heads": -1}, "heads is -1; give 0 or more"),
        ({"anti_attn_neurons": -2}, "anti_attn_neurons is -2; give 0 or more"),
        ({"top_k": 0}, "top_k is 0; give 1 or more"),
        ({"threshold": 1.5}, "threshold is 1.5; give a number from 0 to 1"),
        ({"threshold": float("nan")}, "threshold is nan; give a number from 0 to 1"),
    ],
)
def test_a_request_that_no_model_could_serve_is_refused(fields: dict[str, object], message: str):
    with pytest.raises(RequestError, match=message):
        Request(**{"prompt": "x", **fields})


def test_a_request_needs_a_prompt():
    with pytest.raises(RequestError, match="the prompt is empty; give at least one token of text"):
        request_from_data({})


def test_ranking_by_an_effect_that_is_not_to_be_measured_is_refused():
    with pytest.raises(
        RequestError, match=r"rank_by is effect, but effects is False.*leave effects"
    ):
        Request("x", rank_by=RankBy.EFFECT, effects=False)
    assert Request("x", rank_by=RankBy.EFFECT).effects is None


MISTAKES = {
    "prompt": (5, "prompt is 5; give text"),
    "layers": (None, "layers is None; give text"),
    "heads": (1.5, "heads is 1.5; give a whole number"),
    "sources": (True, "sources is True; give a whole number"),
    "memories": ("8", "memories is '8'; give a whole number"),
    "anti_memories": (float("inf"), "anti_memories is inf; give a whole number"),
    "threshold": (10**400, r"threshold is 1000.*0; give a number"),
    "rank_by": ("size", "rank_by is 'size'; give flow, effect, logit, share or norm"),
    "metric": ("rank", "metric is 'rank'; give choice, centred or logit"),
    "candidates": (1, "candidates is 1; give 2 or more"),
    "route": ("norm", "route is 'norm'; give flow or share"),
    "strongest": (-1, "strongest is -1; give 0 or more"),
    "outcome": (1, "outcome is 1; give true or false"),
    "effects": (1, "effects is 1; give true or false"),
    "bos": ("yes", "bos is 'yes'; give true or false"),
    "chat": (1, "chat is 1; give true or false"),
    "position": ([1], r"position is \[1\]; give a whole number"),
    "target": (3, "target is 3; give text"),
    "prompt_ids": (5, r"prompt_ids is 5; give a list like \[1, 2, 3\]"),
    "target_id": (-1, "target_id is -1; give a token's id, 0 or more"),
    "versus_id": (True, "versus_id is True; give a whole number"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_field_that_is_of_no_use_is_refused_by_name_from_json_and_from_python(
    name: str, unchecked: None
):
    value, message = MISTAKES[name]
    with pytest.raises(RequestError, match=f"^{message}$"):
        request_from_data({"prompt": "x", name: value})
    with pytest.raises(RequestError, match=f"^{message}$"):
        Request(**{"prompt": "x", name: value})


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"prompt_ids": (1, -1)}, r"prompt_ids\[1\] is -1; give a token's id, 0 or more"),
        ({"prompt_ids": ()}, "prompt_ids is empty; give the id of at least one token"),
        ({"prompt_ids": (1,), "chat": True}, "chat is True, but prompt_ids are read as they are; "),
        ({"prompt_ids": (1,), "bos": False}, "bos is False, but prompt_ids are read as they are; "),
    ],
)
def test_ids_that_cannot_be_read_as_they_are_are_refused(fields: dict, message: str):
    with pytest.raises(RequestError, match=f"^{message}"):
        Request("x", **fields)


def test_a_prompt_of_ids_needs_no_text():
    assert Request(prompt_ids=(5, 6)).prompt == ""
    assert Request("shown", prompt_ids=(5, 6)).prompt == "shown"


def test_a_refused_value_is_shown_short():
    with pytest.raises(RequestError) as caught:
        request_from_data({"prompt": "x", "heads": "9" * 100_000})
    assert len(str(caught.value)) < 100


def test_the_name_of_a_rank_is_that_rank(unchecked: None):
    request = Request("x", rank_by="share")
    assert request.rank_by is RankBy.SHARE
    assert data_from_request(request)["rank_by"] == "share"


CHOICES = [
    (name, member)
    for name, hint in hints_of(Request).items()
    for inner in (get_args(hint) or (hint,))
    if isinstance(inner, type) and issubclass(inner, StrEnum)
    for member in inner
]
"""Every field that is one of a few words, with each of its words."""


def test_a_choice_is_found_among_the_fields():
    assert ("rank_by", RankBy.SHARE) in CHOICES


@pytest.mark.parametrize(("name", "member"), CHOICES)
def test_a_choice_by_its_name_can_be_written_whichever_way_it_came_in(
    name: str, member: StrEnum, unchecked: None
):
    word = member.value
    ways = [
        Request("x", **{name: word}),
        replace(Request("x"), **{name: word}),
        request_from_data({"prompt": "x", name: word}),
        request_from_texts({"prompt": "x", name: word}, Request("y")),
        request_like(Request("y", **{name: word}), {"prompt": "x"}),
        question_from_data({"question": "Explain", "request": {"prompt": "x", name: word}}).request,
    ]
    for asked in ways:
        assert getattr(asked, name) is member
        written = json_from_flow(replace(small_flow(), request=asked))
        assert json.loads(written)["graph"]["request"][name] == word
        assert flow_from_json(written).request == asked
        assert Request(**{"prompt": "x", name: text_from_value(member)}) == asked


def test_a_whole_number_is_one_however_json_writes_it(unchecked: None):
    request = request_from_data({"prompt": "x", "heads": 10.0, "threshold": 0})
    assert (repr(request.heads), repr(request.threshold)) == ("10", "0.0")
    assert Request("x", prompt_ids=[5, 6.0]).prompt_ids == (5, 6)


@pytest.mark.parametrize("data", [None, [1], "prompt", 3])
def test_data_that_are_no_request_are_refused(data: object):
    with pytest.raises(
        RequestError, match=r"^the request is of type \w+; give its fields by name$"
    ):
        request_from_data(data)


def test_fields_of_a_later_version_are_passed_over():
    assert request_from_data({"prompt": "x", "colour": "red"}) == Request("x")


def test_what_is_left_to_the_default_is_absent_and_false_is_not_none():
    optional = {"model", "target", "versus", "position", "bos", "chat"}
    optional |= {"prompt_ids", "target_id", "versus_id", "outcome", "effects", "interventions"}
    assert optional == Request.__dataclass_fields__.keys() - data_from_request(Request("x")).keys()
    said = Request("x", position=0, bos=False, chat=True, prompt_ids=None, target_id=0)
    assert optional & data_from_request(said).keys() == {"position", "bos", "chat", "target_id"}


@given(requests)
def test_a_request_is_the_same_through_json_and_through_texts(request_: Request):
    data = data_from_request(request_)
    assert request_from_data(json.loads(json.dumps(data))) == request_
    texts = texts_from_request(request_)
    assert all(type(text) is str for text in texts.values())
    assert request_from_texts(texts, Request("another")) == request_


def test_texts_say_what_differs_from_the_defaults_alone():
    assert texts_from_request(Request("x")) == {"prompt": "x"}
    said = Request(
        "x", threshold=0.5, rank_by=RankBy.LOGIT, bos=False, target_id=7, versus=" a", heads=0
    )
    assert texts_from_request(said) == {
        "prompt": "x", "threshold": "0.5", "rank_by": "logit", "bos": "false", "target_id": "7",
        "versus": " a", "heads": "0",
    }  # fmt: skip
    ids = Request(prompt_ids=(1, 22, 3))
    assert texts_from_request(ids) == {"prompt_ids": "1,22,3"}


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ({"prompt": "x", "heads": "many"}, "heads is 'many'; give a whole number"),
        ({"prompt": "x", "heads": "²"}, "heads is '²'; give a whole number"),
        ({"prompt": "x", "heads": "-1"}, "heads is -1; give 0 or more"),
        ({"prompt": "x", "position": "9" * 30}, "position is '99999.*'; give a whole number"),
        ({"prompt": "x", "chat": "yes"}, "chat is 'yes'; give true or false"),
        ({"prompt": "x", "threshold": "low"}, "threshold is 'low'; give a number"),
        ({"prompt_ids": "1,,3"}, r"prompt_ids\[1\] is ''; give a whole number"),
        ({"prompt_ids": ""}, "prompt_ids is empty; give the id of at least one token"),
    ],
)
def test_a_text_that_says_nothing_to_a_field_is_refused(texts: dict[str, str], message: str):
    with pytest.raises(RequestError, match=f"^{message}$"):
        request_from_texts(texts, Request("x"))


def test_another_question_keeps_the_model_and_how_much_is_drawn_and_nothing_else():
    default = Request("x", "mini", " a", " b", 1, "none", 3, bos=True, chat=True, target_id=5)
    assert request_like(default, {"prompt": "y"}) == Request("y", "mini", layers="none", heads=3)
    assert request_like(default, {"prompt": "y", "model": None, "heads": 4}) == Request(
        "y", layers="none", heads=4
    )
    assert DRAWN == {
        "layers", "heads", "sources", "memories", "anti_memories", "attn_neurons",
        "anti_attn_neurons", "top_k", "threshold", "rank_by", "metric", "candidates", "route",
        "strongest", "strongest_memories", "outcome", "effects",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["prompt", "target", "versus"])
def test_half_a_surrogate_pair_is_no_text_for_a_model(name: str):
    """A tokenizer takes none: the app stayed on "Tracing", and the command line blamed itself."""
    request = Request(**{"prompt": "a b", name: "a\ud800"})
    with pytest.raises(RequestError, match=rf"^the {name} has half a surrogate pair.* letter 1; "):
        check_text(request)
    check_text(Request("a \U0001f600", target=" b"))


def test_a_layer_of_thousands_of_digits_is_refused_in_one_line():
    with pytest.raises(RequestError, match=r"layers '9999.*' cannot be read") as refused:
        layers_from_spec("9" * 5_000, 3)
    assert len(str(refused.value)) < 150
