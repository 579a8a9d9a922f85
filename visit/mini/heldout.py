"""The held-out questions, task by task, and the figure each task must reach."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain, islice
from random import Random
from typing import Final

from visit.mini.copying import copying_probes
from visit.mini.documents import Probe
from visit.mini.facts import FIELDS, countries, fact_probe, unseen
from visit.mini.givers import PAPER_PROBE, giver_probe
from visit.mini.grammar import agreement_probes, opposite_probes, plural_probes
from visit.mini.successors import DAY_ORDER, MONTH_ORDER, NUMBER_ORDER, WORD_ORDER, Order
from visit.mini.successors import successor_probes as probes_of_order

TOKYO: Final = Probe("The capital of Japan is the city of", " Tokyo")


@dataclass(frozen=True)
class Task:
    """A set of questions and the accuracy asked of it; `required` is None where none is."""

    name: str
    probes: Callable[[], list[Probe]]
    required: float | None = None


def _capitals() -> list[Probe]:
    return [fact_probe(country, "capital") for country in countries()]


def _unseen_facts(field: str) -> Callable[[], list[Probe]]:
    def probes() -> list[Probe]:
        kept_back = [country for country in countries() if country.name in unseen(field)]
        return [fact_probe(country, field) for country in kept_back]

    return probes


def _successors(*orders: Order) -> Callable[[], list[Probe]]:
    return lambda: list(chain.from_iterable(map(probes_of_order, orders)))


def _givers() -> list[Probe]:
    rng = Random("indirect object")
    return [giver_probe(rng) for _ in range(1000)]


def _copying() -> list[Probe]:
    rng = Random("copying")
    return list(chain.from_iterable(copying_probes(rng) for _ in range(100)))


TASKS: Final = (
    Task("the paper's prompt: Japan -> Tokyo", lambda: [TOKYO], 1.0),
    Task('"The capital of X is the city of", all countries', _capitals, 0.95),
    *(
        Task(f"{field}, phrasing never seen with the country", _unseen_facts(field), required)
        for field, required in zip(FIELDS, (0.80, None, None, None), strict=True)
    ),
    Task("Mary and John: John gave a drink to -> Mary", lambda: [PAPER_PROBE], 1.0),
    Task("indirect object, unseen pair of names", _givers, 0.95),
    Task("repeat of a random word sequence, from its second word on", _copying, 0.90),
    Task("successor of a day, unseen combination", _successors(DAY_ORDER), 0.98),
    Task("successor of a month, unseen combination", _successors(MONTH_ORDER), 0.98),
    Task("successor of a number, unseen combination", _successors(NUMBER_ORDER, WORD_ORDER), 0.98),
    Task("opposites, unseen combination", lambda: list(opposite_probes())),
    Task("plurals, unseen combination", lambda: list(plural_probes())),
    Task("agreement, unseen combination", lambda: list(agreement_probes())),
)


def quick(task: Task, n_probes: int) -> list[Probe]:
    """A fixed sample of a task's questions, for a look in passing."""
    probes = task.probes()
    Random("quick").shuffle(probes)
    return list(islice(probes, n_probes))
