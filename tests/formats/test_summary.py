from dataclasses import replace

from flow_strategies import flows, reading, small_flow
from hypothesis import given, settings

from visit.formats.summary import text_from_flow
from visit.graph.flow import Edge, EdgeKind, FlowGraph, Ledger, Node, NodeId, NodeKind, Target


def test_the_summary_says_the_prediction_the_parts_and_the_audit():
    assert text_from_flow(small_flow()) == (
        "capital Japan of\n"
        "    next token  probability  logit\n"
        " →  ·Tokyo            0.750  7.500\n"
        "    ·Kyoto            0.062  5.000\n"
        "\n"
        "strongest heads by direct logit towards ·Tokyo\n"
        "   heads     direct logit   share  norm  says\n"
        "   L0.head3        +3.500  +1.250  2.00  ·Tokyo ↵ \\x1b[31m\n"
        "\n"
        "strongest memories by direct logit towards ·Tokyo\n"
        "   memories     direct logit   share  norm  says\n"
        "   L0.memory17        -1.250  +1.000  1.00  日本 ∅\n"
        "\n"
        "audit\n"
        "  worst ledger: 1.0e-07 of the whole unexplained\n"
        "  direct logits: 2.0e-06 from the model's own logit\n"
    )


def heads_flow(direct_logits: list[float]) -> FlowGraph:
    """A layer whose heads have these direct logits."""
    attn = NodeId(NodeKind.ATTN, 2, layer=1)
    heads = [NodeId(NodeKind.HEAD, 2, layer=1, head=i) for i in range(len(direct_logits))]
    edges = [
        Edge(head, attn, EdgeKind.ADDS, Ledger.HEADS, 1.0, 0.1, direct_logit=logit)
        for head, logit in zip(heads, direct_logits, strict=True)
    ]
    nodes = tuple(Node(id_, reading(" x")) for id_ in (*heads, attn))
    return replace(small_flow(), nodes=nodes, edges=tuple(edges))


def test_the_ten_strongest_heads_of_either_sign_are_listed_strongest_first():
    text = text_from_flow(heads_flow([0.1 * (-1) ** i * i for i in range(15)]))
    listed = [line.split()[0] for line in text.splitlines() if "L1.head" in line]
    assert listed == [f"L1.head{i}" for i in range(14, 4, -1)]


def test_experts_are_listed_where_there_are_mixtures():
    mlp = NodeId(NodeKind.MLP, 2, layer=1)
    parts = [NodeId(NodeKind.EXPERT, 2, 1, index=7), NodeId(NodeKind.SHARED_EXPERT, 2, 1)]
    edges = [
        Edge(part, mlp, EdgeKind.ADDS, Ledger.EXPERTS, 1.0, 0.5, direct_logit=logit)
        for part, logit in zip(parts, (0.25, -2.0), strict=True)
    ]
    nodes = tuple(Node(id_, reading(" x")) for id_ in (*parts, mlp))
    text = text_from_flow(replace(small_flow(), nodes=nodes, edges=tuple(edges)))
    listed = text.split("strongest experts by direct logit towards ·Tokyo\n")[1].splitlines()
    assert [line.split()[:2] for line in listed[1:3]] == [
        ["L1.shared_expert", "-2.000"],
        ["L1.expert7", "+0.250"],
    ]
    assert "memories" not in text


def test_parts_at_other_positions_are_not_listed():
    flow = heads_flow([1.0, 2.0])
    first, second = flow.edges
    text = text_from_flow(replace(flow, edges=(replace(first, direct_logit=None), second)))
    assert "L1.head1" in text
    assert "L1.head0" not in text


def test_a_graph_without_open_layers_says_how_to_open_them():
    text = text_from_flow(replace(small_flow(), edges=()))
    assert text.count("none drawn; open layers with --layers all") == 2


def test_a_target_that_is_not_the_prediction_is_shown_with_its_rank():
    text = text_from_flow(replace(small_flow(), target=Target(40, " Rome", 1.0, 1.5e-4, 812)))
    assert "    ·Rome           0.00015  1.000  the target, rank 812\n" in text


def test_a_comparison_says_which_token_the_parts_push_and_which_they_hold_back():
    flow = replace(small_flow(), versus=Target(12, " Kyoto", 5.0, 0.0625, 2))
    text = text_from_flow(flow)
    for parts in ("heads", "memories"):
        assert f"strongest {parts} by direct logit towards ·Tokyo rather than ·Kyoto\n" in text
    assert "  direct logits: 2.0e-06 from the model's own logit\n" in text
    assert "compared with" not in text  # its numbers stand among the predictions already


def test_a_token_compared_with_is_shown_with_its_rank():
    text = text_from_flow(replace(small_flow(), versus=Target(40, " Rome", 1.0, 1.5e-4, 812)))
    assert "    ·Rome           0.00015  1.000  compared with, rank 812\n" in text


def test_the_prompt_ends_at_the_traced_position():
    flow = small_flow()
    text = text_from_flow(replace(flow, request=replace(flow.request, position=1)))
    assert text.startswith("capital Japan\n")


@given(flows())
@settings(deadline=None)
def test_no_token_reaches_the_terminal_as_it_is(flow: FlowGraph):
    text = text_from_flow(flow)
    assert all(line.isprintable() for line in text.split("\n"))
    text.encode("utf-8")
