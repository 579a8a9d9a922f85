import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema_rs
import networkx
import pytest
from flow_strategies import flows, large_flow, small_flow
from hypothesis import given, settings
from hypothesis import strategies as st
from sample import with_flow

from visit.errors import DocumentError, OutputError
from visit.formats.document import (
    flow_from_json,
    json_from_flow,
    networkx_from_flow,
    read_flow,
    write_flow,
)
from visit.formats.embedded import html_from_json
from visit.formats.notes import notes_from_data
from visit.formats.records import data_from_flow, flow_from_data
from visit.formats.schema import FIRST, NAME, schema
from visit.graph.flow import (
    Audit,
    EdgeKind,
    FlowGraph,
    Ledger,
    MetricInfo,
    MetricKind,
    NodeId,
    NodeKind,
    Note,
    Target,
)
from visit.graph.index import Index
from visit.graph.metric import MetricChoice
from visit.graph.request import RankBy, Request, RouteBy


@given(flows())
@settings(deadline=None)
def test_a_round_trip_through_real_json_is_equality(flow: FlowGraph):
    text = json_from_flow(flow)
    assert flow_from_json(text) == flow
    assert json_from_flow(flow_from_json(text)) == text


@given(flows())
@settings(deadline=None)
def test_the_text_is_utf8_and_free_of_what_json_does_not_know(flow: FlowGraph):
    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    json.loads(json_from_flow(flow).encode("utf-8"), parse_constant=refuse)


def test_every_object_has_its_keys_sorted_and_every_record_its_own_line():
    text = json_from_flow(small_flow())

    def is_sorted(pairs: list[tuple[str, object]]) -> dict[str, object]:
        assert [name for name, _ in pairs] == sorted(name for name, _ in pairs)
        return dict(pairs)

    data = json.loads(text, object_pairs_hook=is_sorted)
    lines = text.splitlines()
    assert sum(line.startswith('{"') for line in lines) == 1 + len(data["nodes"] + data["edges"])


def test_networkx_reads_the_document_as_it_is():
    flow = small_flow()
    document = json.loads(json_from_flow(flow))
    graph = networkx.node_link_graph(document, edges="edges")
    assert isinstance(graph, networkx.MultiDiGraph)
    assert list(graph.nodes) == [str(node.id) for node in flow.nodes]
    assert graph.number_of_edges() == len(flow.edges)
    assert graph.graph["target"]["text"] == " Tokyo"
    assert graph.nodes["L0.head3.value@1"]["source"] == 1
    assert graph.edges["L0.head3@2", "L0.attn@2", "adds:heads"]["direct_logit"] == 3.5
    assert networkx.utils.graphs_equal(graph, networkx_from_flow(flow))


def test_fields_that_do_not_apply_are_absent():
    data = data_from_flow(replace(small_flow(), created=None))
    assert "created" not in data["graph"]
    assert "revision" not in data["graph"]["model"]
    assert set(data["graph"]["request"]) & {"model", "target", "versus"} == set()
    embed, key, *_ = data["nodes"]
    assert set(embed) & {"layer", "head", "index", "source", "activation", "attention"} == set()
    assert (key["layer"], key["head"], key["position"], key["source"]) == (0, 3, 1, 1)
    assert data["edges"][0] == {
        "source": "L0.head3.key@1",
        "target": "L0.head3.value@1",
        "key": "weighs",
        "kind": "weighs",
    }
    assert data["edges"][1]["attention"] == 0.75


def test_the_attention_that_older_documents_have_on_a_key_is_passed_over():
    """It was that of the first position that read the source; the edges have every reader's."""
    data = data_from_flow(small_flow())
    for node in data["nodes"][1:3]:
        node["attention"] = 0.75
    assert flow_from_data(data) == small_flow()


@pytest.mark.parametrize("name", [NAME, FIRST])
def test_the_schema_is_a_valid_draft_2020_12_schema(name: str):
    assert schema(name)["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    jsonschema_rs.meta.validate(schema(name))


def first_version(flow: FlowGraph) -> dict[str, Any]:
    """A graph as ``visit.flow/1`` had it: no metric, no flow, and fewer things to ask for."""
    data = data_from_flow(flow)
    data["schema"] = FIRST
    del data["graph"]["metric"]
    asked = data["graph"]["request"]
    for name in ("metric", "candidates", "route", "strongest", "strongest_memories", "outcome"):
        asked.pop(name, None)
    asked["rank_by"] = "norm"
    return data


def test_a_document_of_the_first_version_is_read_as_what_it_is():
    flow = flow_from_data(first_version(small_flow()))
    assert flow.metric == MetricInfo(MetricKind.LOGIT, small_flow().target.logit)
    asked = flow.request
    assert (asked.metric, asked.route, asked.strongest, asked.outcome) == (
        MetricChoice.LOGIT, RouteBy.SHARE, 0, False,
    )  # fmt: skip
    assert flow.nodes == small_flow().nodes and flow.edges == small_flow().edges
    assert not Index(flow).by_flow
    again = data_from_flow(flow)
    assert again["schema"] == NAME
    assert flow_from_data(again) == flow


def test_a_comparison_of_the_first_version_is_a_logit_difference():
    versus = Target(12, " Kyoto", 5.0, 0.0625, 2)
    flow = flow_from_data(first_version(replace(small_flow(), versus=versus)))
    assert flow.metric == MetricInfo(MetricKind.LOGIT_DIFFERENCE, 2.5)


def test_a_first_version_is_held_to_its_own_schema():
    data = first_version(small_flow())
    data["graph"]["request"]["rank_by"] = "flow"
    with pytest.raises(DocumentError, match=r"graph.request.rank_by: .*flow"):
        flow_from_data(data)


def test_the_schema_knows_every_kind_and_ledger():
    definitions = schema()["$defs"]
    assert definitions["node_kind"]["enum"] == [kind.value for kind in NodeKind]
    assert definitions["edge_kind"]["enum"] == [kind.value for kind in EdgeKind]
    assert definitions["ledger"]["enum"] == [ledger.value for ledger in Ledger]
    assert definitions["request"]["properties"]["rank_by"]["enum"] == [r.value for r in RankBy]
    assert set(definitions["request"]["properties"]) == set(Request.__dataclass_fields__)


def test_a_token_compared_with_reads_back_and_networkx_sees_it():
    versus = Target(12, " Kyoto", 5.0, 0.0625, 2)
    flow = small_flow()
    flow = replace(flow, versus=versus, request=replace(flow.request, versus=" Kyoto"))
    text = json_from_flow(flow)
    assert flow_from_json(text) == flow
    graph = networkx.node_link_graph(json.loads(text), edges="edges").graph
    assert graph["versus"] == {
        "id": 12, "text": " Kyoto", "logit": 5.0, "prob": 0.0625, "rank": 2,
    }  # fmt: skip
    assert graph["request"]["versus"] == " Kyoto"
    assert "versus" not in data_from_flow(small_flow())["graph"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rank": 0}, "graph.versus.rank: 0 is less than the minimum of 1"),
        ({"logit": None}, 'graph.versus.logit: null is not of type "number"'),
        ({"id": 11}, "graph.versus.id is 11, the target's own; they must be two tokens"),
        ({"text": "x"}, r"graph.predictions\[1\].text is ' Kyoto', but graph.versus has it 'x'"),
    ],
)
def test_a_token_compared_with_that_cannot_be_is_refused(change: dict, message: str):
    data = data_from_flow(replace(small_flow(), versus=Target(12, " Kyoto", 5.0, 0.0625, 2)))
    data["graph"]["versus"].update(change)
    with pytest.raises(DocumentError, match=message):
        flow_from_data(data)


HEAD, MLP = NodeId.parse("L0.head3@2"), NodeId.parse("L0.mlp@2")
NOTES = (
    Note(HEAD, name="the mover", text="copies\n Tokyo", group="movers", pinned=True),
    Note(MLP, group="movers"),
)


def test_notes_read_back_beside_their_nodes():
    flow = replace(small_flow(), notes=NOTES)
    document = json.loads(json_from_flow(flow))
    assert document["graph"]["annotations"] == {
        "nodes": {
            "L0.head3@2": {
                "name": "the mover", "text": "copies\n Tokyo", "group": "movers", "pinned": True,
            },
            "L0.mlp@2": {"group": "movers"},
        }
    }  # fmt: skip
    assert flow_from_data(document) == flow
    graph = networkx.node_link_graph(document, edges="edges")
    assert graph.graph["annotations"]["nodes"]["L0.mlp@2"] == {"group": "movers"}
    assert "annotations" not in data_from_flow(small_flow())["graph"]


def test_a_note_may_stand_beside_a_node_that_is_not_drawn_and_an_empty_one_is_none():
    data = data_from_flow(small_flow())
    data["graph"]["annotations"] = {
        "nodes": {"L2.memory5.value@0": {"name": "a"}, "L0.mlp@2": {"pinned": False}}
    }
    assert flow_from_data(data).notes == (Note(NodeId.parse("L2.memory5.value@0"), name="a"),)


def test_fields_of_a_note_that_are_not_known_are_passed_over():
    data = data_from_flow(small_flow())
    data["graph"]["annotations"] = {
        "nodes": {"L0.mlp@2": {"name": "a", "colour": "red", "node": "embed@0"}},
        "of_a_later_version": 1,
    }
    assert flow_from_data(data).notes == (Note(MLP, name="a"),)


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ({"L0.lung@2": {}}, "graph.annotations.nodes: 'L0.lung@2' is not a node id: 'lung' is not"),
        ({"the mover": {}}, 'graph.annotations.nodes: "the mover" does not match'),
        ({"L00.mlp@2": {}}, 'graph.annotations.nodes: "L00.mlp@2" does not match'),
        ({"a\n" * 9999: {}}, r'graph.annotations.nodes: "a\\na\\n'),
        ({"L0.mlp@2": "x"}, r'graph.annotations.nodes.L0.mlp@2: "x" is not of type "object"'),
        ({"L0.mlp@2": {"name": None}}, "L0.mlp@2.name: null is not of type"),
        ({"L0.mlp@2": {"pinned": 1}}, "L0.mlp@2.pinned: 1 is not of type"),
        ([], r"graph.annotations.nodes: \[\] is not of type"),
    ],
)
def test_a_note_that_cannot_be_read_is_refused_with_its_place(nodes: object, message: str):
    data = data_from_flow(small_flow())
    data["graph"]["annotations"] = {"nodes": nodes}
    with pytest.raises(DocumentError, match=message) as caught:
        flow_from_data(data)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize("name", ["L00.mlp@2", "L0.mlp@٢"])
def test_two_spellings_of_one_node_are_no_two_notes(name: str):
    with pytest.raises(DocumentError, match=r"is spelled otherwise, 'L0\.mlp@2'"):
        notes_from_data({"nodes": {name: {"name": "a"}}})


def test_annotations_of_others_and_unknown_fields_are_passed_over():
    data = data_from_flow(small_flow())
    data["graph"]["annotations"] = {"L0.attn@2": "look here"}
    data["nodes"][0]["of_a_later_version"] = [1]
    assert flow_from_data(data) == small_flow()


def test_a_whole_number_is_read_as_the_float_it_stands_for():
    data = data_from_flow(small_flow())
    data["nodes"][0]["norm"] = 3
    data["graph"]["audit"]["logit"] = 0
    flow = flow_from_data(data)
    assert isinstance(flow.nodes[0].reading.norm, float)
    assert isinstance(flow.audit.logit, float)


def put(data: object, path: str, value: object) -> None:
    """Set ``nodes.3.norm`` to a value; a value of ``...`` deletes it."""
    *steps, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    for step in steps:
        data = data[step]
    if value is ...:
        del data[last]
    else:
        data[last] = value


MISTAKES = {
    "nodes.3.norm": ("x", r'nodes\[3\].norm: "x" is not of type "number"'),
    "nodes.3.entropy": (float("nan"), r"nodes\[3\].entropy is nan; give a finite number"),
    "nodes.3.label": ("?", r"nodes\[3\].label is '\?'; in L0.head3@2 it must be ' Tokyo'"),
    "nodes.3.layer": (1, r"nodes\[3\].layer is 1; in L0.head3@2 it must be 0"),
    "nodes.3.kind": ("attn", r"nodes\[3\].kind is 'attn'; in L0.head3@2 it must be 'head'"),
    "nodes.3.index": (4, r"nodes\[3\].index is 4; in L0.head3@2 it must be absent"),
    "nodes.3.head": (..., r"nodes\[3\].head is absent; in L0.head3@2 it must be 3"),
    "nodes.1.source": (0, r"nodes\[1\].source is 0; in L0.head3.key@1 it must be 1"),
    "nodes.4.id": ("L0.head3@2", r"nodes\[4\].id: 'L0.head3@2' is the id of another node"),
    "nodes.5.id": ("L0.lung@2", r"nodes\[5\].id: 'L0.lung@2' is not a node id: "),
    "nodes.6.id": (None, r'nodes\[6\].id: null is not of type "string"'),
    "nodes.7.top": ([], r"nodes\[7\].top: \[\] has less than 1 item"),
    "nodes.8.target.rank": (0, r"nodes\[8\].target.rank: 0 is less than the minimum of 1"),
    "edges.2.source": ("embed@1", r"edges\[2\].source: there is no node 'embed@1'"),
    "edges.2.target": ("L9.mlp@2", r"edges\[2\].target: there is no node 'L9.mlp@2'"),
    "edges.2.key": ("adds", r"edges\[2\].key is 'adds'; its kind makes it 'adds:heads'"),
    "edges.2.ledger": (..., r"edges\[2\].ledger: an adds edge names its ledger, and no other"),
    "edges.0.ledger": ("heads", r"edges\[0\].ledger: an adds edge names its ledger, and no other"),
    "edges.2.kind": ("eats", r'edges\[2\].kind: "eats" is not one of "adds", "normalizes"'),
    "edges.2.share": (True, r'edges\[2\].share: true is not of type "number"'),
    "edges.2.norm": (10**400, r"edges\[2\].norm: 10000.* … .*is greater than the maximum"),
    "graph.tokens.1.position": (2, r"graph.tokens\[1\].position is 2; tokens stand in order"),
    "graph.request.prompt": ("", r'graph.request.prompt: "" is shorter than 1 character'),
    "graph.request.position": (3, "graph.request.position is 3; the prompt has 3 tokens"),
    "graph.predictions.0.text": ("x", r"graph.predictions\[0\].text is 'x', but graph.target has"),
    "graph.model.n_layers": (0, "graph.model.n_layers: 0 is less than the minimum of 1"),
    "graph.audit": (..., 'graph: "audit" is a required property'),
    "nodes": ({}, 'nodes: {} is not of type "array"'),
    "directed": (False, "directed: true was expected"),
    "schema": (
        "visit.flow/3",
        "schema is 'visit.flow/3'; this visit reads 'visit.flow/2' and 'visit.flow/1': ",
    ),
}


@pytest.mark.parametrize("path", MISTAKES)
def test_a_mistake_is_refused_with_its_place(path: str):
    value, message = MISTAKES[path]
    data = data_from_flow(small_flow())
    put(data, path, value)
    with pytest.raises(DocumentError, match=message) as caught:
        flow_from_data(data)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize(
    ("field", "limit", "message"),
    [
        ("n_layers", 2, r"nodes\[0\].layer is 2; the document has 2 layers, from 0"),
        ("n_heads", 3, r"nodes\[0\].head is 3; the document has 3 heads, from 0"),
    ],
)
def test_a_node_outside_the_model_is_refused(field: str, limit: int, message: str):
    data = data_from_flow(small_flow())
    data["nodes"] = [{**data["nodes"][3], "id": "L2.head3@2", "layer": 2}]
    data["edges"] = []
    assert flow_from_data(data).nodes[0].id.layer == 2
    data["graph"]["model"][field] = limit
    with pytest.raises(DocumentError, match=message):
        flow_from_data(data)


def test_a_node_outside_the_prompt_is_refused():
    data = data_from_flow(small_flow())
    data["nodes"][0].update(id="embed@3", position=3)
    with pytest.raises(DocumentError, match=r"nodes\[0\].position is 3; .* has 3 tokens, from 0"):
        flow_from_data(data)


def test_the_same_edge_twice_is_refused():
    data = data_from_flow(small_flow())
    data["edges"].append(data["edges"][2])
    message = r"edges\[11\]: L0.head3@2 L0.attn@2 adds:heads is there already"
    with pytest.raises(DocumentError, match=message):
        flow_from_data(data)


@pytest.mark.parametrize("id_", ["L00.mlp@2", "L0.mlp@02", "L0.mlp@٢", "L0.memory017.value@2"])
def test_an_id_in_another_spelling_is_refused(id_: str):
    data = data_from_flow(small_flow())
    data["nodes"][8]["id"] = id_
    with pytest.raises(DocumentError, match=r"nodes\[8\]\.id"):
        flow_from_data(data)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not JSON, or cut short: Expecting value: line 1 column 1"),
        ("graph TD", "not JSON, or cut short: Expecting value: line 1 column 1"),
        ("[]", "the document is a JSON list; a flow document is a JSON object"),
        ("3", "the document is the JSON value 3; a flow document is a JSON object"),
        ("{}", "there is no 'schema' field; a flow document says 'visit.flow/2'"),
        ("[" * 100_000, "not JSON, or cut short: maximum recursion depth"),
        ("9" * 5_000, "not JSON, or cut short: Exceeds the limit"),
    ],
)
def test_what_is_no_document_is_refused(text: str, message: str):
    with pytest.raises(DocumentError, match=message):
        flow_from_json(text)


@given(st.data())
@settings(deadline=None)
def test_a_truncated_document_is_refused_wherever_it_ends(data: st.DataObject):
    text = json_from_flow(small_flow())
    end = data.draw(st.integers(0, len(text) - 2))
    with pytest.raises(DocumentError, match="not JSON, or cut short: "):
        flow_from_json(text[:end])


def _paths(data: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    steps = data.items() if isinstance(data, dict) else enumerate(data)
    return [
        found
        for step, value in steps
        for found in [
            (*path, step),
            *(_paths(value, (*path, step)) if isinstance(value, dict | list) else []),
        ]
    ]


WITH_EVERYTHING = replace(small_flow(), notes=NOTES, versus=Target(12, " Kyoto", 5.0, 0.0625, 2))
PATHS = _paths(data_from_flow(WITH_EVERYTHING))
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=3,
)


@given(st.sampled_from(PATHS), ANYTHING)
@settings(max_examples=150)
def test_whatever_stands_in_a_document_is_read_or_refused(
    path: tuple[str | int, ...], value: object
):
    data = data_from_flow(WITH_EVERYTHING)
    place = data
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    try:
        assert isinstance(flow_from_data(data), FlowGraph)
    except DocumentError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_is_not_finite_is_never_written(value: float, tmp_path: Path):
    flow = replace(small_flow(), audit=Audit(residual=value, logit=0.0))
    message = rf"graph\.audit\.residual is {value}, which JSON cannot hold; run it again with"
    with pytest.raises(DocumentError, match=message):
        write_flow(flow, tmp_path / "flow.json")
    assert list(tmp_path.iterdir()) == []


def test_a_written_document_reads_back(tmp_path: Path):
    path = tmp_path / "flow.json"
    write_flow(small_flow(), path)
    assert read_flow(path) == small_flow()
    assert list(tmp_path.iterdir()) == [path]


def test_a_document_that_an_editor_gave_a_byte_order_mark_is_read(tmp_path: Path):
    path, text = tmp_path / "flow.json", json_from_flow(small_flow())
    for marked in (text, html_from_json(text)):
        path.write_text(marked, "utf-8-sig")
        assert read_flow(path) == small_flow()
    assert flow_from_json(f"\ufeff{text}") == small_flow()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfe{}", "flow.json: not UTF-8 at byte 0"),
        (b'{"schema": "visit.flow/3"}', "flow.json: schema is 'visit.flow/3'; this visit reads"),
        (b'{"schema": "visit.flow/1", "nod', "flow.json: not JSON, or cut short: "),
    ],
)
def test_a_file_that_is_no_document_is_named(content: bytes, message: str, tmp_path: Path):
    path = tmp_path / "flow.json"
    path.write_bytes(content)
    with pytest.raises(DocumentError, match=message):
        read_flow(path)


def test_a_file_that_does_not_exist_is_named(tmp_path: Path):
    with pytest.raises(DocumentError, match=r"gone\.json cannot be read: no such file"):
        read_flow(tmp_path / "gone.json")
    with pytest.raises(DocumentError, match=r"cannot be read: is a directory"):
        read_flow(tmp_path)


def test_a_document_is_not_written_where_there_is_no_folder(tmp_path: Path):
    with pytest.raises(OutputError, match=r"flow\.json cannot be written: no such file"):
        write_flow(small_flow(), tmp_path / "gone" / "flow.json")


def test_a_document_of_four_thousand_nodes_reads_back():
    flow = large_flow(n_layers=20, n_memories=100)
    assert len(flow.nodes) == 4020
    assert flow_from_json(json_from_flow(flow)) == flow


def test_the_examples_in_the_docs_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    docs = Path(__file__).parents[2] / "docs" / "document.md"
    blocks = re.findall(r"^```python\n(.*?)^```$", docs.read_text("utf-8"), re.M | re.S)
    first, worked, exported, _ = blocks
    monkeypatch.chdir(tmp_path)
    flow = with_flow(small_flow())
    write_flow(flow, "g.json")
    exec(first, {})
    exec(worked, {})
    exec(exported, {})
    assert networkx.read_graphml("g.graphml").number_of_nodes() == len(small_flow().nodes)
    head = next(node for node in flow.nodes if node.id.kind is NodeKind.HEAD)
    assert capsys.readouterr().out == (
        f"' Tokyo', probability 0.750\nL0.head3@2       {head.flow:+.2f}  [' Kyoto', ' Tokyo']\n"
    )


# ---------------------------------------------------------------- chats


def test_what_is_at_its_default_is_left_out_so_that_old_documents_stay_what_they_were():
    graph = data_from_flow(small_flow())["graph"]
    assert not {"bos", "chat"} & graph["request"].keys()
    assert {name for token in graph["tokens"] for name in token} == {"position", "id", "text"}


def test_a_chats_request_and_tokens_are_in_the_document():
    flow = small_flow()
    first = replace(flow.tokens[0], special=True)
    second = replace(flow.tokens[1], message=0, role="user")
    chat = replace(
        flow,
        request=replace(flow.request, bos=False, chat=True),
        tokens=(first, second, *flow.tokens[2:]),
    )
    graph = data_from_flow(chat)["graph"]
    assert graph["request"]["bos"] is False and graph["request"]["chat"] is True
    assert graph["tokens"][0] == {"position": 0, "id": 5, "text": "capital", "special": True}
    assert graph["tokens"][1].items() >= {"message": 0, "role": "user"}.items()
    assert flow_from_json(json_from_flow(chat)) == chat


@pytest.mark.parametrize("alone", ["message", "role"])
def test_a_tokens_message_and_its_role_stand_together(alone: str):
    data = data_from_flow(small_flow())
    data["graph"]["tokens"][0] |= {alone: 0 if alone == "message" else "user"}
    with pytest.raises(DocumentError, match=r"graph.tokens\[0\]: .*required property"):
        flow_from_data(data)


def test_a_document_of_a_chat_that_is_none_is_refused():
    data = data_from_flow(small_flow())
    data["graph"]["request"] |= {"chat": True, "prompt": "[{"}
    with pytest.raises(DocumentError, match=r"^graph\.request: the chat is no JSON list"):
        flow_from_data(data)
