"""What is drawn, and where: nothing overlaps, nothing dangles, letters stay legible."""

import itertools
import json
from dataclasses import replace

import pytest
from sample import PROMPT, make_block, make_flow, with_flow

from visit.graph.flow import FlowGraph, Ledger, NodeId, NodeKind
from visit.graph.index import Index, merge
from visit.graph.request import Request
from visit.graph.selection import select
from visit.web.exports.svg import svg_from_elements
from visit.web.flow import elements, placement
from visit.web.flow.elements import LEAST_ON_SCREEN, control_points, draw, rank_level
from visit.web.flow.labels import shorten_token
from visit.web.flow.placement import Plan
from visit.web.flow.rows import spread
from visit.web.look import Look, Room
from visit.web.marks import BAR_INSET, SMALLEST

EVERY_WAY_OPEN = [
    (),
    ("L1.attn@7",),
    ("L1.mlp@7",),
    ("L2.mlp@7",),
    ("L0.attn@7", "L0.head1@7"),
    ("L0.attn@7", "L0.head0@7", "L0.head2@7", "L2.mlp@7"),
    ("L1.attn@7", "L1.neurons_rest@7"),
    ("L1.attn@7", "L1.head0@7", "L1.head1@7", "L1.head2@7", "L1.mlp@7"),
]
HOSTILE = ("<img src=x onerror=alert(1)>", "javascript:alert(1)", "\u202ekcab", "", "</script>")


def index_of(**how) -> Index:
    return Index(make_flow(mixtures=(2,), **how))


def ids(*texts: str) -> list[NodeId]:
    return [NodeId.parse(text) for text in texts]


def plan(index: Index, opened=(), look: Look | None = None) -> Plan:
    look = look or Look()
    drawn = elements.choose(index, opened, look)
    return placement.plan(drawn, elements.measure_nodes(index, drawn), look.room)


@pytest.mark.parametrize("opened", EVERY_WAY_OPEN)
def test_no_two_nodes_overlap(opened):
    boxes = plan(index_of(), ids(*opened)).boxes
    pairs = itertools.combinations(boxes.items(), 2)
    assert [(str(a), str(b)) for (a, x), (b, y) in pairs if x.overlaps(y)] == []


@pytest.mark.parametrize("opened", EVERY_WAY_OPEN)
def test_both_ends_of_every_drawn_edge_are_drawn_and_ids_are_unique(opened):
    _, made = draw(index_of(), ids(*opened))
    names = [element["data"]["id"] for element in made]
    nodes = {e["data"]["id"] for e in made if "source" not in e["data"]}
    edges = [e["data"] for e in made if "source" in e["data"]]
    assert len(names) == len(set(names))
    assert all(edge["source"] in nodes and edge["target"] in nodes for edge in edges)


@pytest.mark.parametrize("opened", EVERY_WAY_OPEN)
def test_the_flow_goes_from_left_to_right(opened):
    index = index_of()
    drawn, boxes = elements.choose(index, ids(*opened)), plan(index, ids(*opened)).boxes
    assert all(boxes[line.source].x <= boxes[line.target].x for line in drawn.lines)


def test_rows_follow_the_tokens_and_threads_are_level():
    boxes = plan(index_of(), (), Look(count=1000)).boxes
    ys = [boxes[NodeId(NodeKind.EMBED, s)].y for s in range(8)]
    assert ys == sorted(ys)
    for node_id, box in boxes.items():
        if node_id.kind in (NodeKind.RESID_MID, NodeKind.RESID_POST):
            assert box.y == ys[node_id.position]


def test_heads_stand_above_their_thread_the_strongest_on_top_and_mlps_below():
    index = Index(with_flow(make_flow()))
    drawn = elements.choose(index, (), Look(count=1000))
    boxes = plan(index, (), Look(count=1000)).boxes
    for layer in range(3):
        row = boxes[NodeId(NodeKind.EMBED, 7)].y
        heads = [NodeId(NodeKind.HEAD, 7, layer, head=h) for h in range(3)]
        heights = {drawn.places[head]: boxes[head].y for head in heads}
        assert [heights[place] for place in sorted(heights)] == sorted(heights.values())
        assert max(heights.values()) < row < boxes[NodeId(NodeKind.MLP, 7, layer)].y
        assert len({boxes[head].x for head in heads}) == 1


def test_layers_and_positions_in_which_nothing_is_drawn_fold():
    index = Index(with_flow(make_flow(Request(" ".join(["word"] * 24)), n_layers=12, opened=())))
    mlp = NodeId(NodeKind.MLP, 23, 11)
    look = Look(count=0, kept=frozenset({mlp, NodeId(NodeKind.MLP, 2, 4)}))
    placed = plan(index, (), look)
    assert list(placed.folds) == [(0, 3), (5, 10)] and list(placed.bands) == [4, 11]
    assert list(placed.rows) == [2, 23] and list(placed.gaps) == [(3, 22)]
    _, made = draw(index, (), look)
    labels = {e["data"]["id"]: e["data"].get("label") for e in made}
    assert labels["folded0"] == "0\u20133" and labels["gap3"] == "⋯ 20"
    unfolded = plan(index, (), replace(look, unfolded=frozenset({7})))
    assert list(unfolded.folds) == [(0, 3), (5, 6), (8, 10)] and 7 in unfolded.bands
    before = placed.folds[5, 10]
    assert before.width < placed.bands[11].width


@pytest.mark.parametrize("room", [Room(900.0, 500.0), Room(1060.0, 640.0), Room(640.0, 400.0)])
@pytest.mark.parametrize(("n_tokens", "n_layers"), [(8, 30), (20, 30), (61, 12), (8, 3)])
def test_what_is_drawn_at_first_is_legible_in_its_room(room, n_tokens, n_layers):
    request = Request(" ".join(["word"] * n_tokens))
    index = Index(with_flow(make_flow(request, n_layers=n_layers, opened=())))
    placed = plan(index, (), Look(room=room))
    if room.width >= 900:
        assert placed.zoom_in(room) * SMALLEST >= LEAST_ON_SCREEN
    width, height = placed.size
    zoom = placed.zoom_in(room)
    assert width * zoom >= 0.6 * room.width or height * zoom >= 0.9 * room.height


def test_a_part_says_its_name_its_token_and_its_measure():
    index = Index(with_flow(make_flow()))
    _, made = draw(index, (), Look(count=1000))
    parts = {e["data"]["id"]: e["data"] for e in made if "bar" in e["data"]}
    assert parts["L1.mlp@7"]["label"].startswith("L1 MLP\n")
    heads = [data for data in parts.values() if data["kind"] == "head"]
    most = max(abs(index.measure(NodeId.parse(name))) for name in parts)
    for data in heads:
        flow = index.nodes[NodeId.parse(data["id"])].flow
        assert data["label"].endswith("−Paris" if flow < 0 else "Kyoto")
        assert data["sign"] == ("minus" if flow < 0 else "plus")
        long = (data["w"] - 2 * BAR_INSET) * abs(flow) / most
        bar = data["w"] * float(data["bar"][:-1]) / 100
        assert bar == pytest.approx(max(2, long), abs=0.1)


def test_special_tokens_are_short_in_labels():
    assert shorten_token("<|endoftext|>") == "⟨eos⟩" and shorten_token("·Japan") == "Japan"
    assert shorten_token("·") == "·" and shorten_token("<s>") == "<s>"
    assert len(shorten_token("·antidisestablishmentarianism")) == 9


def test_an_opened_mlp_shows_memory_keys_and_values_side_by_side():
    drawn = select(index_of(), ids("L1.mlp@7"))
    boxes = plan(index_of(), ids("L1.mlp@7")).boxes
    keys = [node.id for node in drawn.nodes if node.id.kind is NodeKind.MEMORY_KEY]
    assert len(keys) == 25
    for key in keys:
        assert boxes[key].y == boxes[replace(key, kind=NodeKind.MEMORY_VALUE)].y


def test_an_opened_mixture_shows_its_experts_by_number_with_the_norm_they_read():
    drawn, made = draw(index_of(), ids("L2.mlp@7"))
    into_mlp = [str(line.source) for line in drawn.lines if str(line.target) == "L2.mlp@7"]
    experts = ["L2.expert0@7", "L2.expert3@7", "L2.expert7@7", "L2.shared_expert@7"]
    assert sorted(into_mlp) == [*experts[:3], "L2.experts_rest@7", experts[3]]
    for expert in experts:
        assert [str(line.source) for line in drawn.lines if str(line.target) == expert] == [
            "L2.ln2@7"
        ]
    labels = {e["data"]["id"]: e["data"].get("label", "") for e in made}
    marks = ["2.0", "2.3", "2.7", "L2 Shared expert"]
    assert [labels[expert].split("\n")[0] for expert in experts] == marks
    assert labels["L2.experts_rest@7"] == "rest"


def test_attention_closes_with_its_heads_and_neurons_at_its_position_and_nothing_else_does():
    both = merge(make_flow(mixtures=(2,)), make_block(1, 6, Request(PROMPT)))
    opened = ids(
        "L1.attn@7", "L1.head0@7", "L1.neurons_rest@7", "L1.mlp@7", "L1.attn@6", "L1.head0@6",
        "L2.attn@7", "L2.head0@7",
    )  # fmt: skip
    _, made = draw(Index(both), opened, Look(count=0))
    closes = {e["data"]["id"]: e["data"].get("closes", "").split() for e in made}
    assert closes["L1.attn@7"] == ["L1.head0@7", "L1.neurons_rest@7"]
    assert closes["L1.attn@6"] == ["L1.head0@6"]
    assert closes["L1.mlp@7"] == closes["L1.head0@7"] == []


def test_tokens_stay_data_whatever_they_hold():
    words = (*HOSTILE, *(f"w{i}" for i in range(30)))
    prompt = " ".join(word for word in HOSTILE if word)
    index = Index(make_flow(Request(prompt), words=words))
    _, made = draw(index, ids("L1.attn@3"), Look(count=1000))
    texts = {str(element["data"].get("label", "")) for element in made}
    assert any("<img·src" in text for text in texts) and any("∅" in text for text in texts)
    assert not any("\u202e" in json.dumps(element, ensure_ascii=False) for element in made)


def test_a_residual_of_every_depth_carries_the_whole_together():
    index = index_of()
    for layer in range(3):
        at = [NodeId(NodeKind.RESID_POST, s, layer) for s in range(8)]
        assert 0 < sum(index.carries[node_id] for node_id in at) <= 1 + 1e-9
    embedded = sum(index.carries[NodeId(NodeKind.EMBED, s)] for s in range(8))
    assert index.unexplained + embedded == pytest.approx(1)


def test_what_a_ledger_s_lines_carry_adds_up_to_what_the_whole_carries():
    index = index_of()
    for node_id, carries in index.carries.items():
        for ledger in Ledger:
            lines = index.lines(node_id, ledger)
            if lines:
                sizes = [index.carried[edge.source, edge.target, edge.key] for edge in lines]
                assert sum(sizes) == pytest.approx(min(carries, 1), abs=1e-9)


def test_a_merged_block_can_be_opened_and_leaves_every_ledger_as_it_was():
    whole = make_flow(opened=())
    both = merge(whole, make_block(1, 4, Request(PROMPT)))
    drawn = select(Index(both), ids("L1.attn@4", "L1.head0@4"))
    assert set(ids("L1.head2@4", "L1.head0.query@4")) <= {node.id for node in drawn.nodes}
    before, after = Index(whole), Index(both)
    for node in whole.nodes:
        for ledger in Ledger:
            if before.lines(node.id, ledger):
                assert after.lines(node.id, ledger) == before.lines(node.id, ledger)


@pytest.mark.parametrize(
    ("wanted", "places"),
    [
        ([], []),
        ([0, 100], [0, 100]),
        ([50, 50], [45, 55]),
        ([0, 0, 100], [-5, 5, 100]),
        ([95, 95], [90, 100]),
    ],
)
def test_spread_keeps_the_order_the_pitch_and_the_nearest_places(wanted, places):
    assert spread([float(w) for w in wanted], 10.0) == pytest.approx(places)


def test_an_s_curve_leaves_and_arrives_level():
    """Its control points lie level with either end, halfway between them."""
    dx, dy = 80.0, 60.0
    weights, distances = control_points(dx, dy)
    length = (dx * dx + dy * dy) ** 0.5
    for weight, distance, y in zip(weights, distances, (0.0, dy), strict=True):
        x_found = weight * dx - distance * dy / length
        y_found = weight * dy + distance * dx / length
        assert (x_found, y_found) == pytest.approx((dx / 2, y), abs=0.1)


def test_a_rank_s_level_runs_from_the_best_to_the_last_of_the_vocabulary():
    assert rank_level(1, 50_000) == 0
    assert rank_level(50_000, 50_000) == pytest.approx(1)


def chat_flow() -> FlowGraph:
    """Eight tokens: a special one and a header's of the template, and two messages in turn."""
    flow = make_flow()
    owners = [None, None, 0, 0, 0, None, 1, 1]
    tokens = tuple(
        replace(token, message=owner, role=None if owner is None else ("user", "assistant")[owner])
        for token, owner in zip(flow.tokens, owners, strict=True)
    )
    tokens = (replace(tokens[0], special=True), *tokens[1:])
    return replace(flow, request=replace(flow.request, chat=True), tokens=tokens)


def frames(flow: FlowGraph, frame: str) -> list[dict]:
    made = draw(Index(flow), (), Look(count=1000))[1]
    return [element for element in made if element["data"].get("frame") == frame]


def test_a_bracket_with_the_role_stands_beside_the_rows_of_each_message():
    rows = [element["position"]["y"] for element in frames(chat_flow(), "row")]
    brackets = frames(chat_flow(), "message")
    assert [element["data"]["label"] for element in brackets] == ["user", "assistant"]
    left = min(e["position"]["x"] - e["data"]["w"] / 2 for e in frames(chat_flow(), "row"))
    for element, first, last in zip(brackets, (2, 6), (4, 7), strict=True):
        at, data = element["position"], element["data"]
        assert at["y"] == pytest.approx((rows[first] + rows[last]) / 2, abs=0.2)
        top, bottom = at["y"] - data["h"] / 2, at["y"] + data["h"] / 2
        assert rows[first - 1] < top < rows[first] and rows[last] < bottom
        assert last == 7 or bottom < rows[last + 1]
        assert at["x"] + data["w"] / 2 < left


def test_special_tokens_and_the_templates_have_titles_of_their_own():
    marks = [{"special", "template"} & e["data"].keys() for e in frames(chat_flow(), "row")]
    assert marks == [
        {"special", "template"},
        {"template"},
        *[set()] * 3,
        {"template"},
        set(),
        set(),
    ]


def test_a_prompt_that_is_no_chat_is_drawn_as_ever():
    assert frames(make_flow(), "message") == []
    assert all(not {"special", "template"} & e["data"].keys() for e in frames(make_flow(), "row"))


def test_the_svg_has_the_roles_and_the_special_tokens_too():
    svg = svg_from_elements(draw(Index(chat_flow()), (), Look(count=1000))[1])
    assert svg.count('transform="rotate(-90') == 2 and svg.count('font-style="italic"') == 1
    assert ">assistant</text>" in svg
    plain = svg_from_elements(draw(Index(make_flow()))[1])
    assert "rotate" not in plain and "italic" not in plain
