"""A continuation as a screenful of text: what was read, what was said, and each token's chances."""

from __future__ import annotations

from visit.graph.generation import Ending, Generation, Step
from visit.text import align, counted, join_neighbours, one_line, shorten, visible

_LONGEST_TEXT = 300
_LONGEST_TOKEN = 18
_N_OTHERS = 3


def text_from_generation(generation: Generation) -> str:
    """The summary, ending in a line end. Every token is shown by ``visible``, never as it is."""
    prompt = one_line(join_neighbours([token.text for token in generation.tokens]))
    said = one_line(join_neighbours([step.text for step in generation.steps]))
    heading = [
        shorten(prompt, _LONGEST_TEXT),
        f" → {shorten(said.removeprefix(' '), _LONGEST_TEXT)}",
        f"   {_how(generation)}",
    ]
    rows = [
        _row(step, len(generation.tokens) + place) for place, step in enumerate(generation.steps)
    ]
    names = ("", "position", "token", "probability", "rank", "others")
    table = ["the continuation", *align([names, *rows], numeric={1, 3, 4})]
    return "\n\n".join("\n".join(block) for block in (heading, table)) + "\n"


def _how(generation: Generation) -> str:
    n_given = sum(step.given for step in generation.steps)
    n_taken, sampling = len(generation.steps) - n_given, generation.sampling
    said = [f"{counted(n_given, 'token')} given"] if n_given else []
    if n_taken:
        drawn = f"drawn at temperature {sampling.temperature:g}, top-p {sampling.top_p:g}, seed "
        how = f"{drawn}{sampling.seed}" if sampling.temperature else "each the likeliest"
        said.append(f"{counted(n_taken, 'token')}, {how}")
    if generation.ending is Ending.EOS:
        said.append("the text ends there")
    return "; ".join(said)


def _row(step: Step, position: int) -> tuple[str, ...]:
    others = [f"{_token(one.text)} {one.prob:.3f}" for one in step.others[:_N_OTHERS]]
    given = " (given)" if step.given else ""
    return (
        "",
        str(position),
        f"{_token(step.text)}{given}",
        f"{step.prob:.3f}",
        f"{step.rank:,}",
        "  ".join(others),
    )


def _token(text: str) -> str:
    return shorten(visible(text), _LONGEST_TOKEN)
