"""Short simple stories whose people and things come back."""

from random import Random
from typing import Final

from visit.mini.documents import Document, document_from_marked
from visit.mini.holdouts import is_held_out
from visit.mini.lexicon import (
    ANIMALS,
    COLORS,
    DAYS,
    FOODS,
    MEN,
    OBJECTS,
    PLACES,
    WOMEN,
    with_article,
)

BEGINNINGS: Final = (
    "Once upon a time there was {a_role} named {hero}.",
    "One {day} morning, {hero} woke up early.",
    "{hero} was {a_role} who lived near the {place}.",
    "It was a cold day, and {hero} was at home.",
    "{hero} liked to play at the {place}.",
    "There once was {a_role} called {hero}.",
)
PLOTS: Final = (
    "{he} had {a_color} {thing}. One day[ {hero}] lost the[ {thing}]. {he} looked for it at the "
    '{place}, but the[ {thing}] was not there. Then {a_animal} came and said, "I know where your'
    '[ {thing}] is." The[ {animal}] had found the[ {color}][ {thing}] near the {place2}. [{hero}]'
    " was very happy and thanked the[ {animal}].",
    "{he} wanted to buy {a_thing}. {he} went to the {place}, but there was no[ {thing}]. So "
    "{he_low} went to the {place2}. Then {he_low} saw a big {color}[ {thing}]. {he} paid for the"
    '[ {thing}] and went home. "What a nice[ {thing}]," said {his} mother.',
    "{he} had {a_animal}. The[ {animal}] was {color}. Every day[ {hero}] gave the[ {animal}] some "
    "{food}. One night the[ {animal}] ran away to the {place}. [{hero}] was sad. {he} put some"
    "[ {food}] in front of the house. The[ {animal}] smelled the[ {food}] and came back. "
    "[{hero}] was happy again.",
    '{he} met a friend at the {place}. The friend, {friend}, had some {food}. "Do you want some'
    '[ {food}]?" asked[ {friend}]. "Yes, please," said[ {hero}]. They ate the[ {food}] and '
    "talked all day. In the evening[ {hero}] said goodbye and walked home.",
    '{he} wanted to see {a_animal}. {his_cap} father said, "The[ {animal}] lives near the {place}.'
    '" So they went to the[ {place}]. They waited for a long time. At last the[ {animal}] came. It '
    "was small and {color}. [{hero}] smiled and gave it some {food}. The[ {animal}] ate the"
    "[ {food}] and went away.",
    "It rained all day, so {he_low} could not go to the {place}. {he} was bored. Then {friend} came"
    ' with {a_thing}. They played with the[ {thing}] until the rain stopped. "Now we can go to the'
    '[ {place}]," said[ {friend}]. They took the[ {thing}] with them and had fun at the[ {place}].',
)
ENDINGS: Final = (
    "",
    " The end.",
    " That night[ {hero}] slept well.",
    " It was a good day for[ {hero}].",
    " And[ {hero}] never forgot that day.",
)


def _story(rng: Random, held_out: bool) -> str:
    while True:
        plot, hero, place = (
            rng.randrange(len(PLOTS)),
            rng.choice((*MEN, *WOMEN)),
            rng.choice(PLACES),
        )
        if is_held_out("story", str(plot), hero, place) == held_out:
            break
    is_woman = hero in WOMEN
    color, thing, animal = rng.choice(COLORS), rng.choice(OBJECTS), rng.choice(ANIMALS)
    role = rng.choice(("girl", "woman", "queen") if is_woman else ("boy", "man", "king"))
    words = {
        "hero": hero,
        "friend": rng.choice([name for name in (*MEN, *WOMEN) if name != hero]),
        "he": "She" if is_woman else "He",
        "he_low": "she" if is_woman else "he",
        "his": "her" if is_woman else "his",
        "his_cap": "Her" if is_woman else "His",
        "a_role": f"a {rng.choice(('little', 'young', 'kind', 'brave'))} {role}",
        "day": rng.choice(DAYS),
        "place": place,
        "place2": rng.choice([other for other in PLACES if other != place]),
        "color": color,
        "a_color": with_article(color),
        "thing": thing,
        "a_thing": with_article(thing),
        "animal": animal,
        "a_animal": with_article(animal),
        "food": rng.choice(FOODS),
    }
    template = f"{rng.choice(BEGINNINGS)} {PLOTS[plot]}{rng.choice(ENDINGS)}"
    return template.format(**words)


def story_text(rng: Random) -> str:
    """One story for training, as marked text."""
    return _story(rng, held_out=False)


def unseen_story(rng: Random) -> Document:
    """A story whose plot, hero and place never come together in training."""
    return document_from_marked(_story(rng, held_out=True))
