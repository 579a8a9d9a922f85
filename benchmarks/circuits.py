"""Circuits of four behaviours, as the tables of docs/circuits.md: run it on any model.

    python benchmarks/circuits.py mini smollm2 > found.md
    python benchmarks/circuits.py gpt2 --prompts 50     # GPT-2 small, from the hub

Of each behaviour (``behaviours.py``): what the parts do over many prompts that the model answers
rightly, what its heads are known by (how much they attend from one place to another), why the head
that matters most attends as it does, and on one prompt, patched from a contrast, which few parts
are enough.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from behaviours import END, Behaviour, Look, Score, list_behaviours
from figures import table
from torch import Tensor

from visit.attribution.flow import sweep_dtype
from visit.attribution.scored import score_head
from visit.attribution.scores import list_parts, split_scores
from visit.engine.progress import silent
from visit.errors import VisitError
from visit.graph.circuit import Circuit
from visit.graph.consensus import Consensus, PartConsensus
from visit.graph.ids import NodeId
from visit.graph.kinds import NodeKind
from visit.graph.request import Request
from visit.graph.spread import Spread
from visit.graph.template import Template
from visit.session import Session
from visit.tracing.trace import Trace

MOST_LISTED = 8
NOTICED = 0.1
"""The least attention that is told."""
LOOKS = 0.3
"""So much a head attends to a place whose attention is then explained."""
CHECKS = 30
"""Kept parts, and parts left out, that change sides one by one."""


@dataclass(frozen=True)
class Read:
    """A prompt that was run.

    Attributes:
        request: It, with its answer as the target.
        places: Where its slots' values end, and ``END``.
        trace: The pass.
    """

    request: Request
    places: dict[str, int]
    trace: Trace

    def attends(self, reader: str, source: str, shift: int = 0) -> Tensor:
        """How much every head attends from one place to another, ``[layer, head]``."""
        at, to = self.places[reader], self.places[source] + shift
        return torch.stack([layer.attention[:, at, to] for layer in self.trace.layers])


def read(session: Session, behaviour: Behaviour, values: Sequence[str], answer: str) -> Read:
    """Run the template with some values."""
    text, spans = Template.parse(behaviour.template).fill(values)
    request = Request(text, target=answer)
    trace, tokens = session.resident.trace(request, silent), session.resident.tokens
    offsets = tokens.offsets(text, len(trace.token_ids))
    names = Template.parse(behaviour.template).names
    places = {
        name: max(at for at, (a, b) in enumerate(offsets) if a < stop and b > start)
        for name, (start, stop) in zip(names, spans, strict=True)
    }
    return Read(request, {**places, END: len(offsets) - 1}, trace)


class Told:
    """What is told of one behaviour of one model."""

    def __init__(self, session: Session, behaviour: Behaviour) -> None:
        self._session, self._behaviour = session, behaviour
        self._reads: list[Read] = []
        self._rows: list[tuple[str, ...]] = []
        self._n_asked = 0
        for row in behaviour.rows:
            one = read(session, behaviour, row[:-1], row[-1])
            try:
                answer = session.resident.tokens.target_id(one.request)
            except VisitError:  # the answer is several tokens
                continue
            self._n_asked += 1
            if int(one.trace.logits[-1].argmax()) == answer:
                self._reads.append(one)
                self._rows.append(row)

    def paragraphs(self) -> Iterator[str]:
        """Everything, a paragraph or table at a time.

        Raises:
            VisitError: something cannot be measured.
        """
        behaviour = self._behaviour
        yield (
            f"`{behaviour.template}`: {len(self._reads)} of {self._n_asked} prompts whose answer "
            "is one token are answered rightly; the numbers are over these."
        )
        if not self._reads:
            return
        yield "At the end, set to zero one by one:"
        yield self._table_of_spread(END, "effect")
        if behaviour.at is not None:
            yield f"At the {behaviour.at}, what flows through:"
            yield self._table_of_spread(behaviour.at, "flow")
        yield self._table_of_scores()
        if behaviour.look is not None:
            yield from self._explain(behaviour.look)
        yield from self._circuits()

    # ------------------------------------------------------------ over many prompts

    @cached_property
    def _consensus(self) -> Consensus:
        return self._session.consensus(
            Request(self._behaviour.template),
            [row[:-1] for row in self._rows],
            self._behaviour.template,
            targets=tuple(row[-1] for row in self._rows),
        )

    def _slot(self, place: str) -> int:
        if place == END:
            return self._consensus.traced
        slots = enumerate(self._consensus.slots)
        return next(at for at, slot in slots if slot.name == place and slot.before == 0)

    def _table_of_spread(self, place: str, by: str) -> str:
        slot = self._slot(place)
        parts = [one for one in self._consensus.parts(by) if one.id.position == slot]
        rows = []
        for part in parts[:MOST_LISTED]:
            spread: Spread = getattr(part, by)
            interval = "" if spread.low is None else f"{spread.low:+.2f} to {spread.high:+.2f}"
            rows.append((
                f"`{_name(part.id)}`", f"{spread.mean:+.2f}", interval, f"{spread.among:.0%}",
                self._said_of_flow(part) if by == "effect" else None,
                self._attends(part.id, place, self._reads),
            ))  # fmt: skip
        head = ("part", by, "95 % interval", "among 20", "flow", "attends to")
        kept = [column for column in range(len(head)) if rows[0][column] is not None]
        return table([head[c] for c in kept], [[str(row[c]) for c in kept] for row in rows])

    @staticmethod
    def _said_of_flow(part: PartConsensus) -> str:
        return "" if part.flow is None else f"{part.flow.mean:+.2f}"

    def _attends(self, part: NodeId, place: str, reads: Sequence[Read]) -> str:
        """How much a head attends from a place to the named ones before it, on average."""
        if part.kind is not NodeKind.HEAD or part.layer is None or part.head is None:
            return ""
        said = []
        for name in self._reads[0].places:
            if name == END or any(one.places[name] > one.places[place] for one in reads):
                continue
            weights = [one.attends(place, name)[part.layer, part.head] for one in reads]
            weight = float(torch.stack(weights).mean())
            if weight >= NOTICED:
                said.append(f"{name} {weight:.2f}")
        return ", ".join(said)

    def _mean_attention(self, score: Score) -> Tensor:
        each = [one.attends(score.reader, score.source, int(score.after)) for one in self._reads]
        return torch.stack(each).mean(0)

    def _table_of_scores(self) -> str:
        """The heads that attend from one place to another.

        At the end those come first that matter most, elsewhere those that attend most.
        """
        effects = {
            (one.id.layer, one.id.head): one.effect for one in self._consensus.parts("effect")
        }
        rows = []
        for score in self._behaviour.scores:
            mean, listed = self._mean_attention(score), list[tuple[float, str]]()
            for layer, head in (mean >= LOOKS).nonzero().tolist():
                weight = float(mean[layer, head])
                effect = effects.get((layer, head)) if score.reader == END else None
                said = f"`L{layer}.head{head}` {weight:.2f}"
                if effect is None:
                    listed.append((weight, said))
                else:
                    listed.append((abs(effect.mean), f"{said} ({effect.mean:+.2f})"))
            listed.sort(reverse=True)
            source = f"the token after {score.source}" if score.after else score.source
            named = ", ".join(said for _, said in listed[:6]) or f"none by {LOOKS} or more"
            more = "" if len(listed) <= 6 else f" and {len(listed) - 6} more"
            rows.append((score.name, f"{score.reader} → {source}", named + more))
        return table(("known as", "attends from → to", "heads, by how much (effect)"), rows)

    # ------------------------------------------------------------ why a head attends

    def _explain(self, look: Look) -> Iterator[str]:
        """Why the head of the largest effect that attends to a place does so."""
        mean = self._mean_attention(Score("", END, look.source))
        heads = [
            one.id
            for one in self._consensus.parts("effect")
            if one.id.kind is NodeKind.HEAD and float(mean[one.id.layer, one.id.head]) >= LOOKS
        ]
        if not heads:
            yield f"No head attends from the end to the {look.source} by {LOOKS} or more."
            return
        head, is_query = heads[0], look.side is NodeKind.QUERY
        parts, scores = self._split(head, look)
        against = "all sources" if look.against is None else f"the {look.against}"
        whole = float(scores.sum())
        yield (
            f"Why `{_name(head)}` attends to the {look.source} rather than to {against}: of its "
            f"score, {whole:+.2f} on average, the parts of its {look.side} add"
        )
        place = END if is_query else look.source
        best = scores.abs().argsort(descending=True)[:MOST_LISTED].tolist()
        yield table(
            ("part", "adds", "attends to"),
            [
                (
                    f"`{_name(parts[at])}`",
                    f"{float(scores[at]):+.2f}",
                    self._attends(parts[at], place, self._reads),
                )
                for at in best
            ],
        )

    def _split(self, head: NodeId, look: Look) -> tuple[list[NodeId], Tensor]:
        """The parts of a side, and what each adds on average."""
        assert head.layer is not None and head.head is not None
        architecture = self._session.resident.loaded.architecture
        found = []
        for one in self._reads:
            with torch.inference_mode():
                dtype = sweep_dtype(one.trace)
                scored = score_head(architecture, one.trace, head.layer, head.head, dtype)
                split = split_scores(architecture, one.trace, scored, [one.places[END]])
            side = split.query if look.side is NodeKind.QUERY else split.key
            added = side[0, :, one.places[look.source]]
            if look.against is not None:
                added = added - side[0, :, one.places[look.against]]
            found.append(added)
        parts = list_parts(architecture, head.layer, head.head, 0, look.side)
        return parts, torch.stack(found).mean(0)

    # ------------------------------------------------------------ on one prompt

    def _circuits(self) -> Iterator[str]:
        """Which heads at the end are enough, then which parts at the behaviour's place."""
        behaviour, first = self._behaviour, self._reads[0]
        contrast = Template.parse(behaviour.template).fill(behaviour.contrast(self._rows[0]))[0]
        yield f"One prompt, `{first.request.prompt}`, patched from `{contrast}`."
        yield from self._circuit(("heads",), contrast, END, "heads at the end")
        if behaviour.at is None:
            return
        info = self._session.model
        names = ("mlp", *(f"head{head}" for head in range(info.n_heads)))
        at = first.places[behaviour.at]
        sites = tuple(f"L{n}.{name}@{at}" for n in range(info.n_layers) for name in names)
        yield from self._circuit(
            sites, contrast, behaviour.at, f"heads and MLPs at the {behaviour.at}"
        )

    def _circuit(self, parts: Sequence[str], contrast: str, place: str, what: str) -> Iterator[str]:
        try:
            circuit = self._session.circuit(
                self._reads[0].request, *parts, reference=(contrast,), checks=CHECKS
            )
        except VisitError as error:
            yield f"Of the {what}: {error}."
            return
        yield say(circuit, what)
        yield self._list(circuit, place)

    def _list(self, circuit: Circuit, place: str) -> str:
        """Kept parts, then those that are missed or take over, with what heads attend to."""
        left_out = [part for part in circuit.parts if not part.kept]
        backups = [part for part in left_out if (part.backup or 0.0) > 0.03]
        backups.sort(key=lambda part: -(part.backup or 0.0))
        missed = [part for part in left_out if part.is_missed and (part.change or 0.0) > 0.03]
        listed = [("kept", part) for part in circuit.kept[:MOST_LISTED]]
        listed += [("missed", part) for part in missed[:3]]
        listed += [("takes over", part) for part in backups[:3] if part not in missed[:3]]
        rows = [
            (
                f"`{part.site}`",
                "kept, not needed" if part.is_idle else what,
                f"{part.score:+.2f}",
                "" if part.change is None else f"{part.change:+.2f}",
                "" if part.backup is None else f"{part.backup:+.2f}",
                self._attends(NodeId.parse(str(part.site)), place, self._reads[:1]),
            )
            for what, part in listed
        ]
        return table(("part", "", "effect", "change", "backup", "attends to"), rows)


def _name(part: NodeId) -> str:
    """A part without its position."""
    return str(part).partition("@")[0]


def say(circuit: Circuit, what: str) -> str:
    """The circuit in two sentences."""
    chosen, base = circuit.chosen, circuit.base
    assert circuit.reference is not None and circuit.reference.metric is not None
    return (
        f"Of {len(circuit.parts)} {what}, {chosen.size} keep {chosen.faithfulness:.2f} of what "
        f"all do to `{circuit.target.text.strip()}`: the metric is {base.metric:+.2f}, "
        f"{circuit.none:+.2f} with none kept (the contrast's own: "
        f"{circuit.reference.metric:+.2f}) and {chosen.metric:+.2f} with these. With these "
        f"ablated instead, {circuit.complement.faithfulness:.2f} is left."
    )


def main() -> None:
    """Print a section for every model that the command line names."""
    parser = argparse.ArgumentParser(description="Find the circuits of docs/circuits.md.")
    parser.add_argument("models", nargs="*", default=["mini"], help="as visit trace --model")
    parser.add_argument("--prompts", type=int, default=30, help="of each behaviour, at most")
    parser.add_argument("--only", help="the name of one behaviour")
    arguments = parser.parse_args()
    for name in arguments.models:
        session = Session.load(name)
        print(f"### {Path(session.model.name).name.removesuffix('.gguf')}\n")
        for behaviour in list_behaviours(arguments.prompts):
            if arguments.only not in (None, behaviour.name):
                continue
            print(f"#### {behaviour.name}\n")
            try:
                for paragraph in Told(session, behaviour).paragraphs():
                    print(f"{paragraph}\n", flush=True)
            except VisitError as error:
                print(f"Not measured: {error}.\n")


if __name__ == "__main__":
    main()
