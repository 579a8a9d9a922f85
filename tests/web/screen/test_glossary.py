"""The words that the screen explains, the keys, the tour, and what stands in an empty canvas."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sample import make_flow

from visit.graph.index import Index
from visit.web import ids, inspector
from visit.web.screen import cover, help, tour
from visit.web.screen.fixed_panels import build_fixed_panels
from visit.web.screen.glossary import GLOSSARY, by_topic
from visit.web.trees import Tree, trees

ASSETS = Path(__file__).parents[3] / "assets"

OF_THE_DESIGN = [
    "residual", "norm", "head", "source", "query", "key", "value", "memory", "attention neuron",
    "lens", "reading", "target", "versus", "ledger", "share", "direct logit", "proximity", "rest",
    "route", "atlas", "metric", "candidates", "flow", "outcome",
]  # fmt: skip
OF_THE_SCREEN = [
    "entropy", "rank", "probability", "logit", "activation", "attention", "carried", "threshold",
    "unexplained", "audit", "logit difference", "MLP", "embedding", "bias", "expert",
    "mixture of experts", "routing weight",
]  # fmt: skip

OF_THE_FIELD = {
    "residual": ["hidden state", "HS", "residual stream"],
    "norm": ["LayerNorm", "RMSNorm"],
    "source": ["key position"],
    "query": ["q", "QK circuit"],
    "key": ["k", "QK circuit"],
    "value": ["v", "OV circuit"],
    "memory": ["MLP neuron"],
    "attention neuron": ["row of W_O"],
    "lens": ["logit lens"],
    "target": ["answer token"],
    "ledger": ["decomposition"],
    "direct logit": ["direct logit attribution", "DLA", "direct effect"],
    "proximity": ["ALTI"],
    "MLP": ["feed-forward layer", "FFN"],
    "mixture of experts": ["MoE"],
}


def elements(parts: list[Tree]) -> Iterator[dict[str, Any]]:
    """Every element of some trees, however deep."""
    for part in parts:
        if isinstance(part, dict):
            yield part
            yield from elements(part["children"])


def attribute(parts: list[Tree], name: str) -> list[str]:
    return [e["attributes"][name] for e in elements(parts) if name in e["attributes"]]


def text(part: Tree) -> str:
    return part if isinstance(part, str) else "".join(text(child) for child in part["children"])


def everything_on_the_screen() -> list[Tree]:
    index = Index(make_flow(mixtures=(2,)))
    filled = [part for panel in build_fixed_panels(with_engine=True).values() for part in panel]
    # Nodes of a kind, mixtures' aside, have the same words in their panels.
    one_of_each = {(node.id.kind, node.id.layer == 2): node for node in index.flow.nodes}.values()
    panels = [inspector.about(index)]
    panels += [
        inspector.node_panel(index, node, tab) for node in one_of_each for tab in inspector.Tab
    ]
    return filled + [part for panel in panels for part in trees(panel)]


@pytest.mark.parametrize("word", OF_THE_DESIGN + OF_THE_SCREEN)
def test_every_word_of_the_design_and_the_screen_is_explained(word):
    assert GLOSSARY[word].name == word


def test_every_word_that_the_screen_marks_is_explained():
    marked = set(attribute(everything_on_the_screen(), "data-term"))
    assert marked and marked <= set(GLOSSARY)


@pytest.mark.parametrize("word", GLOSSARY.values(), ids=lambda word: word.name)
def test_a_word_is_explained_in_a_few_whole_sentences(word):
    assert word.says[0].isupper() and word.says.endswith(".")
    assert 30 < len(word.says) < 330 and "  " not in word.says
    assert len(word.formula) < 90


@pytest.mark.parametrize("word", OF_THE_FIELD)
def test_a_word_stands_with_what_the_field_calls_it(word):
    assert set(OF_THE_FIELD[word]) <= set(GLOSSARY[word].also)


def test_what_the_field_calls_a_word_is_not_another_of_our_words():
    for word in GLOSSARY.values():
        assert not set(word.also) & set(GLOSSARY), word.name
        assert len(set(word.also)) == len(word.also) and all(word.also)


def test_the_help_says_what_the_field_calls_each_word():
    said = {
        entry["attributes"]["data-word"]: text(entry)
        for entry in elements(build_fixed_panels(with_engine=False)[ids.HELP])
        if "data-word" in entry["attributes"]
    }
    assert said["direct logit"].endswith(
        "Also called direct logit attribution, DLA, direct effect."
    )
    for word in GLOSSARY.values():
        assert (f"Also called {', '.join(word.also)}." in said[word.name]) is bool(word.also)


def test_the_glossary_cannot_be_changed():
    with pytest.raises(TypeError):
        GLOSSARY["residual"] = GLOSSARY["norm"]  # type: ignore[index]


def test_the_help_holds_each_word_once_with_its_formula():
    shown = build_fixed_panels(with_engine=False)[ids.HELP]
    assert attribute(shown, "data-word") == [w.name for ws in by_topic().values() for w in ws]
    assert sorted(attribute(shown, "data-word")) == sorted(GLOSSARY)
    said = text({"tag": "div", "attributes": {}, "children": shown})
    assert all(word.says in said and word.formula in said for word in GLOSSARY.values())


def test_the_key_that_traces_is_told_of_only_where_a_model_can_be_asked():
    for with_engine in (True, False):
        said = text(trees([help.dialog(with_engine=with_engine)])[0])
        assert ("Ctrl + Enter" in said) is with_engine
        assert "Ctrl + Shift + Z" in said


def test_the_tour_is_short_and_each_of_its_parts_can_be_found():
    assert len(tour.STEPS) <= 5
    known = {value for name, value in vars(ids).items() if name.isupper()}
    classes = {"field", "wide", "act", "canvas", "side", "tool", "dock"}
    for step in tour.STEPS:
        assert step.says.endswith(".") and len(step.says) < 180
        assert set(re.findall(r"#([\w-]+)", step.part)) <= known
        assert set(re.findall(r"\.([\w-]+)", step.part)) <= classes
        assert set(step.sides.split()) <= {"above", "below", "left", "right"}


def test_the_cover_has_a_state_for_each_that_the_script_shows_and_none_without_a_model():
    script = (ASSETS / "cover.js").read_text()
    states = attribute(trees(cover.cover()), "data-when")
    assert sorted(states) == ["empty", "failed", "running"]
    assert all(f'"{state}"' in script for state in states)
    assert ids.COVER in build_fixed_panels(with_engine=True)
    assert ids.COVER not in build_fixed_panels(with_engine=False)
