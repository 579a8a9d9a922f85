"""What the panels say, as plain components."""

import json
from typing import Any

import pytest
from sample import make_flow

from visit.flow import NodeId, NodeKind, Request
from visit.web import inspector
from visit.web.index import Index

INDEX = Index(make_flow())


def panel(node_id: str, index: Index = INDEX) -> list[Any]:
    return inspector.node_panel(index, index.nodes[NodeId.parse(node_id)])


def data_from_components(parts: Any) -> Any:
    return json.loads(json.dumps(parts, default=lambda part: part.to_plotly_json()))


def texts(part: Any) -> list[str]:
    """Every text on the panel, in order."""
    if isinstance(part, str):
        return [part]
    if isinstance(part, list):
        return [text for item in part for text in texts(item)]
    return texts(part["props"].get("children") or []) if isinstance(part, dict) else []


def all_texts(parts: Any) -> list[str]:
    return texts(data_from_components(parts))


def test_a_head_s_panel_says_its_words_measures_and_company():
    said = all_texts(panel("L1.head1@7"))
    for text in ("Head 1", "target's rank", "entropy", "norm", "Says", "Least of all", "By source"):
        assert text in said
    assert "Query" in said and any(text.startswith("Value of") for text in said)
    assert INDEX.nodes[NodeId.parse("L1.head1@7")].reading.top[0].text.replace(" ", "·") in said


def test_every_ledger_is_shown_with_its_sum():
    said = all_texts(panel("L1.attn@7"))
    for name in ("By head", "By attention neuron", "By position read"):
        assert name in said
    assert said.count("sum") == said.count("+100.0 %") == 3
    assert said.count("+1.00") == 3  # direct logits that add up to the attention's


def test_a_long_ledger_folds_its_small_lines_into_one():
    assert "15 more" in all_texts(panel("L1.mlp@7"))


def test_a_ledger_line_knows_what_must_be_open_to_see_its_part():
    data = json.dumps(data_from_components(panel("L1.head1@7")))
    assert '"data-open": "L1.attn@7 L1.head1@7"' in data
    data = json.dumps(data_from_components(panel("L1.mlp@7")))
    assert '"data-open": "L1.mlp@7"' in data


def test_a_memory_s_panel_says_its_activation_and_leads_to_its_key():
    said = all_texts(panel("L1.memory7.value@7"))
    assert "activation" in said and "Memory key 7" in said


def test_a_value_s_panel_says_how_much_is_attended_to_it():
    value = next(n for n in INDEX.nodes if str(n).startswith("L1.head1.value"))
    assert "attention" in all_texts(panel(str(value)))


def test_predictions_mark_the_target_and_carry_the_token_as_data():
    rows = data_from_components(inspector.predictions(INDEX.flow))
    assert len(rows) == 10
    assert [row["props"]["aria-pressed"] for row in rows] == ["true"] + ["false"] * 9
    assert rows[0]["props"]["data-target"] == "·Tokyo"


def test_the_viewer_s_predictions_cannot_be_chosen():
    rows = data_from_components(inspector.predictions(INDEX.flow, clickable=False))
    assert all(row["props"]["disabled"] for row in rows)


def test_the_whole_trace_says_its_audit():
    said = all_texts(inspector.about(INDEX))
    assert "3.0e-07" in said and "2.0e-05" in said and "float32" in said


@pytest.mark.parametrize("kind", NodeKind)
def test_every_kind_of_node_has_a_panel(kind):
    node_id = next(n for n in INDEX.nodes if n.kind is kind)
    assert "Says" in all_texts(panel(str(node_id)))


def test_hostile_tokens_are_text_on_the_panel():
    words = ("<img src=x onerror=alert(1)>", "\u202ekcab", *(f"w{i}" for i in range(30)))
    index = Index(make_flow(Request("<b>bold</b> \u202eend"), words=words))
    data = json.dumps(data_from_components(panel("L1.attn@1", index)), ensure_ascii=False)
    assert "dangerously" not in data.lower() and "\u202e" not in data
