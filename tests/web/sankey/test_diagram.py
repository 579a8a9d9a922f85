"""The Sankey diagram of a layer: it shows what flows, to scale but where it says so."""

import itertools
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import plotly.graph_objects as go
import pytest
from hostile import OURS, hostile_flow, texts_of
from sample import PROMPT, make_block, make_flow

from visit.errors import RequestError
from visit.graph.flow import Edge, EdgeKind, FlowGraph, Ledger, NodeId, NodeKind
from visit.graph.index import Index, merge
from visit.graph.kinds import RESIDUALS, RESTS, Stage
from visit.graph.relations import key_of
from visit.graph.request import Request
from visit.web.colours import colour_at
from visit.web.plots.plotly import literal
from visit.web.sankey.diagram import layers_in_document, sankey_figure
from visit.web.sankey.links import find_columns, links_of_layer
from visit.web.sankey.plan import HAIRLINE, is_slim, plan_layer
from visit.web.theme import DARK, LIGHT, THEMES, VISIT_RANKS, choose_theme
from visit.web.words import percent

LAYER = 1


def parallel(flow: FlowGraph) -> FlowGraph:
    """The graph as a parallel block makes it: no resid_mid, and attention adds to the end."""

    def edges() -> Iterator[Edge]:
        for edge in flow.edges:
            if edge.target.kind is not NodeKind.RESID_MID:
                yield replace(edge, source=before(edge.source))
            elif edge.source.kind is NodeKind.ATTN:
                yield replace(edge, target=replace(edge.target, kind=NodeKind.RESID_POST))

    def before(source: NodeId) -> NodeId:
        if source.kind is not NodeKind.RESID_MID:
            return source
        if source.layer == 0:
            return NodeId(NodeKind.EMBED, source.position)
        return NodeId(NodeKind.RESID_POST, source.position, (source.layer or 0) - 1)

    nodes = tuple(node for node in flow.nodes if node.id.kind is not NodeKind.RESID_MID)
    return replace(flow, nodes=nodes, edges=tuple(edges()))


FLOWS = {
    "sequential": make_flow,
    "parallel": lambda: parallel(make_flow()),
    "mixture": lambda: make_flow(mixtures=(LAYER,)),
    "parallel mixture": lambda: parallel(make_flow(mixtures=(LAYER,))),
    "many heads": lambda: make_flow(n_heads=10),
    "first layer only": lambda: make_flow(opened=[LAYER]),
}
every_flow = pytest.mark.parametrize("name", FLOWS)
either_way = pytest.mark.parametrize("neurons", [False, True], ids=["heads", "neurons"])


@cache
def index_of(name: str = "sequential") -> Index:
    return Index(FLOWS[name]())


def ids_of(figure) -> list[NodeId]:
    return [NodeId.parse(text) for text in figure["data"][0]["node"]["customdata"]]


def labels_of(figure) -> dict[str, str]:
    """The labels that are read, by node id."""
    notes = figure["layout"]["annotations"]
    return {note["name"]: note["text"] for note in notes if "name" in note}


@every_flow
@either_way
@pytest.mark.parametrize("theme", THEMES.values(), ids=THEMES)
def test_plotly_takes_the_figure_and_every_link_joins_two_nodes(name, neurons, theme):
    made = sankey_figure(index_of(name), LAYER, theme, neurons=neurons)
    go.Figure(made)
    ids, link = ids_of(made), made["data"][0]["link"]
    assert len(ids) == len(set(ids))
    for source, target, value, custom in zip(
        link["source"], link["target"], link["value"], link["customdata"], strict=True
    ):
        assert 0 <= source < len(ids) and 0 <= target < len(ids)
        assert value > 0
        assert NodeId.parse(custom) == ids[source]


@every_flow
@either_way
def test_the_flow_goes_from_left_to_right(name, neurons):
    made = sankey_figure(index_of(name), LAYER, LIGHT, neurons=neurons)["data"][0]
    xs = made["node"]["x"]
    assert all(
        xs[source] < xs[target]
        for source, target in zip(made["link"]["source"], made["link"]["target"], strict=True)
    )
    assert all(0 < x < 1 for x in xs)


def test_columns_stand_in_the_order_of_the_flow():
    index = index_of()
    made = sankey_figure(index, LAYER, LIGHT)
    columns = find_columns(links_of_layer(index, LAYER))
    by_x = sorted(zip(made["data"][0]["node"]["x"], ids_of(made), strict=True), key=lambda p: p[0])
    order = [columns[node_id] for _, node_id in by_x]
    assert order == sorted(order)
    assert set(order) == set(Stage) - {Stage.NEURON, Stage.FINAL_NORM, Stage.PREDICTION}


@every_flow
@either_way
def test_a_width_is_the_norm_of_what_flows_but_for_hairlines_and_the_residual_s_own(name, neurons):
    index = index_of(name)
    plan = plan_layer(links_of_layer(index, LAYER, neurons=neurons), 500)
    other = {Ledger.POSITIONS, Ledger.HEADS if neurons else Ledger.NEURONS}
    norms = {(e.source, e.target): e.norm for e in index.flow.edges if e.ledger not in other}
    measured = 0
    for link, size in zip(plan.links, plan.sizes, strict=True):
        if not link.measured:
            continue
        measured += 1
        norm = norms[link.source, link.target]
        assert link.size == norm
        if link.residual:
            assert size <= max(norm, HAIRLINE / plan.scale) + 1e-9
        else:
            assert size == pytest.approx(max(norm, HAIRLINE / plan.scale))
    assert measured > (20 if "mixture" in name else 30)


def test_what_only_steers_is_as_wide_as_what_comes_of_it():
    links = links_of_layer(index_of(), LAYER)
    adds = {link.source: link.size for link in links if link.kind is EdgeKind.ADDS}
    for link in links:
        if link.target.kind is NodeKind.MEMORY_KEY:
            assert link.size == adds[replace(link.target, kind=NodeKind.MEMORY_VALUE)]
        if link.target.kind is NodeKind.QUERY:
            keys = [each.size for each in links if each.source == link.target]
            assert link.size == pytest.approx(sum(keys))


def test_what_is_not_to_scale_is_said():
    index = index_of()
    made = sankey_figure(index, LAYER, LIGHT)
    said = " ".join(note["text"] for note in made["layout"]["annotations"])
    plan = plan_layer(links_of_layer(index, LAYER), 500)
    cut = [
        link.size
        for link, size in zip(plan.links, plan.sizes, strict=True)
        if link.residual and size < link.size
    ]
    assert cut and all(f"{norm:.3g}" in said for norm in cut)
    assert "Residual links are cut to" in said
    thin = any(link.size * plan.scale < HAIRLINE for link in plan.links)
    assert thin == ("Hairlines are thinner" in said)


@every_flow
@either_way
def test_nothing_is_silently_missing(name, neurons):
    """All that the document has of the layer at the position, along the ledger that is shown."""
    index = index_of(name)
    drawn = set(ids_of(sankey_figure(index, LAYER, LIGHT, neurons=neurons)))
    other = {NodeKind.POSITIONS_REST}
    if not neurons:
        other |= {NodeKind.ATTN_NEURON, NodeKind.NEURONS_REST}
    position = index.flow.position
    expected = {
        node.id
        for node in index.flow.nodes
        if node.id.layer == LAYER
        and node.id.kind not in other
        and (node.id.position == position or node.id.kind in (NodeKind.KEY, NodeKind.VALUE))
    }
    before = index.residual_before(LAYER, position)
    if neurons:  # of the heads that are not drawn, those that drawn neurons come of
        expected -= {n for n in expected if n.kind is NodeKind.HEADS_REST} - drawn
    assert drawn == expected | {before}
    of_mlp = NodeKind.EXPERTS_REST if "mixture" in name else NodeKind.MEMORIES_REST
    assert {n.kind for n in drawn} & RESTS >= {NodeKind.SOURCES_REST, of_mlp}


@every_flow
@either_way
@pytest.mark.parametrize("height", [300, 460, 560, 900])
def test_no_two_nodes_of_a_column_overlap_and_labels_have_a_line_each(name, neurons, height):
    index = index_of(name)
    links = links_of_layer(index, LAYER, neurons=neurons)
    plan, own = plan_layer(links, height), find_columns(links)
    columns: dict[Stage, list[NodeId]] = {}
    for node in plan.places:
        columns.setdefault(own[node], []).append(node)
    for column in columns.values():
        column.sort(key=lambda node: plan.places[node].middle)
        for above, below in itertools.pairwise(column):
            first, second = plan.places[above], plan.places[below]
            assert first.middle + first.height / 2 <= second.middle - second.height / 2 + 1e-6
            if not is_slim(links, above) and not is_slim(links, below):
                assert second.middle - first.middle >= 12.9
    assert all(0 <= p.middle - p.height / 2 for p in plan.places.values())
    assert all(p.middle + p.height / 2 <= plan.height + 1e-6 for p in plan.places.values())


@every_flow
@either_way
def test_plotly_s_own_scale_is_the_plan_s(name, neurons):
    """Plotly makes the tallest of its columns fill the domain, and asks y in parts of that."""
    index = index_of(name)
    made = sankey_figure(index, LAYER, LIGHT, neurons=neurons)
    plan = plan_layer(links_of_layer(index, LAYER, neurons=neurons), 560 - 24 - 44)
    low, high = made["data"][0]["domain"]["y"]
    assert 0 <= low < high == 1
    assert (high - low) * plan.height == pytest.approx(plan.scale * plan.tallest)
    inside = (
        made["layout"]["height"] - made["layout"]["margin"]["t"] - made["layout"]["margin"]["b"]
    )
    assert inside == plan.height
    for node_id, y in zip(ids_of(made), made["data"][0]["node"]["y"], strict=True):
        assert y * (high - low) * plan.height == pytest.approx(plan.places[node_id].middle)


@every_flow
@either_way
def test_links_do_not_cross_where_they_meet_a_node(name, neurons):
    plan = plan_layer(links_of_layer(index_of(name), LAYER, neurons=neurons), 500)
    for this, that in (("source", "target"), ("target", "source")):
        ends: dict[NodeId, list[float]] = {}
        for link in plan.links:
            ends.setdefault(getattr(link, this), []).append(plan.places[getattr(link, that)].middle)
        assert all(places == sorted(places) for places in ends.values())


def test_what_pushes_against_has_a_minus_in_its_label_and_a_colour_of_its_own():
    index = index_of()
    figure = sankey_figure(index, LAYER, LIGHT)
    made, labels, against = figure["data"][0], labels_of(figure), 0
    for i, share in enumerate(_shares(index, made)):
        negative = share is not None and share < 0
        label = labels.get(made["link"]["customdata"][i], "")
        tip = made["link"]["label"][i]
        assert made["link"]["color"][i].startswith("rgba(210,96,26,") == negative
        assert label.startswith("(−) ") == negative or label == "" or share is None
        assert ("against the whole" in tip) == negative
        against += negative
    assert against > 3


def _shares(index: Index, made) -> list[float | None]:
    shares = {
        (e.source, e.target): e.share
        for e in index.flow.edges
        if e.ledger not in (Ledger.POSITIONS, Ledger.NEURONS)
    }
    ids = [NodeId.parse(text) for text in made["node"]["customdata"]]
    return [
        shares[ids[source], ids[target]]
        for source, target in zip(made["link"]["source"], made["link"]["target"], strict=True)
    ]


def test_the_residual_s_own_links_are_translucent_and_the_others_less_so():
    made = sankey_figure(index_of(), LAYER, DARK)
    ids, link = ids_of(made), made["data"][0]["link"]
    for source, target, colour in zip(link["source"], link["target"], link["color"], strict=True):
        opacity = float(colour.rstrip(")").split(",")[-1])
        own = ids[source].kind in RESIDUALS and ids[target].kind in RESIDUALS
        assert (opacity <= 0.4) == own


def test_the_paper_s_palette_is_there_for_who_asks():
    index = index_of()
    made = sankey_figure(index, LAYER, choose_theme("light", "visit"))
    for node_id, colour in zip(ids_of(made), made["data"][0]["node"]["color"], strict=True):
        if index.nodes[node_id].reading.target.rank == 1:
            assert colour == VISIT_RANKS[0] == colour_at(VISIT_RANKS, 0.0)


@pytest.mark.parametrize(
    ("name", "heading"), [("mixture", "expert"), ("parallel mixture", "value, expert")]
)
def test_a_mixture_s_column_is_headed_and_its_labels_say_which_expert(name, heading):
    made = sankey_figure(index_of(name), LAYER, LIGHT)
    texts = [note["text"] for note in made["layout"]["annotations"]]
    assert heading in texts
    assert not any("memory" in text for text in texts)
    labels = labels_of(made)
    assert labels[f"L{LAYER}.expert3@7"].removeprefix("(−) ").startswith("3 ")
    assert labels[f"L{LAYER}.shared_expert@7"].removeprefix("(−) ").startswith("shared ")


def test_an_attention_neuron_comes_of_its_head_and_the_rest_of_all():
    index = index_of()
    links = links_of_layer(index, LAYER, neurons=True)
    d_head = index.flow.model.d_head
    attn = NodeId(NodeKind.ATTN, 7, LAYER)
    norms = {edge.source: edge.norm for edge in index.lines(attn, Ledger.NEURONS)}
    for link in links:
        if link.target.kind is NodeKind.ATTN_NEURON:
            assert link.target.index is not None
            number = link.target.index // d_head
            drawn = number < 3
            assert link.source.kind is (NodeKind.HEAD if drawn else NodeKind.HEADS_REST)
            assert link.source.head == (number if drawn else None)
            assert link.size == norms[link.target] and not link.measured
    rest = [link for link in links if link.target.kind is NodeKind.NEURONS_REST]
    assert len(rest) == 4
    assert sum(link.size for link in rest) == pytest.approx(norms[rest[0].target])
    into_attn = {link.source.kind for link in links if link.target == attn}
    assert into_attn == {NodeKind.ATTN_NEURON, NodeKind.NEURONS_REST, NodeKind.ATTN_BIAS}


def test_another_position_s_block_does_not_leak_in():
    flow = merge(make_flow(opened=[LAYER]), make_block(LAYER, 4, Request(PROMPT)))
    plain, both = index_of("first layer only"), Index(flow)
    assert ids_of(sankey_figure(both, LAYER, LIGHT)) == ids_of(sankey_figure(plain, LAYER, LIGHT))


def test_a_key_and_a_value_say_how_much_the_traced_position_attends_to_them():
    """Whichever block the graph was given first: the other position's attention is not theirs."""
    whole, block = make_flow(opened=[LAYER]), make_block(LAYER, 4, Request(PROMPT))
    both = merge(replace(whole, nodes=(), edges=()), block)
    index = Index(merge(both, whole))
    figure = sankey_figure(index, LAYER, LIGHT)
    tips = dict(zip(ids_of(figure), figure["data"][0]["node"]["label"], strict=True))
    lines = [
        line
        for head in index.nodes
        if head.kind is NodeKind.HEAD and head.position == index.flow.position
        for line in index.lines(head, Ledger.SOURCES)
        if line.attention is not None
    ]
    assert len(lines) > 4
    for line in lines:
        said = literal(f"attention {percent(line.attention)}")
        assert said in tips[line.source]
        assert said in tips[key_of(line.source)]


def test_a_layer_that_is_not_opened_is_refused_with_what_to_do():
    index = index_of("first layer only")
    assert layers_in_document(index) == (LAYER,)
    assert layers_in_document(index_of()) == (0, 1, 2)
    with pytest.raises(RequestError, match=r"layer 2 is not opened .* open .* first.*\(1\)"):
        sankey_figure(index, 2, LIGHT)


def test_the_figure_grows_where_the_parts_need_it():
    assert sankey_figure(index_of(), LAYER, LIGHT, height=560)["layout"]["height"] == 560
    assert sankey_figure(index_of(), LAYER, LIGHT, height=100)["layout"]["height"] > 400


def test_tokens_are_shown_and_never_interpreted():
    figure = sankey_figure(Index(hostile_flow()), LAYER, LIGHT)
    trace = figure["data"][0]
    for part in ("node", "link"):
        assert trace[part].pop("hovertemplate") == "%{label}<extra></extra>"
    for text in texts_of(figure):
        rest = OURS.sub("", text)
        assert "<" not in rest and ">" not in rest, text
        assert "%{" not in rest and "$" not in rest and "\u202e" not in rest
    assert any(re.search("&lt;b&gt;x&lt;/b", label) for label in labels_of(figure).values())


def test_no_two_links_say_the_same():
    """Plotly takes links of one label for one flow, and lights them up together."""
    for neurons in (False, True):
        labels = sankey_figure(index_of(), LAYER, LIGHT, neurons=neurons)["data"][0]["link"][
            "label"
        ]
        assert len(labels) == len(set(labels))


@pytest.mark.parametrize("theme", THEMES.values(), ids=THEMES)
def test_a_tip_kept_in_a_label_leaves_nothing_to_see(theme):
    """Plotly puts a shadow behind a label by itself, which shows where the letters do not."""
    font = sankey_figure(index_of(), LAYER, theme)["data"][0]["textfont"]
    assert font["color"].endswith(",0.0)") and font["shadow"] == "none"
