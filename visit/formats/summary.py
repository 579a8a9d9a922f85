"""A flow graph as a screenful of text: the prediction, its strongest parts, and the audit."""

from __future__ import annotations

from visit.formats.effects_summary import agreement_table
from visit.graph.flow import Edge, FlowGraph, Ledger, Node, NodeId, NodeKind
from visit.text import align, join_neighbours, one_line, shorten, visible

_N_PARTS = 10
_N_PREDICTIONS = 3
_N_TOKENS = 5
_LONGEST_TOKEN = 18
_LONGEST_PROMPT = 300


def text_from_flow(flow: FlowGraph) -> str:
    """The summary, ending in a line end. Every token is shown by ``visible``, never as it is.

    A part's strength is the magnitude of its flow, or in a graph without flow of its direct logit.
    Only parts drawn in the graph can be listed: for the ten strongest of the whole model, ask for
    as many with ``strongest`` and ``strongest_memories``.
    """
    nodes = {node.id: node for node in flow.nodes}
    blocks = [
        _predictions(flow),
        *_attentions_and_mlps(flow, nodes),
        *_mlps(flow, nodes),
        *_effects(flow),
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


def _attentions_and_mlps(flow: FlowGraph, nodes: dict[NodeId, Node]) -> list[list[str]]:
    """The strongest heads, and where flow says how much passes an MLP, the strongest MLPs."""
    blocks = [_parts(flow, nodes, Ledger.HEADS, {NodeKind.HEAD}, "heads")]
    if _has_flow(flow):
        blocks.append(_parts(flow, nodes, Ledger.RESIDUAL, {NodeKind.MLP}, "MLPs"))
    return blocks


def _has_flow(flow: FlowGraph) -> bool:
    return flow.metric.absolute_flow is not None


def _strength(flow: FlowGraph, edge: Edge) -> float | None:
    size = edge.flow if _has_flow(flow) else edge.direct_logit
    return None if size is None else abs(size)


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
        (strength, edge)
        for edge in flow.edges
        if edge.ledger is ledger
        and edge.source.kind in kinds
        and (strength := _strength(flow, edge)) is not None
    ]
    strongest = sorted(lines, key=lambda line: line[0], reverse=True)[:_N_PARTS]
    by = "flow" if _has_flow(flow) else "direct logit"
    title = f"strongest {name} by {by} towards {visible(flow.target.text)}"
    if flow.versus is not None:
        title += f" rather than {visible(flow.versus.text)}"
    if not strongest:
        return [title, "  none drawn; open layers with --layers all"]
    header = ("", name, *_measures(flow), "direct logit", "share", "norm")
    rows = [_part(flow, edge, nodes[edge.source]) for _, edge in strongest]
    columns = set(range(2, len(header)))
    return [title, *align([(*header, _says(flow)), *rows], numeric=columns)]


def _measures(flow: FlowGraph) -> list[str]:
    """What stands before the direct logits, where the graph has it."""
    has_effects = any(node.effect for node in flow.nodes)
    return ["flow"] * _has_flow(flow) + ["effect"] * has_effects


def _says(flow: FlowGraph) -> str:
    """What the last column lists: with outcomes, what each part promotes in the end."""
    return "promotes" if any(node.outcome for node in flow.nodes) else "says"


def _part(flow: FlowGraph, edge: Edge, node: Node) -> tuple[str, ...]:
    listed = node.outcome.promotes if node.outcome else node.reading.top
    says = " ".join(shorten(visible(token.text), _LONGEST_TOKEN) for token in listed[:_N_TOKENS])
    name = str(edge.source).replace(".value@", "@")
    if edge.source.position == flow.position:
        name = name.removesuffix(f"@{edge.source.position}")
    effect = None if node.effect is None else node.effect.measured
    by_name = {"flow": edge.flow, "effect": effect}
    numbers = (
        *(_format_signed(by_name[measure]) for measure in _measures(flow)),
        _format_signed(edge.direct_logit),
        _format_signed(edge.share),
        _format_plain(edge.norm),
    )
    return ("", name, *numbers, says)


def _effects(flow: FlowGraph) -> list[list[str]]:
    """How well direct logits, flows and estimates predict what was measured, where it was."""
    if not flow.agreement:
        return []
    n_measured = sum(node.effect is not None for node in flow.nodes)
    title = f"agreement with the measured effect of {n_measured} parts at the traced position"
    return [[title, *agreement_table(flow.agreement)]]


def _audit(flow: FlowGraph) -> list[str]:
    whole = flow.metric.kind.value.replace("_", " ")
    packed = flow.model.quantized
    return [
        "audit" if packed is None else f"audit, on weights unpacked from {packed}",
        f"  worst ledger: {flow.audit.residual:.1e} of the whole unexplained",
        f"  direct logits: {flow.audit.logit:.1e} from the model's own {whole}",
        *(
            []
            if flow.audit.flow is None
            else [f"  flow: {flow.audit.flow:.1e} from it at the worst depth"]
        ),
    ]


def _format_signed(value: float | None) -> str:
    return "" if value is None else f"{value:+.3f}"


def _format_plain(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
