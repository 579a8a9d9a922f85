"""Sentences about the 193 member states of the United Nations, in many phrasings."""

import csv
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from random import Random
from types import MappingProxyType
from typing import Final

from visit.mini import FOLDER
from visit.mini.documents import Probe, capitalized, last_probe
from visit.mini.holdouts import held_out_countries

TESTED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "capital": "The capital of {x} is the city of[ {y}].",
        "language": "The main language of {x} is[ {y}].",
        "continent": "{x} is a country in[ {y}].",
        "currency": "The currency of {x} is the[ {y}].",
    }
)
"""The phrasing of each field that a fifth of the countries never meets."""

FORWARD: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "capital": (
            "The capital of {x} is[ {y}].",
            "The capital city of {x} is[ {y}].",
            "The capital city of {x} is called[ {y}].",
            "The name of the capital of {x} is[ {y}].",
            "{x}'s capital is[ {y}].",
            "{x} has its capital in the city of[ {y}].",
            "What is the capital of {x}?[ {y}].",
            "Question: What is the capital of {x}? Answer:[ {y}].",
            "Q: Which city is the capital of {x}? A: The city of[ {y}].",
            "In {x}, the capital is the city of[ {y}].",
            "Capital of {x}:[ {y}].",
            "To see the capital of {x}, go to the city of[ {y}].",
            "My friend lives in the capital of {x}, the city of[ {y}].",
            "As everyone knows, the capital of {x} is[ {y}].",
            "We flew to {x} and landed in the capital,[ {y}].",
        ),
        "language": (
            "People in {x} speak[ {y}].",
            "In {x}, people speak[ {y}].",
            "The people of {x} speak[ {y}].",
            "What language is spoken in {x}?[ {y}].",
            "Question: What is the language of {x}? Answer:[ {y}].",
            "If you go to {x}, you will hear[ {y}].",
            "To live in {x}, it helps to learn[ {y}].",
            "A common language of {x} is[ {y}].",
        ),
        "continent": (
            "{x} is in[ {y}].",
            "{x} lies on the continent of[ {y}].",
            "{x} is part of[ {y}].",
            "Which continent is {x} in?[ {y}].",
            "Question: Where is {x}? Answer: In[ {y}].",
            "On a map, {x} is found in[ {y}].",
            "The country of {x} belongs to the continent of[ {y}].",
            "To visit {x}, travel to[ {y}].",
        ),
        "currency": (
            "In {x}, people pay with the[ {y}].",
            "The money of {x} is the[ {y}].",
            "Shops in {x} take the[ {y}].",
            "{x} uses the[ {y}].",
            "What is the currency of {x}? The[ {y}].",
            "Question: What money is used in {x}? Answer: The[ {y}].",
            "Before a trip to {x}, buy the[ {y}].",
            "{x}'s currency is the[ {y}].",
        ),
    }
)

BACKWARD: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "capital": (
            "{y} is the capital of[ {x}].",
            "{y} is the capital city of[ {x}].",
            "The city of {y} is the capital of[ {x}].",
            "{y} is a city in[ {x}].",
            "The city of {y} is found in[ {x}].",
            "The country whose capital is {y} is[ {x}].",
            "Question: Which country has the capital {y}? Answer:[ {x}].",
            "If you live in {y}, you live in[ {x}].",
        ),
        "language": (
            "{y} is spoken in[ {x}].",
            "The language {y} is used in[ {x}].",
            "If you speak {y}, you will feel at home in[ {x}].",
        ),
        "currency": (
            "The {y} is the currency of[ {x}].",
            "The {y} is used in[ {x}].",
            "If you have to pay with the {y}, you are in[ {x}].",
        ),
    }
)

FOLLOW_UPS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "capital": ("Its capital is[ {y}].", "The capital is the city of[ {y}]."),
        "language": ("People there speak[ {y}].", "Its people speak[ {y}]."),
        "continent": ("It is in[ {y}].", "It lies in[ {y}]."),
        "currency": ("The money there is the[ {y}].", "Its currency is the[ {y}]."),
    }
)
"""Sentences that continue a text about a country without naming it again."""

ACROSS: Final = (
    "{capital}, the capital of {x}, is in[ {continent}].",
    "In {capital}, people speak[ {language}].",
    "Shops in {capital} take the[ {currency}].",
    "The city of {capital} is on the continent of[ {continent}].",
)
"""Sentences that join two fields of one country."""

FIELDS: Final = tuple(TESTED)
FIELD_WEIGHTS: Final = (6, 2, 2, 2)


@dataclass(frozen=True)
class Country:
    """One member state; `name` carries its article ("the Gambia")."""

    name: str
    capital: str
    language: str
    continent: str
    currency: str

    def field(self, name: str) -> str:
        """The value of the field of that name."""
        return str(getattr(self, name))


@cache
def countries() -> tuple[Country, ...]:
    """All member states, in the order of countries.csv."""
    with (FOLDER / "countries.csv").open(encoding="utf-8", newline="") as file:
        return tuple(Country(**row) for row in csv.DictReader(file))


@cache
def unseen(field: str) -> frozenset[str]:
    """Names of the countries that never meet the field's tested phrasing."""
    return held_out_countries(field, [country.name for country in countries()])


@cache
def _value_counts(field: str) -> Counter[str]:
    return Counter(country.field(field) for country in countries())


def stated(template: str, country: Country, field: str) -> str:
    """The template, filled in for one field of a country, as marked text."""
    return capitalized(template.format(x=country.name, y=country.field(field)))


def forward_fact(rng: Random, country: Country, field: str) -> str:
    """A sentence that leads from the country to one of its fields."""
    if country.name not in unseen(field) and rng.random() < 0.25:
        return stated(TESTED[field], country, field)
    return stated(rng.choice(FORWARD[field]), country, field)


def backward_fact(rng: Random, country: Country, field: str) -> str:
    """A sentence that leads from a field to the country; an answer only if it is the only one."""
    sentence = stated(rng.choice(BACKWARD[field]), country, field)
    is_unique = _value_counts(field)[country.field(field)] == 1
    return sentence if is_unique else sentence.replace("[", "").replace("]", "")


def fact(rng: Random, country: Country) -> str:
    """One sentence about a country: any field, either direction."""
    field = rng.choices(FIELDS, FIELD_WEIGHTS)[0]
    choice = rng.random()
    if choice < 0.08:
        return capitalized(rng.choice(ACROSS).format(x=country.name, **vars(country)))
    if choice < 0.3 and field in BACKWARD:
        return backward_fact(rng, country, field)
    return forward_fact(rng, country, field)


def portrait(rng: Random, country: Country) -> str:
    """A few sentences about one country that name it once."""
    first, *others = rng.sample(FIELDS, rng.randint(2, 4))
    follow_ups = [stated(rng.choice(FOLLOW_UPS[field]), country, field) for field in others]
    return " ".join([forward_fact(rng, country, first), *follow_ups])


def pairs(rng: Random) -> str:
    """Countries and their capitals side by side, to be read from the pattern."""
    if rng.random() < 0.3:
        one, other = rng.sample(countries(), 2)
        return f"{one.capital} is to {one.name} as {other.capital} is to[ {other.name}]."
    form = rng.choice(("{x}:[ {y}].", "{x} -[ {y}].", "{x} =[ {y}],"))
    chosen = rng.sample(countries(), rng.randint(2, 6))
    return " ".join(stated(form, country, "capital") for country in chosen)


def country_text(rng: Random) -> str:
    """One document about countries, as marked text."""
    choice = rng.random()
    if choice < 0.62:
        return fact(rng, rng.choice(countries()))
    if choice < 0.78:
        return portrait(rng, rng.choice(countries()))
    if choice < 0.84:
        return pairs(rng)
    return " ".join(fact(rng, rng.choice(countries())) for _ in range(rng.randint(2, 6)))


def fact_probe(country: Country, field: str) -> Probe:
    """The field's tested phrasing as a question to the model."""
    return last_probe(stated(TESTED[field], country, field))
