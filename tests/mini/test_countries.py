"""The facts the model is taught: complete, and spelled one way only."""

from collections import Counter

from visit.mini.facts import countries


def test_all_193_member_states_are_there_once() -> None:
    names = [country.name for country in countries()]
    assert len(names) == len(set(names)) == 193


def test_every_continent_has_its_member_states() -> None:
    assert Counter(country.continent for country in countries()) == {
        "Africa": 54,
        "Asia": 47,
        "Europe": 43,
        "North America": 23,
        "Oceania": 14,
        "South America": 12,
    }


def test_no_two_countries_share_a_capital() -> None:
    assert len({country.capital for country in countries()}) == 193


def test_every_field_is_filled_and_plain_ascii() -> None:
    for country in countries():
        for value in vars(country).values():
            assert value == value.strip() != ""
            assert value.isascii(), value


def test_names_begin_with_a_capital_letter_or_the_article() -> None:
    for country in countries():
        bare = country.name.removeprefix("the ")
        assert bare[0].isupper()


def test_well_known_capitals_are_right() -> None:
    capitals = {country.name: country.capital for country in countries()}
    assert capitals["Japan"] == "Tokyo"
    assert capitals["Australia"] == "Canberra"
    assert capitals["Brazil"] == "Brasilia"
    assert capitals["Kazakhstan"] == "Astana"
    assert capitals["Myanmar"] == "Naypyidaw"
    assert capitals["the Netherlands"] == "Amsterdam"
