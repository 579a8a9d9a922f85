"""What the panels say, as the trees that the browser builds."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from sample import PROMPT, FakeEngine, make_block, make_flow, make_ranking, with_flow

from visit.engine.questions import RankParts, ReadLens, ReadPattern
from visit.graph.flow import (
    Edge,
    EdgeKind,
    FlowGraph,
    Ledger,
    MetricInfo,
    MetricKind,
    NodeId,
    NodeKind,
    Note,
    Target,
    TokenProbability,
)
from visit.graph.index import Index, merge
from visit.graph.paths import Paths
from visit.graph.relations import key_of, reader_lines, sum_logits, way_in
from visit.graph.request import Request
from visit.text import visible
from visit.web import inspector
from visit.web.inspector import DOCUMENT_TABS, Tab, node_panel, wants
from visit.web.inspector.needs import TabAnswer
from visit.web.inspector.tabs.depths import depth_of
from visit.web.inspector.tabs.ledger import logit_rows
from visit.web.inspector.tabs.waterfall import LINES_SHOWN, By, Row, fold, steps
from visit.web.plots.heatmap import LEVELS, WINDOW, level, window
from visit.web.trees import Tree, trees
from visit.web.words import percent, signed

INDEX = Index(make_flow(mixtures=(2,)))
ENGINE = FakeEngine()
BIASES = {NodeKind.ATTN_BIAS, NodeKind.MLP_BIAS}
FOLDED = {NodeKind.SOURCES_REST, NodeKind.POSITIONS_REST}
MLP_AND_RESTS = {NodeKind.MLP, NodeKind.MEMORIES_REST, NodeKind.EXPERTS_REST}


def panel(
    node_id: str,
    tab: Tab = Tab.WORDS,
    index: Index = INDEX,
    answer: TabAnswer | None = None,
    note: Note | None = None,
) -> list[Tree]:
    node = index.nodes[NodeId.parse(node_id)]
    return trees(node_panel(index, node, tab, answer, note))


def elements(parts: list[Tree]) -> Iterator[dict[str, Any]]:
    """Every element, outermost first."""
    for part in parts:
        if not isinstance(part, str):
            yield part
            yield from elements(part["children"])


def texts(parts: list[Tree]) -> list[str]:
    """Every text, in order."""
    return [
        text
        for part in parts
        for text in ([part] if isinstance(part, str) else texts(part["children"]))
    ]


def said(element: dict[str, Any]) -> str:
    return "".join(texts([element]))


def having(parts: list[Tree], name: str, value: str | None = None) -> list[dict[str, Any]]:
    """The elements that have an attribute, of one value if given."""
    return [
        e
        for e in elements(parts)
        if name in e["attributes"] and value in (None, e["attributes"][name])
    ]


def classed(parts: list[Tree], name: str) -> list[dict[str, Any]]:
    return [e for e in elements(parts) if name in e["attributes"].get("class", "").split()]


def answer(tab: Tab, node_id: NodeId, flow: FlowGraph = INDEX.flow) -> TabAnswer | None:
    """What an engine answers to what a tab wants."""
    question = wants(tab, node_id, flow.request)
    return None if question is None else ENGINE.ask(question)


def everywhere() -> list[Any]:
    """One node of every kind, with every tab."""
    nodes = [next(n for n in INDEX.nodes if n.kind is kind) for kind in NodeKind]
    return [pytest.param(n, tab, id=f"{n.kind}-{tab}") for n in nodes for tab in Tab]


# ------------------------------------------------------------------ the panel as a whole


@pytest.mark.parametrize(("node_id", "tab"), everywhere())
def test_every_tab_of_every_kind_of_node_is_a_tree_that_json_holds(node_id: NodeId, tab: Tab):
    for more in (None, answer(tab, node_id)):
        made = panel(str(node_id), tab, answer=more)
        assert json.loads(json.dumps(made)) == made
        body = having(made, "role", "tabpanel")[0]
        assert said(body).strip()


def test_the_tabs_say_which_one_is_shown_and_what_it_shows():
    made = panel("L1.head1@7", Tab.PATH)
    tablist = having(made, "role", "tablist")[0]
    tabs = having([tablist], "role", "tab")
    assert [t["attributes"]["data-tab"] for t in tabs] == [str(tab) for tab in DOCUMENT_TABS]
    chosen = [
        t["attributes"]["data-tab"] for t in tabs if t["attributes"]["aria-selected"] == "true"
    ]
    assert chosen == ["path"]
    body = having(made, "role", "tabpanel")[0]["attributes"]
    assert {t["attributes"]["aria-controls"] for t in tabs} == {body["id"]}
    assert body["aria-labelledby"] in {t["attributes"]["id"] for t in tabs}


def test_a_tab_wants_only_what_the_document_does_not_hold():
    head, memory = NodeId.parse("L1.head2@7"), NodeId.parse("L1.memory7.value@5")
    asked = INDEX.flow.request
    pattern = ReadPattern(asked, layer=1, head=2)
    assert wants(Tab.ATTENTION, head, asked) == pattern
    assert wants(Tab.ATTENTION, NodeId.parse("L1.head2.key@3"), asked) == pattern
    assert wants(Tab.ATTENTION, memory, asked) is None
    assert wants(Tab.ATTENTION, NodeId.parse("L1.attn@7"), asked) is None
    assert wants(Tab.WHERE, memory, asked) == ReadLens(asked, (5,))
    assert {wants(tab, head, asked) for tab in (Tab.LEDGER, Tab.PATH)} == {None}
    assert wants(Tab.WORDS, head, asked) == wants(Tab.WORDS, memory, asked) == RankParts(asked)
    assert wants(Tab.WORDS, NodeId.parse("L1.attn@7"), asked) is None


def test_hostile_tokens_are_text_in_every_tab():
    words = ("<img src=x onerror=alert(1)>", "\u202ekcab", *(f"w{i}" for i in range(30)))
    index = Index(make_flow(Request("<b>bold</b> \u202eend"), words=words))
    for name in ("L1.attn@1", "L1.head1@1", "L1.memory7.value@1", "L1.resid_post@1"):
        for tab in Tab:
            more = answer(tab, NodeId.parse(name), index.flow)
            made = panel(name, tab, index, more)
            assert "\u202e" not in json.dumps(made, ensure_ascii=False)
            assert not any(e["tag"] in ("img", "b", "script") for e in elements(made))


def test_measures_are_hooks_for_the_glossary():
    words = {"rank", "probability", "entropy", "norm", "share", "direct logit", "proximity"}
    found = {
        e["attributes"]["data-term"]
        for tab in Tab
        for e in having(panel("L1.head1@7", tab), "data-term")
    }
    assert words <= found


def test_a_comparison_is_said_in_the_head_and_of_the_whole_trace():
    index = Index(replace(INDEX.flow, versus=Target(8, " Kyoto", 3.0, 0.1, 2)))
    made = panel("L1.attn@7", index=index)
    assert "Direct logits: ·Tokyo rather than ·Kyoto" in said(classed(made, "versus")[0])
    head = said(classed(trees(inspector.about(index)), "node-head")[0])
    assert "·Kyoto 10.0 %, rank 2, logit 3.00" in head


# ------------------------------------------------------------------ words


def test_a_head_s_words_stand_with_those_of_its_query_keys_and_values():
    made = panel("L1.head1@7")
    for text in ("Head 1", "target's rank", "entropy", "norm", "Says", "Least of all", "Query"):
        assert text in texts(made)
    company = having(classed(made, "company"), "data-node")
    kinds = [NodeId.parse(e["attributes"]["data-node"]).kind for e in company]
    assert kinds == [NodeKind.QUERY, *([NodeKind.KEY, NodeKind.VALUE] * 2)]


@pytest.mark.parametrize("side", ["key", "value"])
def test_a_memory_shows_what_its_key_looks_for_and_what_its_value_writes(side: str):
    made = panel(f"L1.memory7.{side}@7")
    assert "activation" in texts(made)
    assert texts(made).count("Says") == texts(made).count("Least of all") == 2
    sides = having(classed(made, "sides"), "data-node")
    assert [s["attributes"]["data-node"] for s in sides] == [
        "L1.memory7.key@7",
        "L1.memory7.value@7",
    ]


def test_a_memory_that_is_active_against_its_value_says_so():
    values = [n for n in INDEX.flow.nodes if n.id.kind is NodeKind.MEMORY_VALUE]
    against = next(n for n in values if n.activation is not None and n.activation < 0)
    along = next(n for n in values if n.activation is not None and n.activation > 0)
    assert "pushes against" in "".join(texts(panel(str(against.id))))
    assert "pushes against" not in "".join(texts(panel(str(along.id))))


def test_a_value_s_panel_says_how_much_is_attended_to_it():
    value = next(n for n in INDEX.nodes if str(n).startswith("L1.head1.value"))
    assert "attention" in texts(panel(str(value)))


def facts_of(made: list[Tree]) -> dict[str, str]:
    """What the panel's measures say, by name."""
    (listed,) = classed(made, "facts")
    rows = [row["children"] for row in listed["children"]]
    return {said(name): said(value) for name, value in rows}


def read_twice() -> tuple[Index, NodeId, list[Edge]]:
    """A graph opened at two positions, and a value that both add up, with its line in each."""
    index = Index(merge(make_flow(), make_block(1, 5, Request(PROMPT))))
    values = (n for n in index.nodes if n.kind is NodeKind.VALUE)
    value = next(n for n in values if len(reader_lines(index, n)) > 1)
    return index, value, reader_lines(index, value)


def test_a_source_that_two_positions_read_says_how_much_each_attends_to_it():
    """Its key and value are shared: the first reader's attention must not be taken for both."""
    index, value, lines = read_twice()
    assert [line.target.position for line in lines] == [5, 7]
    expected = {
        f"attention from {visible(index.flow.tokens[line.target.position].text)} "
        f"at {line.target.position}": percent(line.attention)
        for line in lines
    }
    for side in (value, key_of(value)):
        shown = facts_of(panel(str(side), index=index))
        assert {n: said for n, said in shown.items() if n.startswith("attention")} == expected


def test_beside_a_head_a_key_bears_that_head_s_own_attention():
    index, value, lines = read_twice()
    for line in lines:
        made = classed(panel(str(line.target), index=index), "company")
        (entry,) = having(made, "data-node", str(key_of(value)))
        assert said(classed([entry], "number")[0]) == percent(line.attention)


# ------------------------------------------------------------------ ledgers


def lines_of(whole: NodeId, ledger: Ledger) -> list[Row]:
    return [Row(str(e.source), e.share, e.direct_logit) for e in INDEX.lines(whole, ledger)]


@pytest.mark.parametrize("by", By)
@pytest.mark.parametrize("ledger", Ledger)
def test_a_waterfall_s_bars_join_and_end_at_the_sum(ledger: Ledger, by: By):
    wholes = {e.target for e in INDEX.flow.edges if e.ledger is ledger}
    assert wholes
    for whole in wholes:
        rows = lines_of(whole, ledger)
        bars = steps(fold(rows, by), by)
        total = sum((row.share if by is By.SHARE else row.logit) or 0.0 for row in rows)
        assert bars[0].start == 0.0
        assert [b.end for b in bars[:-1]] == [b.start for b in bars[1:]]
        assert bars[-1].end == pytest.approx(total, abs=1e-12)


def test_the_drawn_bars_join_and_their_sum_s_bar_ends_where_the_last_one_does():
    table = having(panel("L1.mlp@7", Tab.LEDGER), "data-by", "logit")[-1]
    zero = float(table["attributes"]["style"].removeprefix("--zero: ").removesuffix("%"))
    at = zero
    *parts, total = [b["children"][0]["attributes"] for b in classed([table], "signed-bar")]
    for part in parts:
        style = dict(piece.split(": ") for piece in part["style"].split("; "))
        left, width = (float(style[name].removesuffix("%")) for name in ("left", "width"))
        start, end = (left, left + width) if part["class"] == "plus" else (left + width, left)
        assert start == pytest.approx(at, abs=0.03)
        at = end
    style = dict(piece.split(": ") for piece in total["style"].split("; "))
    left, width = (float(style[name].removesuffix("%")) for name in ("left", "width"))
    assert sorted((left, left + width)) == pytest.approx(sorted((zero, at)), abs=0.05)


def test_a_long_ledger_folds_its_small_lines_into_one():
    rows = fold(lines_of(NodeId.parse("L1.mlp@7"), Ledger.MEMORIES), By.SHARE)
    sizes = [abs(row.share or 0.0) for row in rows[:LINES_SHOWN]]
    assert sizes == sorted(sizes, reverse=True)
    assert said(trees([rows[-1].part])[0]) == "15 more"
    assert "15 more" in texts(panel("L1.mlp@7", Tab.LEDGER))


def test_a_single_small_line_is_not_folded():
    rows = [Row(str(i), 1 / 13, None) for i in range(LINES_SHOWN + 1)]
    assert fold(rows, By.SHARE) == rows


def test_every_ledger_is_shown_by_share_and_by_direct_logit_with_its_sum():
    made = panel("L1.attn@7", Tab.LEDGER)
    for name in ("By head", "By attention neuron", "By position read"):
        assert name in texts(made)
    assert texts(made).count("sum") == 6
    tables = [e for e in having(made, "data-by") if e["tag"] == "table"]
    assert [t["attributes"]["data-by"] for t in tables] == ["share", "logit"] * 3
    sums = [said(next(e for e in elements([t]) if e["tag"] == "tfoot")) for t in tables]
    assert all("+100.0 %" in text and "+1.00" in text for text in sums)
    checked = [e["attributes"]["value"] for e in having(made, "checked")]
    assert checked == ["logit"]


def test_a_ledger_off_the_traced_position_is_shown_by_share_alone():
    made = panel("L1.resid_post@3", Tab.LEDGER)
    assert [e["attributes"]["data-by"] for e in having(made, "data-by")] == ["share"]


def test_the_whole_s_own_direct_logit_stands_under_the_sum():
    line = next(e for e in INDEX.out_of[NodeId.parse("L1.mlp@7")] if e.ledger is Ledger.RESIDUAL)
    assert INDEX.direct_logit(line.source) == line.direct_logit
    foot = [e for e in elements(panel("L1.mlp@7", Tab.LEDGER)) if e["tag"] == "tfoot"]
    assert f"{line.direct_logit:+.2f}".replace("-", "−") in said(foot[0])
    assert "the whole itself" in said(foot[0])


def test_a_ledger_line_knows_what_must_be_open_to_see_its_part():
    assert having(panel("L1.head1@7", Tab.LEDGER), "data-open", "L1.head1@7")
    assert having(panel("L1.mlp@7", Tab.LEDGER), "data-open", "L1.mlp@7")
    neuron = next(n for n in INDEX.nodes if n.kind is NodeKind.ATTN_NEURON)
    assert list(map(str, way_in(INDEX, neuron))) == ["L0.attn@7", "L0.neurons_rest@7"]


def test_a_mixture_s_ledger_says_each_expert_s_weight_and_what_is_not_taken_apart():
    made = panel("L2.mlp@7", Tab.LEDGER)
    section = having(made, "data-ledger", "experts")
    rows = [said(name) for name in classed(classed(section, "by-share"), "part-name")]
    assert sorted(rows) == ["0 × 0.25", "3 × 0.62", "7 × 0.12", "Others", "shared × 0.50"]
    head = "".join(texts(classed(section, "hint")))
    assert head == (
        "A mixture of experts: this position is routed to 3 of 8. "
        "In this family, experts are shown whole."
    )
    assert not having(made, "data-ledger", "memories")


def test_an_expert_says_its_weight_and_that_it_is_shown_whole():
    made = panel("L2.expert3@7", Tab.LEDGER)
    assert "it is not opened into its memories" in "".join(texts(made))
    assert "routing weight" in texts(classed(made, "own-line"))
    assert "activation" not in texts(panel("L2.expert3@7"))
    assert {"routing weight", "0.625"} <= set(texts(panel("L2.expert3@7")))
    assert list(map(str, way_in(INDEX, NodeId.parse("L2.expert3@7")))) == ["L2.mlp@7"]


def test_a_part_says_what_it_adds_to():
    line = next(e for e in INDEX.out_of[NodeId.parse("L1.head1@7")] if e.ledger is Ledger.HEADS)
    own = classed(panel("L1.head1@7", Tab.LEDGER), "own-line")
    assert len(own) == 1
    assert having(own, "data-node", "L1.attn@7")
    assert f"{100 * line.share:+.1f} %".replace("-", "−") in texts(own)
    assert {"share", "direct logit", "proximity", "norm"} <= set(texts(own))


def test_the_target_s_logit_is_a_waterfall_of_all_that_was_written():
    rows = logit_rows(INDEX)
    assert len(rows) == 1 + 2 * INDEX.flow.model.n_layers + 1
    by_hand = [
        e.direct_logit
        for e in INDEX.flow.edges
        if e.ledger is Ledger.RESIDUAL
        and e.target.position == 7
        and e.source.kind in (NodeKind.EMBED, NodeKind.ATTN, NodeKind.MLP)
    ]
    biases = 12.0 - 11.0  # what unembeds less what was written
    assert sum(row.logit for row in rows) == pytest.approx(sum(by_hand) + biases)
    for made in (panel("output@7", Tab.LEDGER), trees(inspector.about(INDEX))):
        (section,) = having(made, "data-ledger", "logit")
        assert said(section).startswith("What adds up to it, by direct logit")
        foot = next(e for e in elements([section]) if e["tag"] == "tfoot")
        assert "+12.00" in said(foot)


def test_what_adds_up_is_in_the_order_of_flow_and_says_what_parts_do_in_the_end():
    index = Index(with_flow(INDEX.flow))
    rows = logit_rows(index)
    assert all(row.flow is not None for row in rows)
    shown = fold(rows, By.LOGIT)
    sizes = [abs(row.flow) for row in shown[:LINES_SHOWN]]
    assert sizes == sorted(sizes, reverse=True)
    names = [said(tree_) for tree_ in trees(row.part for row in rows)]
    node = index.nodes[NodeId.parse("L1.mlp@7")]
    assert f"L1 MLP{visible(node.word)}" in names
    assert "L1 Attention" in "".join(names)


@pytest.mark.parametrize(
    ("kind", "words", "sentence"),
    [
        (MetricKind.LOGIT, "logit of ·Tokyo", "The logit of ·Tokyo is +3.50."),
        (
            MetricKind.CENTRED_LOGIT,
            "logit of ·Tokyo over the mean of all tokens",
            "·Tokyo leads the mean of all tokens by 3.50 logits.",
        ),
        (
            MetricKind.LOGIT_DIFFERENCE,
            "logit difference, ·Tokyo − ·Kyoto",
            "·Tokyo leads ·Kyoto by 3.50 logits.",
        ),
        (
            MetricKind.CHOICE,
            "choice of ·Tokyo among 2 candidates",
            "·Tokyo leads the mean of the 2 likeliest tokens by 3.50 logits.",
        ),
    ],
)
def test_the_metric_is_said_in_words(kind: MetricKind, words: str, sentence: str):
    candidates = (TokenProbability(0, " Tokyo", 0.5), TokenProbability(8, " Kyoto", 0.1))
    metric = MetricInfo(kind, 3.5, candidates)
    versus = Target(8, " Kyoto", 3.0, 0.1, 2)
    index = Index(replace(INDEX.flow, metric=metric, versus=versus))
    made = trees(inspector.about(index))
    assert words in texts(made) and sentence in texts(made)
    behind = replace(index.flow, metric=replace(metric, value=-3.5))
    assert ("trails" in said(made[0])) is False
    again = said(trees(inspector.about(Index(behind)))[0])
    assert ("trails" in again) or ("−3.50" in again)


def test_a_nodes_flow_and_what_it_promotes_in_the_end_stand_before_its_reading():
    index = Index(with_flow(INDEX.flow))
    made = panel("L1.head1@7", index=index)
    flow = index.nodes[NodeId.parse("L1.head1@7")].flow
    assert {"flow", signed(flow)} <= set(texts(made))
    lists = [texts(e["children"]) for e in classed(made, "tokens")]
    assert lists[0][0] == "·Kyoto" and "+1.50" in lists[0]
    assert lists[1][0] == "·Paris" and "−0.50" in lists[1]
    assert {"Promotes", "Suppresses", "In the end"} <= set(texts(made))
    assert "Promotes" not in texts(panel("L1.attn@7", index=index))
    own = classed(panel("L1.head1@7", Tab.LEDGER, index=index), "own-line")[0]
    assert "flow" in texts([own])
    assert "flow" in texts(trees(inspector.about(index)))


def test_a_logit_that_the_document_cannot_take_apart_is_not():
    edges = [e for e in INDEX.flow.edges if str(e.source) != "L1.mlp@7"]
    assert logit_rows(Index(replace(INDEX.flow, edges=tuple(edges)))) == []


# ------------------------------------------------------------------ attention


def test_a_head_s_row_is_listed_and_given_to_the_tokens():
    node_id = NodeId.parse("L1.head1@7")
    more = answer(Tab.ATTENTION, node_id)
    made = panel(str(node_id), Tab.ATTENTION, answer=more)
    root = having(made, "data-attention")[0]
    parts = [float(part) for part in root["attributes"]["data-attention"].split(",")]
    assert more is not None
    assert parts == pytest.approx(more[7], rel=1e-3)
    assert root["attributes"]["data-reader"] == "7"
    rows = [e for e in elements(classed(made, "sources")) if e["tag"] == "tr"][1:]
    assert len(rows) == 8
    taken = {str(e.source): e for e in INDEX.lines(node_id, Ledger.SOURCES)}
    for row in rows:
        name = row["attributes"].get("data-node")
        if name is not None:
            assert f"{taken[name].direct_logit:+.2f}".replace("-", "−") in said(row)
    assert {r["attributes"].get("data-node") for r in rows} - {None} == {
        name for name in taken if ".value" in name
    }


@pytest.mark.parametrize("tabs", [DOCUMENT_TABS, tuple(Tab)], ids=["document", "engine"])
def test_the_map_promises_an_answer_only_where_one_can_be_asked_for(tabs: tuple[Tab, ...]):
    node = INDEX.nodes[NodeId.parse("L1.head2@7")]
    pattern = answer(Tab.ATTENTION, node.id)
    made = trees(node_panel(INDEX, node, Tab.ATTENTION, pattern, tabs=tabs))
    (frame,) = having(made, "data-cells", "attention")
    assert ("says why" in frame["attributes"]["aria-label"]) == (Tab.CAUSES in tabs)
    assert ("is-live" in frame["attributes"]["class"]) == (Tab.CAUSES in tabs)


def test_a_source_s_part_marks_the_row_that_reads_it_and_its_own_column():
    key = next(n for n in INDEX.nodes if n.kind is NodeKind.KEY and n.position < 7)
    made = panel(str(key), Tab.ATTENTION, answer=answer(Tab.ATTENTION, key))
    assert having(made, "data-reader", "7")
    assert len(classed(made, "frame")) == 2
    marked = [said(row) for row in classed(made, "is-here") if row["tag"] == "tr"]
    assert len(marked) == 1
    assert str(key.position) in marked[0]


def test_without_an_engine_a_head_shows_its_drawn_sources_and_says_so():
    made = panel("L1.head1@7", Tab.ATTENTION)
    assert "What the document holds" in "".join(texts(made))
    assert not [e for e in elements(made) if e["tag"] == "svg"]
    parts = having(made, "data-attention")[0]["attributes"]["data-attention"].split(",")
    assert len(parts) == 8
    assert sum(float(part) > 0 for part in parts) == 2


def test_an_attention_shows_the_mean_over_its_heads():
    made = panel("L1.attn@7", Tab.ATTENTION)
    lines = [e for e in INDEX.lines(NodeId.parse("L1.attn@7"), Ledger.POSITIONS) if e.attention]
    parts = having(made, "data-attention")[0]["attributes"]["data-attention"].split(",")
    for line in lines:
        if line.source.kind is not NodeKind.POSITIONS_REST:
            assert float(parts[line.source.position]) == pytest.approx(line.attention, rel=1e-3)


def test_a_node_that_reads_no_tokens_says_which_ones_do():
    assert "Only attention reads other tokens." in "".join(texts(panel("L1.mlp@7", Tab.ATTENTION)))


def test_a_long_prompt_shows_a_window_around_the_reader_and_says_so():
    index = Index(make_flow(Request(" ".join(["word"] * 60)), n_layers=1))
    node_id = NodeId.parse("L0.head1@59")
    made = panel(str(node_id), Tab.ATTENTION, index, answer(Tab.ATTENTION, node_id, index.flow))
    assert f"Tokens 12 to 59 of 60: the {WINDOW} around the reader." in "".join(texts(made))
    assert (
        len(made_rows := [e for e in elements(classed(made, "sources")) if e["tag"] == "tr"]) < 20
    )
    assert "others" in said(made_rows[-1])
    for reader in range(60):
        shown = window(60, reader)
        assert reader in shown
        assert len(shown) == WINDOW
        assert 0 <= shown.start <= shown.stop - 1 < 60
    assert window(9, 3) == range(9)


def test_more_attention_is_never_lighter():
    levels = [level(i / 1000) for i in range(1001)]
    assert levels == sorted(levels)
    assert levels[0] == 0
    assert levels[-1] == LEVELS


# ------------------------------------------------------------------ path


def test_a_path_is_listed_from_the_first_token_to_the_output_with_the_node_marked():
    made = panel("L1.memory7.value@7", Tab.PATH)
    steps_ = having(classed(made, "path"), "data-node")
    names = [e["attributes"]["data-node"] for e in steps_]
    here_id = NodeId.parse("L1.memory7.value@7")
    whole = [s.node for s in Paths(INDEX).through(here_id)]
    passed = [n for n in whole if n.kind not in (NodeKind.QUERY, NodeKind.KEY)]
    stream = {NodeKind.RESID_MID, NodeKind.RESID_POST}
    last = [
        n
        for n, following in zip(passed, [*passed[1:], None], strict=True)
        if not (n.kind in stream and following is not None and following.kind in stream)
    ]
    assert names == [str(n) for n in last]
    here = having(made, "aria-current", "step")
    assert [e["attributes"]["data-node"] for e in here] == ["L1.memory7.value@7"]


def test_a_source_feeds_a_heads_value_and_query_and_key_stand_beside_it():
    index = Index(with_flow(INDEX.flow))
    (path,) = classed(panel("L1.head1@7", Tab.PATH, index), "path")
    items = [having([li], "data-node") for li in path["children"]]
    names = [NodeId.parse(found[0]["attributes"]["data-node"]) for found in items]
    at = names.index(NodeId.parse("L1.head1@7"))
    value = names[at - 1]
    assert value.kind is NodeKind.VALUE and value.position == names[at - 2].position
    beside = [e["attributes"]["data-node"] for e in items[at][1:]]
    assert beside == ["L1.head1.query@7", str(key_of(value))]
    assert not {NodeKind.QUERY, NodeKind.KEY} & {n.kind for n in names}
    assert said(path).count(signed(index.nodes[value].flow)) >= 1


@pytest.mark.parametrize("part", ["query@7", "key"])
def test_the_path_of_a_query_or_key_is_its_heads(part: str):
    node = next(n for n in INDEX.nodes if str(n).startswith(f"L1.head1.{part}"))
    own, heads = (
        having(classed(panel(name, Tab.PATH), "path"), "data-node")
        for name in (str(node), "L1.head1@7")
    )
    assert [e["attributes"]["data-node"] for e in own] == [
        e["attributes"]["data-node"] for e in heads
    ]


def test_the_attention_tab_keeps_what_a_head_takes_from_why_it_looks_there():
    made = having(panel("L1.head1@7", Tab.ATTENTION), "role", "tabpanel")
    takes, looks = classed(made, "company")
    kinds = [
        {NodeId.parse(e["attributes"]["data-node"]).kind for e in having([part], "data-node")}
        for part in (takes, looks)
    ]
    assert kinds == [{NodeKind.VALUE}, {NodeKind.QUERY, NodeKind.KEY}]


def test_a_tab_that_cannot_apply_is_named_with_the_reason():
    idle = json.loads(classed(panel("L1.mlp@7"), "node-head")[0]["attributes"]["data-idle-tabs"])
    assert idle.keys() == {"attention"} and "Only attention" in idle["attention"]
    for name in ("L1.attn@7", "L1.head1@7", "L1.head1.query@7"):
        assert inspector.idle_tabs(NodeId.parse(name)) == {}


def test_a_part_says_what_it_does_to_each_of_the_next_tokens():
    ranking = make_ranking(INDEX.flow)
    part = next(one for one in ranking.parts if str(one.id) == "L1.head1@7")
    made = panel("L1.head1@7", answer=ranking)
    (table,) = classed(made, "next-tokens")
    rows = [e for e in elements([table]) if e["tag"] == "tr"]
    expected = zip(ranking.tokens, part.tokens, strict=True)
    assert [said(row) for row in rows] == [visible(t.text) + signed(f) for t, f in expected]
    assert [r["attributes"].get("class") for r in rows] == ["is-target"] + [None] * (len(rows) - 1)
    assert not classed(panel("L1.head1@3", answer=ranking, index=elsewhere()), "next-tokens")


def elsewhere() -> Index:
    """A graph with a block opened at another position than the traced one."""
    return Index(merge(make_flow(), make_block(1, 3, Request(PROMPT))))


def test_a_part_that_the_graph_does_not_hold_is_told_of_by_the_ranking():
    ranking = make_ranking(INDEX.flow)
    part = next(one for one in ranking.parts if one.id not in INDEX.nodes)
    made = trees(inspector.part_panel(INDEX, part, ranking))
    assert {signed(part.flow), signed(part.direct)} <= set(texts(made))
    assert classed(made, "next-tokens") and "Promotes" in texts(made)


def test_a_way_whose_beginning_was_pruned_starts_where_the_document_does():
    key = next(n for n in INDEX.nodes if n.kind is NodeKind.KEY and n.layer == 1)
    gone = {(e.source, e.target) for e in INDEX.into[key] if e.kind is EdgeKind.READS}
    edges = [e for e in INDEX.flow.edges if (e.source, e.target) not in gone]
    nodes = [n for n in INDEX.flow.nodes if str(n.id) != f"L0.resid_post@{key.position}"]
    held = {n.id for n in nodes}
    edges = [e for e in edges if e.source in held and e.target in held]
    index = Index(replace(INDEX.flow, nodes=tuple(nodes), edges=tuple(edges)))
    assert Paths(index).through(key)[0].node == key
    value = NodeId(NodeKind.VALUE, key.position, key.layer, head=key.head)
    said_ = "".join(texts(panel(str(value), Tab.PATH, index)))
    assert "less than the graph's threshold" in said_


# ------------------------------------------------------------------ where


def test_the_chart_has_a_point_for_every_depth_and_the_node_s_own():
    node_id = NodeId.parse("L1.head1@7")
    made = panel(str(node_id), Tab.WHERE, answer=answer(Tab.WHERE, node_id))
    charts = [e for e in elements(made) if e["attributes"].get("role") == "img"]
    assert [len(classed([c], "dot")) for c in charts] == [4, 4]  # the embedding and three layers
    assert [len(classed([c], "own-dot")) for c in charts] == [1, 1]
    rows = [e for e in elements(classed(made, "depths")) if e["tag"] == "tr"][1:]
    assert [r["attributes"]["data-node"] for r in rows] == [
        "embed@7",
        *(f"L{layer}.resid_post@7" for layer in range(3)),
    ]


def test_the_best_rank_is_on_top():
    node_id = NodeId.parse("L2.resid_post@7")
    more = answer(Tab.WHERE, node_id)
    made = panel(str(node_id), Tab.WHERE, answer=more)
    chart = classed(made, "of-rank")[0]
    heights = [float(dot["attributes"]["cy"]) for dot in classed([chart], "dot")]
    ranks = [n.reading.target.rank for n in more]
    assert [r for _, r in sorted(zip(heights, ranks, strict=True))] == sorted(ranks)


def test_without_an_engine_the_chart_shows_what_the_document_holds():
    made = panel("L1.mlp@7", Tab.WHERE)
    assert "Only the residuals that the document holds." in texts(made)
    assert len(classed(made, "dot")) == 8


@pytest.mark.parametrize("tab", Tab)
def test_a_residual_off_the_route_has_a_panel_and_can_be_gone_to(tab: Tab):
    nodes = [n for n in INDEX.flow.nodes if str(n.id) != "L0.resid_post@7"]
    held = {n.id for n in nodes}
    edges = [e for e in INDEX.flow.edges if e.source in held and e.target in held]
    index = Index(replace(INDEX.flow, nodes=tuple(nodes), edges=tuple(edges)))
    gone = INDEX.nodes[NodeId.parse("L0.resid_post@7")]
    more = answer(tab, gone.id)
    assert said(having(trees(node_panel(index, gone, tab, more)), "role", "tabpanel")[0])
    if tab is Tab.WHERE:
        made = panel("L1.mlp@7", tab, index, more)
        assert having(classed(made, "depths"), "data-node", str(gone.id))
        assert len(classed(made, "dot")) == 8


def test_the_parts_of_a_layer_stand_in_the_order_of_the_flow():
    kinds = [NodeKind.LN1, NodeKind.QUERY, NodeKind.VALUE, NodeKind.HEAD, NodeKind.ATTN]
    kinds += [NodeKind.RESID_MID, NodeKind.LN2, NodeKind.MEMORY_KEY, NodeKind.MEMORY_VALUE]
    kinds += [NodeKind.MLP, NodeKind.RESID_POST]
    ids = [next(n for n in INDEX.nodes if n.kind is kind and n.layer == 1) for kind in kinds]
    depths = [depth_of(node_id, 3) for node_id in ids]
    assert depths == sorted(depths)
    assert 1 < depths[0] < depths[-1] == 2


# ------------------------------------------------------------------ notes


def test_a_note_is_shown_in_place_of_the_title_and_fills_its_fields():
    node_id = NodeId.parse("L1.head1@7")
    note = Note(node_id, name="<b>mover", text="reads\nJapan", group="movers", pinned=True)
    made = panel(str(node_id), note=note)
    head = classed(made, "node-head")
    assert "<b>mover" in texts(head)
    assert "reads\nJapan" in texts(head)
    fields = {e["attributes"]["data-note"]: e for e in having(made, "data-note")}
    assert list(fields) == ["name", "group", "text", "pinned"]
    assert fields["name"]["attributes"]["value"] == "<b>mover"
    assert fields["group"]["attributes"]["value"] == "movers"
    assert fields["text"]["children"] == ["reads\nJapan"]
    assert fields["pinned"]["attributes"]["aria-pressed"] == "true"
    assert "open" in having(made, "data-noted", str(node_id))[0]["attributes"]


def test_a_node_without_a_note_has_its_editor_closed_and_empty():
    made = panel("L1.head1@7")
    assert "open" not in having(made, "data-noted", "L1.head1@7")[0]["attributes"]
    assert {e["attributes"].get("value", "") for e in having(made, "data-note")} == {""}


def notes(*names: str, group: str = "g") -> list[Note]:
    return [Note(NodeId.parse(name), group=group) for name in names]


def test_a_group_s_direct_logits_are_summed():
    members = [note.node for note in notes("L0.attn@7", "L1.mlp@7", "L1.head1@7")]
    total = sum_logits(INDEX, members)
    assert total == pytest.approx(sum(INDEX.direct_logit(m) or 0.0 for m in members))
    made = trees(inspector.about(INDEX, notes("L0.attn@7", "L1.mlp@7", group="<i>two")))
    assert "<i>two" in texts(made)
    assert {"L0.attn@7", "L1.mlp@7"} <= {
        e["attributes"]["data-node"] for e in having(classed(made, "company"), "data-node")
    }


def test_the_whole_trace_lists_what_was_pinned_and_noted():
    pinned = Note(NodeId.parse("L1.attn@7"), name="mine", pinned=True)
    other = Note(NodeId.parse("L2.mlp@7"), text="odd")
    gone = Note(NodeId.parse("L9.mlp@7"), text="of another graph")
    made = trees(inspector.about(INDEX, [pinned, other, gone]))
    assert {"Pinned", "mine", "Noted"} <= set(texts(made))
    assert not having(made, "data-node", "L9.mlp@7")


# ------------------------------------------------------------------ around the graph


def test_predictions_mark_the_target_and_carry_the_token_as_data():
    rows = trees(inspector.predictions(INDEX.flow))
    assert len(rows) == 10
    assert [row["attributes"]["aria-pressed"] for row in rows] == ["true"] + ["false"] * 9
    assert rows[0]["attributes"]["data-target"] == " Tokyo"


def test_the_viewer_s_predictions_cannot_be_chosen():
    rows = trees(inspector.predictions(INDEX.flow, clickable=False))
    assert all("disabled" in row["attributes"] for row in rows)


def test_the_whole_trace_says_its_audit():
    made = texts(trees(inspector.about(INDEX)))
    assert "3.0e-07" in made and "2.0e-05" in made and "float32" in made


def test_the_whole_trace_says_how_many_experts_there_are_and_the_family_s_limits():
    made = texts(trees(inspector.about(INDEX)))
    assert "3 of 8" in made
    assert "In this family, experts are shown whole." in made
    dense = texts(trees(inspector.about(Index(make_flow(n_layers=1)))))
    assert not any("expert" in text for text in dense)


# ---------------------------------------------------------------- the strip of tokens


def test_a_message_s_tokens_stand_together_under_its_role():
    flow = make_flow()
    owners = [None, 0, 0, None, 1, 1, 1, None]
    roles = {None: None, 0: "user", 1: "assistant"}
    tokens = tuple(
        replace(token, message=owner, role=roles[owner])
        for token, owner in zip(flow.tokens, owners, strict=True)
    )
    tokens = (replace(tokens[0], special=True), *tokens[1:])
    request = replace(flow.request, chat=True, position=5)
    strip = trees(inspector.tokens(replace(flow, request=request, tokens=tokens)))
    groups = classed(strip, "message")
    assert [group["attributes"]["aria-label"] for group in groups] == [
        "message 0, user", "message 1, assistant"
    ]  # fmt: skip
    assert [texts([group])[0] for group in groups] == ["user", "assistant"]
    chips = having(strip, "data-position")
    assert [chip["attributes"]["data-position"] for chip in chips] == [str(n) for n in range(8)]
    classes = [set(chip["attributes"]["class"].split()) - {"chip"} for chip in chips]
    template, nothing = {"is-template"}, set()
    assert classes == [
        {"is-special", "is-template"}, nothing, nothing, template, nothing, {"is-traced"}, nothing,
        template,
    ]  # fmt: skip
    assert chips[0]["attributes"]["title"].endswith(", special, of the template")
    arrow = classed([groups[1]], "arrow")
    assert len(arrow) == 1  # what comes next stands after the traced token, in its message


def test_the_tokens_of_a_text_stand_as_ever():
    strip = trees(inspector.tokens(INDEX.flow))
    assert classed(strip, "message") == classed(strip, "is-template") == []
    assert classed(strip, "is-special") == []
    assert [part["tag"] for part in strip] == ["button"] * 8 + ["span"] * 3


def test_the_whole_trace_says_what_weights_were_packed_in():
    packed = replace(INDEX.flow, model=replace(INDEX.flow.model, quantized="nf4"))
    made = texts(trees(inspector.about(Index(packed))))
    assert {"weights packed as", "nf4", "Ledgers are on the weights unpacked from nf4."} <= set(
        made
    )
    assert "weights packed as" not in texts(trees(inspector.about(INDEX)))
