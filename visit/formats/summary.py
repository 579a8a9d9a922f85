"""A flow graph as a screenful of text: the prediction, its strongest parts, and the audit."""

from __future__ import annotations

from visit.graph.flow import Edge, FlowGraph, Ledger, Node, NodeId, NodeKind, Reading
from visit.text import align, join_neighbours, one_line, shorten, visible

_N_PARTS = 10
_N_PREDICTIONS = 3
_N_TOKENS = 5
_LONGEST_TOKEN = 18
_LONGEST_PROMPT = 300


def text_from_flow(flow: FlowGraph) -> str:
    """The summary, ending in a line end. Every token is shown by ``visible``, never as it is.

    A part's strength is the magnitude of its direct logit. Only parts drawn in the graph can be
    listed: for the ten strongest of the whole model, open all layers, ranked by logit.
    """
    nodes = {node.id: node for node in flow.nodes}
    blocks = [
        _predictions(flow),
        _parts(flow, nodes, Ledger.HEADS, {NodeKind.HEAD}, "heads"),
        *_mlps(flow, nodes),
        _audit(flow),
    ]
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def _predictions(flow: FlowGraph) -> list[str]:
    prompt = one_line(join_neighbours([token.text for token in flow.tokens[: flow.position + 1]]))
    rows = [
        ("→" if index == 0 else "", visible(p.text), f"{p.prob:.3f}", f"{p.logit:.3f}", "")
        for index, p in enumerate(flow.predictions[:_N_PREDICTIONS])
    ]
    shown = {p.id for p in flow.predictions[:_N_PREDICTIONS]}
    for token, role in ((flow.target, "the target"), (flow.versus, "compared with")):
        if token is not None and token.id not in shown:
            numbers = (f"{token.prob:.3g}", f"{token.logit:.3f}")
            rows.append(("", visible(token.text), *numbers, f"{role}, rank {token.rank}"))
    header = ("", "next token", "probability", "logit", "")
    return [shorten(prompt, _LONGEST_PROMPT), *align([header, *rows], numeric={2, 3})]


def _mlps(flow: FlowGraph, nodes: dict[NodeId, Node]) -> list[list[str]]:
    """The strongest memories, and where there are mixtures of experts the strongest experts."""
    ledgers = {edge.ledger for edge in flow.edges}
    blocks = []
    if Ledger.MEMORIES in ledgers or Ledger.EXPERTS not in ledgers:
        blocks.append(_parts(flow, nodes, Ledger.MEMORIES, {NodeKind.MEMORY_VALUE}, "memories"))
    if Ledger.EXPERTS in ledgers:
        experts = {NodeKind.EXPERT, NodeKind.SHARED_EXPERT}
        blocks.append(_parts(flow, nodes, Ledger.EXPERTS, experts, "experts"))
    return blocks


def _parts(
    flow: FlowGraph, nodes: dict[NodeId, Node], ledger: Ledger, kinds: set[NodeKind], name: str
) -> list[str]:
    lines = [
        (abs(edge.direct_logit), edge)
        for edge in flow.edges
        if edge.ledger is ledger and edge.source.kind in kinds and edge.direct_logit is not None
    ]
    strongest = sorted(lines, key=lambda line: line[0], reverse=True)[:_N_PARTS]
    title = f"strongest {name} by direct logit towards {visible(flow.target.text)}"
    if flow.versus is not None:
        title += f" rather than {visible(flow.versus.text)}"
    if not strongest:
        return [title, "  none drawn; open layers with --layers all"]
    header = ("", name, "direct logit", "share", "norm", "says")
    rows = [_part(edge, nodes[edge.source].reading) for _, edge in strongest]
    return [title, *align([header, *rows], numeric={2, 3, 4})]


def _part(edge: Edge, reading: Reading) -> tuple[str, ...]:
    says = " ".join(
        shorten(visible(token.text), _LONGEST_TOKEN) for token in reading.top[:_N_TOKENS]
    )
    name = str(edge.source).removesuffix(".value@" + str(edge.source.position))
    numbers = (
        _format_signed(edge.direct_logit),
        _format_signed(edge.share),
        _format_plain(edge.norm),
    )
    return ("", name.removesuffix(f"@{edge.source.position}"), *numbers, says)


def _audit(flow: FlowGraph) -> list[str]:
    whole = "logit" if flow.versus is None else "difference of the two logits"
    packed = flow.model.quantized
    return [
        "audit" if packed is None else f"audit, on weights unpacked from {packed}",
        f"  worst ledger: {flow.audit.residual:.1e} of the whole unexplained",
        f"  direct logits: {flow.audit.logit:.1e} from the model's own {whole}",
    ]


def _format_signed(value: float | None) -> str:
    return "" if value is None else f"{value:+.3f}"


def _format_plain(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
