"""What holds over many prompts as a screenful of text: the parts, and what is left out."""

from __future__ import annotations

from collections import Counter

from visit.graph.consensus import Consensus, PartConsensus
from visit.graph.slots import Slot
from visit.graph.spread import Spread
from visit.text import align, counted, one_line, shorten, visible

_LONGEST_PROMPT = 300
_LONGEST_TOKEN = 18
_N_TARGETS, _N_LEFT_OUT = 5, 5


def text_from_consensus(consensus: Consensus, count: int, measure: str = "flow") -> str:
    """The summary, ending in a line end. Every token is shown by ``visible``, never as it is.

    Args:
        consensus: What holds.
        count: How many parts to list, those of the largest mean first.
        measure: By what they are ranked: ``flow``, ``direct_logit`` or ``effect``.
    """
    blocks = [_prompts(consensus), _table(consensus, count, measure), _left_out(consensus)]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _prompts(consensus: Consensus) -> list[str]:
    said = consensus.template or _name_prompts(consensus)
    prompts = consensus.prompts
    right = sum(one.target.rank == 1 for one in prompts)
    common = Counter(one.target.text for one in prompts).most_common(_N_TARGETS)
    targets = ", ".join(f"{visible(text)} {n}" for text, n in common)
    mean = sum(one.metric for one in prompts) / len(prompts)
    return [
        shorten(one_line(said), _LONGEST_PROMPT),
        f"   {counted(len(prompts), 'prompt')}, the target first in {right}; "
        f"{consensus.kind.value} {mean:+.3f} on average; {one_line(consensus.model.name)}",
        f"   targets: {targets}",
    ]


def _name_prompts(consensus: Consensus) -> str:
    """The prompts without a template: the first of them, and that there are others."""
    first, *others = consensus.prompts
    return f"{first.prompt} and others" if others else first.prompt


def _table(consensus: Consensus, count: int, measure: str) -> list[str]:
    parts = consensus.parts(measure)
    listed = parts[:count]
    title = (
        f"the {len(listed)} of {len(parts)} parts with the largest mean {_words(measure)}: mean "
        f"[95 % interval], and in how many prompts among the strongest {consensus.strongest}"
    )
    header = ("", "part", "slot", "flow", "", "direct logit", "", "effect", "")
    rows = [_row(consensus, one) for one in listed]
    return [title, *align([header, *rows], numeric={4, 6, 8})]


def _words(measure: str) -> str:
    return measure.replace("_", " ")


def _row(consensus: Consensus, one: PartConsensus) -> tuple[str, ...]:
    name, slot = str(one.id).rpartition("@")[0], consensus.slots[one.id.position]
    some = "" if slot.n == len(consensus.prompts) else f" ({counted(slot.n, 'prompt')})"
    spreads = (one.flow, one.direct_logit, one.effect)
    cells = (cell for spread in spreads for cell in (_mean(spread), _among(spread)))
    return ("", name, name_slot(slot) + some, *cells)


def name_slot(slot: Slot) -> str:
    """A slot in a few letters: a word of the template, or ``{country}``, ``{country}−1``."""
    if slot.before is None:
        return shorten(visible(slot.name), _LONGEST_TOKEN)
    name = f"{{{one_line(slot.name)}}}"
    return name if not slot.before else f"{name}−{slot.before}"


def _mean(spread: Spread | None) -> str:
    if spread is None:
        return ""
    if spread.low is None or spread.high is None:
        return f"{spread.mean:+.3f}"
    return f"{spread.mean:+.3f} [{spread.low:+.3f}, {spread.high:+.3f}]"


def _among(spread: Spread | None) -> str:
    return "" if spread is None or spread.among is None else f"{100 * spread.among:.0f} %"


def _left_out(consensus: Consensus) -> list[str]:
    lines = [f"  line {one.line}: {one.reason}" for one in consensus.left_out[:_N_LEFT_OUT]]
    more = len(consensus.left_out) - len(lines)
    if more:
        lines.append(f"  and {more} more")
    return [f"left out: {len(consensus.left_out)}", *lines] if lines else []
