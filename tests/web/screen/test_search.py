"""The table that the search box looks through: every node, small, and with the way in to each."""

import json
from dataclasses import replace

import pytest
from sample import make_flow, make_ranking, with_flow

from visit.graph.flow import Edge, EdgeKind, Ledger, NodeId, NodeKind, TokenProbability
from visit.graph.index import Index
from visit.graph.parts import Choice
from visit.graph.relations import way_in
from visit.graph.selection import select
from visit.text import visible
from visit.web.screen.search import finder, searchable
from visit.web.trees import trees
from visit.web.words import title

NEVER_DRAWN = {NodeKind.POSITIONS_REST}


@pytest.fixture(scope="module")
def index():
    return Index(make_flow(mixtures=(2,)))


@pytest.fixture(scope="module")
def table(index):
    return searchable(index)


def row(table, node):
    return table["id"].index(node)


def test_every_node_of_the_graph_is_a_row_whether_or_not_it_is_drawn(index, table):
    assert table["id"] == [str(node.id) for node in index.flow.nodes]
    whole = ("tokens", "kinds", "names", "glossary", "words", "ways")
    lengths = {len(said) for name, said in table.items() if name not in whole}
    assert lengths == {len(index.flow.nodes)}


def test_a_row_says_what_its_node_is_and_measures(index, table):
    for number, node in enumerate(index.flow.nodes):
        kind, _, words, *_ = table["kinds"][table["kind"][number]]
        assert kind == node.id.kind
        own = node.id.index if node.id.head is None else node.id.head
        assert words + ("" if own is None else str(own)) == title(node.id)
        assert table["position"][number] == node.id.position
        assert table["rank"][number] == node.reading.target.rank
        assert table["norm"][number] == pytest.approx(node.reading.norm, rel=1e-3)
        assert table["carried"][number] == pytest.approx(index.carries[node.id], rel=1e-3)
        logit = index.direct_logit(node.id)
        assert table["logit"][number] == (None if logit is None else pytest.approx(logit, rel=1e-3))


def test_a_rows_words_are_the_first_five_of_its_reading_as_they_are_shown(index, table):
    for number, node in enumerate(index.flow.nodes):
        shown = [visible(token.text) for token in node.reading.top[:5]]
        assert [table["words"][word] for word in table["top"][number]] == shown
    assert len(set(table["words"])) == len(table["words"])


def test_a_way_leads_to_every_node_that_can_be_drawn(index, table):
    ways = [table["ways"][number] for number in table["way"]]
    for said in set(ways):
        opened = [NodeId.parse(node) for node in said.split()]
        led = {node.id for node, own in zip(index.flow.nodes, ways, strict=True) if own == said}
        drawn = {node.id for node in select(index, opened, Choice(0, frozenset(led))).nodes}
        assert {node for node in led - drawn if node.kind not in NEVER_DRAWN} == set()


@pytest.mark.parametrize(
    ("node", "opened"),
    [
        ("L1.attn@7", ""),
        ("L1.head2@7", ""),
        ("L1.head2.query@7", "L1.head2@7"),
        ("L1.attn_neuron24@7", "L1.attn@7 L1.neurons_rest@7"),
        ("L1.memory7.key@7", "L1.mlp@7"),
        ("L1.ln2@7", "L1.mlp@7"),
        ("L2.expert3@7", "L2.mlp@7"),
        ("L2.shared_expert@7", "L2.mlp@7"),
        ("L1.ln1@7", "L1.head0@7"),
    ],
)
def test_the_way_to_a_node_is_what_is_opened_for_it(index, node, opened):
    assert " ".join(map(str, way_in(index, NodeId.parse(node)))) == opened


def test_a_source_is_shown_at_the_traced_position_where_several_heads_read_it(index):
    value = next(
        node.id
        for node in index.flow.nodes
        if node.id.kind is NodeKind.VALUE and node.id.layer == 1
    )
    early = NodeId(NodeKind.HEAD, value.position, 1, value.head)
    seen = Edge(value, early, EdgeKind.ADDS, Ledger.SOURCES, share=1.0)
    more = Index(replace(index.flow, edges=(seen, *index.flow.edges)))
    assert list(map(str, way_in(more, value))) == [f"L1.head{value.head}@7"]


def test_a_token_of_any_content_is_held_as_visible_text(index):
    hostile = TokenProbability(1, "</script>\u202e\ud800\n", 1.0)
    first, *others = index.flow.nodes
    said = replace(first, reading=replace(first.reading, top=(hostile,)))
    table = searchable(Index(replace(index.flow, nodes=(said, *others))))
    assert table["words"][table["top"][0][0]] == "</script>\\u202e\\ud800↵"
    json.dumps(table).encode("utf-8")


def test_parts_that_the_graph_lacks_are_found_by_what_they_promote():
    """The blocks that hold them are opened when they are picked."""
    small = Index(with_flow(make_flow(opened=())))
    ranking = make_ranking(small.flow)
    lacking = [part for part in ranking.parts if part.id not in small.nodes]
    table = searchable(small, ranking)
    n_nodes = len(small.flow.nodes)
    assert table["id"][:n_nodes] == searchable(small)["id"]
    assert table["id"][n_nodes:] == [str(part.id) for part in lacking]
    assert {part.id.kind for part in lacking} == {NodeKind.HEAD, NodeKind.MEMORY_VALUE}
    for number, part in enumerate(lacking, n_nodes):
        said = [table["words"][word] for word in table["top"][number]]
        assert said == [visible(token.text) for token in part.outcome.promotes[:5]]
        assert table["rank"][number] is None
        assert table["logit"][number] == pytest.approx(part.direct, rel=1e-3)
        most = small.flow.metric.absolute_flow
        assert table["carried"][number] == pytest.approx(min(abs(part.flow) / most, 1), rel=1e-3)
        block = "" if part.id.kind is NodeKind.HEAD else f"L{part.id.layer}.mlp@{part.id.position}"
        assert table["ways"][table["way"][number]] == block


def test_a_graph_as_large_as_gpt_2_small_s_is_a_small_table():
    flow = make_flow(n_layers=20, n_heads=8)
    assert len(flow.nodes) > 3_500
    assert len(json.dumps(searchable(Index(flow)))) < 500_000


def test_the_box_is_a_combobox_over_its_list():
    box, *_, panel = trees(finder())
    assert box["attributes"]["role"] == "combobox"
    listed = {child["attributes"].get("id"): child["attributes"] for child in panel["children"]}
    assert listed[box["attributes"]["aria-controls"]]["role"] == "listbox"
    assert listed[box["attributes"]["aria-describedby"]]["role"] == "status"
