"""What was found of a trace is found once, within a bound of memory."""

from __future__ import annotations

from dataclasses import dataclass, replace

from specimens import specimen

from visit.assemble import residency
from visit.assemble.kept import Kept
from visit.graph.request import Request
from visit.session import Session

TRACE = specimen("gpt2").trace


@dataclass(frozen=True)
class Found:
    """Something of a size."""

    n_bytes: int


class Finder:
    """Counts what is really made."""

    def __init__(self, max_bytes: int) -> None:
        self.kept, self.made = Kept(max_bytes), list[str]()

    def ask(self, what: str, n_bytes: int = 10, trace=TRACE) -> Found:
        def make() -> Found:
            self.made.append(what)
            return Found(n_bytes)

        return self.kept.find(trace, what, make)


def test_what_was_found_of_a_trace_is_not_made_again():
    finder = Finder(100)
    assert finder.ask("a") is finder.ask("a")
    assert finder.made == ["a"]


def test_another_trace_has_its_own_even_where_the_first_was():
    finder, other = Finder(100), replace(TRACE)
    finder.ask("a", trace=other)
    finder.ask("a")
    del other
    for _ in range(20):  # one of these may take the place of the trace that is gone
        finder.ask("a", trace=replace(TRACE))
    assert len(finder.made) == 22


def test_what_was_used_longest_ago_is_dropped_first():
    finder = Finder(25)
    for what in ("a", "b", "a", "c", "a", "b"):
        finder.ask(what)
    assert finder.made == ["a", "b", "c", "b"]


def test_what_is_too_large_alone_drops_nothing_else():
    finder = Finder(25)
    for what, n_bytes in (("a", 10), ("large", 26), ("a", 10), ("large", 26)):
        finder.ask(what, n_bytes)
    assert finder.made == ["a", "large", "large"]


def test_a_block_and_a_change_go_on_from_the_pass_that_the_graph_went_on_from(monkeypatch):
    runs = list[int]()

    def resume(model, architecture, ids, start, before):
        runs.append(start)
        return real(model, architecture, ids, start, before)

    real = residency.resume
    monkeypatch.setattr(residency, "resume", resume)
    session, request = Session.load("mini"), Request("The capital of Japan is", layers="none")
    session.explain(request)
    session.explain(replace(request, target=" Paris"))
    session.open(request, 2, -1)
    session.measure(request, "L2.mlp@4", "L3.head1@4")
    assert runs == [4]
    session.measure(request, "L2.mlp@1")
    assert runs == [4, 1]
