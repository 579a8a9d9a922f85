"""Looks are answered between the steps of a measurement of all parts, with the same numbers."""

from __future__ import annotations

from visit.engine.questions import FEW_SITES, FEW_SOURCES, Explain, Measure, RankParts
from visit.graph.request import Request
from visit.session import Session

REQUEST = Request("The capital of Japan is the city of", layers="none")


def test_a_measurement_of_a_few_sites_is_a_look_and_one_of_all_parts_is_none():
    sites = tuple(f"L5.head{head}@7" for head in range(FEW_SITES + 1))
    assert Measure(REQUEST, sites[:1]).is_look
    assert Measure(REQUEST, sites[:FEW_SITES], together=True).is_look
    assert not Measure(REQUEST, sites).is_look
    assert not Measure(REQUEST).is_look  # sorts of part, each of which stands for many
    assert not Measure(REQUEST, sites[:1], how="patch", reference=("Rome",)).is_look
    assert not Measure(REQUEST, sites[:1], steps=9).is_look


def test_the_sources_of_one_head_are_knocked_out_in_one_look():
    sources = tuple(f"L3.head4@99<{source}" for source in range(FEW_SOURCES + 1))
    assert Measure(REQUEST, sources[:FEW_SOURCES], how="knockout").is_look
    assert not Measure(REQUEST, sources, how="knockout").is_look
    others = (*sources[:FEW_SITES], "L3.head5@99<1")
    assert not Measure(REQUEST, others, how="knockout").is_look


def test_what_was_measured_already_is_told_again_while_all_parts_are_measured():
    session = Session.load("mini")
    graph, kept = Explain(REQUEST), Measure(REQUEST)
    found = session.ask(graph), session.ask(kept)
    every = Measure(REQUEST, ("heads", "memories"))
    asked, seen = [], []

    def look(stage: str, part: float) -> None:
        if not asked:
            asked.extend(session.submit(one) for one in (graph, kept))
            asked[1].add_done_callback(lambda _: seen.append(running.done()))

    running = session.submit(every, lambda *said: look(*said))
    running.result(60)
    assert tuple(one.result(60) for one in asked) == found
    assert seen == [False]


def test_what_one_part_causes_is_said_while_all_parts_are_measured():
    session = Session.load("mini")
    ranking = session.ask(RankParts(REQUEST))
    every = Measure(REQUEST, tuple(str(part.id) for part in ranking.parts))
    alone = session.ask(Measure(REQUEST, every.parts[:1]))
    plain = session.ask(every)
    looks, heard = [], []

    def look(stage: str, part: float) -> None:
        heard.append(part)
        looks.append(session.submit(Measure(REQUEST, every.parts[:1])))

    session.resident.answers.clear()  # else they are there, and take no step
    done = session.submit(every, look).result(60)
    assert heard == sorted(heard) and len(heard) > 2 * session.model.n_layers
    answered = [one.result(60) for one in looks]
    assert answered == [alone] * len(looks)
    assert done == plain


def test_a_look_does_not_wait_for_the_end_of_a_measurement():
    session = Session.load("mini")
    ranking = session.ask(RankParts(REQUEST))
    every = Measure(REQUEST, tuple(str(part.id) for part in ranking.parts))
    looks, seen = [], []

    def look(stage: str, part: float) -> None:
        if not looks:
            looks.append(session.submit(Measure(REQUEST, every.parts[:1])))
            looks[0].add_done_callback(lambda _: seen.append(running.done()))

    running = session.submit(every, lambda *said: look(*said))
    running.result(60)
    looks[0].result(60)
    assert seen == [False]
