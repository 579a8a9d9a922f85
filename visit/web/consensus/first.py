"""Which prompts are proposed at first: those of a template that the shown prompt is one of."""

from __future__ import annotations

from dataclasses import dataclass

from visit.graph.template import Template

_LONGEST = 1_000
"""Letters of a prompt that is looked at: a template is a sentence."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A template with values, a line each.

    Attributes:
        prompts: The template.
        values: What stands in its slots, as it is typed.
    """

    prompts: str
    values: tuple[str, ...]


CAPITALS = Proposal(
    "The capital of {country} is the city of",
    (
        "Japan", "France", "Italy", "Spain", "Germany", "Russia", "China", "Egypt", "Kenya", "Peru",
        "Cuba", "Norway", "Poland", "Greece", "Turkey", "Iran", "Canada", "Chile", "Iraq", "Nepal",
    ),
)  # fmt: skip
"""The paper's prompt."""
PROPOSALS = (
    CAPITALS,
    Proposal(
        "When {one} and {other} went to the store, {other} gave a drink to",
        (
            "Mary, John", "Tom, Anna", "Paul, Sarah", "Alice, Peter", "Mark, Julia", "Emma, David",
            "James, Laura", "Susan, Robert", "Daniel, Maria", "Kate, Michael", "Adam, Helen",
            "Rachel, Simon",
        ),
    ),
)  # fmt: skip
"""Of the examples, those that many prompts are like."""


def data_from_proposal(proposal: Proposal) -> dict[str, str]:
    """A proposal as the page's two fields say it."""
    return {"prompts": proposal.prompts, "values": "\n".join(proposal.values)}


def propose(prompt: str) -> Proposal:
    """What to begin with: of the shown prompt's template, its own values first.

    The paper's, where it is of none.
    """
    if len(prompt) <= _LONGEST:
        for one in PROPOSALS:
            template = Template.parse(one.prompts)
            found = template.read(prompt)
            if found is not None:
                own = ", ".join(dict(zip(template.names, found, strict=True)).values())
                return Proposal(one.prompts, tuple(dict.fromkeys((own, *one.values))))
    return CAPITALS
