"""What of the screen a figure can show, a row each: what it is called, and what draws it for print.

The page says which of them it shows, and what each shows (``SUBJECTS`` in assets/export.js). Here
each is drawn anew, in the paper's width and theme, by what draws it on the screen where that is
Plotly's too. The flow has no row: it is an image already (``exports.svg``).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree as Xml

from visit.engine.questions import ReadPattern
from visit.errors import RequestError
from visit.graph.flow import NodeId
from visit.graph.kinds import SOURCES
from visit.graph.relations import head_of
from visit.text import one_line, visible
from visit.web import ids
from visit.web.causes.agreement import (
    PREDICTIONS,
    agreement_figure,
    list_numbers,
    prediction_from,
)
from visit.web.causes.asking import measure_parts, patch_from
from visit.web.causes.circuit import ask_circuit, circuit_figure, list_circuit
from visit.web.causes.patching import list_ends, patching_figure
from visit.web.consensus.asking import (
    MEASURE_WORDS,
    ask_consensus,
    measure_from,
    with_unread,
)
from visit.web.consensus.figure import consensus_figure
from visit.web.consensus.listed import list_consensus
from visit.web.explore.asking import ask_explorable, chosen_of, explorable_from
from visit.web.explore.view import Shown as Seen
from visit.web.explore.views import VIEWS
from visit.web.exports.figures.outlines import add
from visit.web.exports.figures.sheet import Entry
from visit.web.plots.callbacks import draw_lens, draw_sankey, layer_shown
from visit.web.plots.maps import attention_figure, heads_figure, tokens_figure
from visit.web.plots.plotly import Figure
from visit.web.plots.scene import Drawn, Scene
from visit.web.ranking.needs import all_parts, effects_of
from visit.web.ranking.panel import MEASURES
from visit.web.ranking.rows import Known, columns, effect_columns, with_effects
from visit.web.theme import Theme
from visit.web.words import name_part

FLOW, ZOOMED = "flow", "view"
"""The whole flow, and what of it is on the screen."""
Shown = Mapping[str, Any]
"""What the page shows of a subject, as it says."""
_NOT_KNOWN = "this graph came from a document, which does not hold what the figure shows"


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure that Plotly draws, with what is said around it.

    Attributes:
        figure: Plotly's.
        title: What it shows, where the reader gives no title of their own.
        more: What tells its file from others of the same prompt and model.
        legend: What its marks mean, where the figure does not say it itself.
        notes: Remarks below it.
    """

    figure: Figure
    title: str
    more: str
    legend: tuple[Entry, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Subject:
    """What a figure can show.

    Attributes:
        words: What the dialog calls it.
        draw: Draws it for print.
    """

    words: str
    draw: Callable[[Scene, Shown, Drawn], Awaitable[Picture]]


async def _sankey(scene: Scene, shown: Shown, drawn: Drawn) -> Picture:
    figure = await draw_sankey(scene, shown, drawn)
    layer, flow = layer_shown(scene.index, shown), scene.index.flow
    return Picture(figure, f"Layer {layer} at {flow.shown[flow.position]}", f"layer {layer}")


async def _lens(scene: Scene, shown: Shown, drawn: Drawn) -> Picture:
    figure = await draw_lens(scene, shown, drawn)
    # The heading, which the page lays over the figure so that it stays in sight.
    names = figure["layout"]["meta"]["columns"]
    ticks = {"tickmode": "array", "tickvals": list(range(len(names))), "ticktext": names}
    figure["layout"]["xaxis"] |= {"showticklabels": True, "side": "top", **ticks}
    return Picture(figure, "What every residual says", "lens")


async def _attention(scene: Scene, shown: Shown, drawn: Drawn) -> Picture:
    node = NodeId.parse(str(shown.get("node")))
    head, flow = head_of(scene.index, node), scene.index.flow
    if head is None or head.layer is None or head.head is None:
        raise RequestError(f"{node} has no pattern of attention; pick a head")
    question = ReadPattern(scene.view.request, head.layer, head.head)
    pattern = await scene.graphs.answer(scene.view, question)
    if pattern is None:
        raise RequestError(_NOT_KNOWN)
    source = node.position if node.kind in SOURCES else None
    figure = attention_figure(pattern, flow.shown, head.position, source, drawn.theme, drawn.width)
    return Picture(figure, f"What head {name_part(head)} attends to", f"attention {head}")


async def _heads(scene: Scene, shown: Shown, drawn: Drawn) -> Picture:
    by = _measure(shown)
    parts = await _columns(scene, by, shown)
    figure = heads_figure(parts, by, MEASURES[by][0], drawn.theme, drawn.width)
    return Picture(figure, f"Heads and MLPs by {MEASURES[by][0]}", f"heads {by}")


async def _tokens(scene: Scene, shown: Shown, drawn: Drawn) -> Picture:
    rows = shown.get("rows")
    chosen = [str(one) for one in rows] if isinstance(rows, list) else []
    parts = await _columns(scene, "flow", shown)
    figure = tokens_figure(parts, chosen, drawn.theme, drawn.width)
    said = "Each part's flow to a next token's logit, less its mean over the candidates."
    return Picture(figure, "What the strongest parts do to the next token", "tokens", notes=(said,))


def _measure(shown: Shown) -> str:
    return next((known for known in MEASURES if known == shown.get("by")), "flow")


async def _columns(scene: Scene, by: str, shown: Shown) -> dict[str, Any]:
    """The ranked parts as the page has them; nothing is measured that the page does not show."""
    request = scene.view.request
    ranking = await scene.graphs.answer(scene.view, all_parts(request))
    parts = columns(scene.index, ranking)
    if ranking is None or by not in ("effect", "estimate") or request.interventions:
        return parts
    is_measured = shown.get("known") == Known.MEASURED
    question = effects_of(request, ranking, estimate_only=not is_measured)
    effects = await scene.graphs.answer(scene.view, question)
    return parts if effects is None else with_effects(parts, effect_columns(effects))


async def _agreement(scene: Scene, shown: Shown, drawn: Drawn) -> Picture:
    by = prediction_from(shown.get("by"))
    effects = await measure_parts(scene.view, scene.graphs)
    if effects is None:
        raise RequestError(_NOT_KNOWN)
    figure = agreement_figure(effects, scene.index.flow, by, drawn.theme)
    side = min(drawn.width, 460)
    figure["layout"]["height"] = side
    figure["layout"]["margin"]["r"] += drawn.width - side  # as wide as it is high
    said = " · ".join(f"{name} {value}" for name, value in list_numbers(effects, by).items())
    return Picture(
        figure,
        f"Effects as predicted by {PREDICTIONS[by]}, and as measured",
        f"agreement {by}",
        _marks(drawn.theme),
        (said,),
    )


def _marks(theme: Theme) -> tuple[Entry, ...]:
    """What the points of the agreement are, and its line."""
    head, mlp, line = (Xml.Element("g") for _ in range(3))
    hues = theme.families["attention"], theme.families["mlp"]
    add(head, "circle", cx=6, cy=0, r=5, fill=hues[0].fill, stroke=hues[0].border, stroke_width=1.3)
    box = {"x": 1, "y": -5, "width": 10, "height": 10}
    add(mlp, "rect", **box, fill=hues[1].fill, stroke=hues[1].border, stroke_width=1.3)
    ends = {"x1": 0, "x2": 24, "y1": 0, "y2": 0}
    add(line, "line", **ends, stroke=theme.faint, stroke_width=1.2, stroke_dasharray="2 2")
    return (
        Entry("head", (head,), 12.0),
        Entry("MLP", (mlp,), 12.0),
        Entry("both agree", (line,), 24.0),
    )


async def _patching(scene: Scene, shown: Shown, drawn: Drawn) -> Picture:
    second, flow = str(shown.get("second") or ""), scene.index.flow
    if not second or not scene.graphs.can_ask(scene.view):
        raise RequestError(_NOT_KNOWN)
    other, residuals, heads = await patch_from(scene.view, second, flow, scene.graphs)
    figure = patching_figure(residuals, heads, flow, other, drawn.theme)
    rows = flow.position + 1 + flow.model.n_heads
    figure["layout"]["height"] = max(drawn.height, 16 * rows + 90)
    ends = "".join(list_ends(residuals, flow, other, visible))
    said = f"Values of “{one_line(second)}” put into this prompt's pass; {ends}."
    return Picture(figure, "Where another prompt's values carry over", "patching", notes=(said,))


async def _circuit(scene: Scene, shown: Shown, drawn: Drawn) -> Picture:
    question = ask_circuit(scene.index.flow, scene.view.request, dict(shown))
    circuit = await scene.graphs.answer(scene.view, question)
    if circuit is None:
        raise RequestError(_NOT_KNOWN)
    figure = circuit_figure(circuit, drawn.theme)
    figure["layout"]["height"] = min(drawn.height, 360)
    said = " · ".join(f"{name} {value}" for name, value in list_circuit(circuit).items())
    return Picture(figure, "What a circuit keeps, over its size", "circuit", notes=(said,))


async def _consensus(scene: Scene, shown: Shown, drawn: Drawn) -> Picture:
    question, unread = ask_consensus(scene.view.request, shown)
    scene.graphs.check_prompts(question)
    answer = await scene.graphs.answer(scene.view, question)
    if answer is None:
        raise RequestError(_NOT_KNOWN)
    by, consensus = measure_from(shown.get("by")), with_unread(answer, unread)
    figure = consensus_figure(consensus, scene.index.flow, by, drawn.theme)
    figure["layout"]["height"] = max(drawn.height, 620)
    said = " · ".join(f"{name} {value}" for name, value in list_consensus(consensus).items())
    of = one_line(consensus.template or f"{consensus.request.prompt} and others")
    words = MEASURE_WORDS[by]
    return Picture(
        figure, f"What holds over many prompts, by {words}", f"consensus {words}",
        notes=(f"“{of}”: {said}.",),
    )  # fmt: skip


async def _explore(scene: Scene, shown: Shown, drawn: Drawn) -> Picture:
    asked, texts = explorable_from(shown), shown.get("chosen")
    own = chosen_of(asked, texts if isinstance(texts, dict) else {})
    question = ask_explorable(asked, scene.view.request, own)
    answer = await scene.graphs.answer(scene.view, question)
    if answer is None:
        raise RequestError(_NOT_KNOWN)
    figure = VIEWS[asked.name].draw(Seen(answer, own, drawn.theme, drawn.width))
    figure.pop("frames", None)  # paper has no slider
    figure["layout"].pop("sliders", None)
    said = (VIEWS[asked.name].says, *answer.findings()[:1])
    return Picture(figure, asked.asks, asked.name, notes=tuple(filter(None, said)))


SUBJECTS: Mapping[str, Subject] = {
    ids.SANKEY: Subject("the Sankey", _sankey),
    ids.AGREEMENT: Subject("predicted against measured", _agreement),
    ids.PATCHING: Subject("the maps of patching", _patching),
    ids.CIRCUIT: Subject("the circuit's curve", _circuit),
    ids.CONSENSUS: Subject("what holds over many prompts", _consensus),
    ids.EXPLORE: Subject("what is explored", _explore),
    ids.LENS: Subject("the lens grid", _lens),
    "attention": Subject("the head's attention", _attention),
    "heads": Subject("heads × layers", _heads),
    "tokens": Subject("parts × tokens", _tokens),
}
"""By the name that the page calls each."""
