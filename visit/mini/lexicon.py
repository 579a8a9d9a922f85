"""The words the corpus is made of, apart from the countries (those are in countries.csv)."""

from typing import Final

WOMEN: Final = tuple(
    """Mary Anna Alice Emma Laura Julia Sarah Lisa Kate Jane Amy Rachel Emily Grace Helen Maria
    Susan Linda Karen Nancy Betty Ruth Sharon Michelle Jessica Amanda Rebecca Martha Diana Olivia
    Sophie Lucy Ella Chloe Hannah Nora Clara Eva Rose Lily Molly Zoe Irene Sandra Teresa Paula
    Vera Judy Carol Megan""".split()
)
MEN: Final = tuple(
    """John Tom Peter Paul Mark James Robert Michael David William Richard Joseph Charles Daniel
    Matthew Anthony Steven Andrew Kevin Brian Edward Ronald Jason Jeffrey Ryan Jacob Gary Eric
    Stephen Larry Justin Scott Brandon Frank Gregory Samuel Patrick Jack Dennis Tyler Aaron Adam
    Henry Nathan Oscar Simon Victor Martin Oliver Leo""".split()
)
NAMES: Final = WOMEN + MEN

PLACES: Final = tuple(
    """store park school beach market library garden museum station hospital restaurant office
    cinema theater zoo church farm lake river forest airport hotel bakery gym pool shop house
    kitchen bank castle village bridge stadium harbor cafe barn field playground""".split()
)
OBJECTS: Final = tuple(
    """drink book ball pen letter flower gift ring key coin hat cup phone apple orange cake bag
    ticket map basket kiss necklace computer bone guitar watch lamp picture pencil sandwich cookie
    toy shirt box bottle blanket camera chair scarf umbrella""".split()
)
ANIMALS: Final = tuple(
    """cat dog bird horse cow pig duck rabbit mouse fox bear lion tiger frog sheep goat hen
    monkey wolf fish""".split()
)
FOODS: Final = tuple("bread soup rice cheese cake fish honey fruit pasta pie".split())
COLORS: Final = tuple("red blue green yellow white black brown pink purple gray".split())
FEELINGS: Final = tuple("happy sad angry tired hungry proud afraid lonely calm bored".split())

OPPOSITES: Final = tuple(
    tuple(pair.split("/"))
    for pair in """hot/cold big/small tall/short fast/slow up/down left/right day/night black/white
    happy/sad rich/poor old/young hard/soft light/dark open/closed full/empty early/late
    good/bad high/low long/brief near/far in/out on/off over/under true/false yes/no wet/dry
    clean/dirty loud/quiet strong/weak thick/thin wide/narrow deep/shallow heavy/weightless
    sweet/sour rough/smooth first/last begin/end win/lose buy/sell give/take push/pull
    come/go love/hate laugh/cry before/after always/never more/less many/few inside/outside
    above/below north/south east/west summer/winter friend/enemy life/death war/peace
    question/answer male/female cheap/expensive easy/difficult safe/dangerous simple/complex
    sharp/blunt brave/cowardly kind/cruel polite/rude lazy/diligent wise/foolish
    awake/asleep alive/dead ancient/modern public/private success/failure victory/defeat
    arrive/leave remember/forget find/hide build/destroy accept/refuse increase/decrease
    entrance/exit front/back top/bottom maximum/minimum positive/negative noisy/silent
    guilty/innocent visible/invisible possible/impossible""".split()
)

IRREGULAR_PLURALS: Final = {
    "man": "men",
    "woman": "women",
    "child": "children",
    "foot": "feet",
    "tooth": "teeth",
    "goose": "geese",
    "mouse": "mice",
    "person": "people",
    "knife": "knives",
    "leaf": "leaves",
    "wolf": "wolves",
    "life": "lives",
    "wife": "wives",
    "shelf": "shelves",
    "half": "halves",
    "sheep": "sheep",
    "fish": "fish",
    "potato": "potatoes",
    "tomato": "tomatoes",
    "hero": "heroes",
}
REGULAR_NOUNS: Final = tuple(
    """cat dog bird horse cow pig duck rabbit fox bear lion tiger frog goat hen monkey book ball
    pen letter flower gift ring key coin hat cup phone apple orange cake bag ticket map basket
    computer bone guitar watch lamp picture pencil sandwich cookie toy shirt box bottle blanket
    camera chair scarf umbrella store park school beach market library garden museum station
    hospital office church farm lake river forest airport hotel bakery shop house kitchen bank
    castle village bridge baby city country story family party lady berry boy girl king queen
    teacher doctor farmer student friend brother sister tree table window door car boat train
    star cloud road hill glass dish brush bus class dress""".split()
)
"""Nouns whose plural follows the rules of `plural_of`."""

VERBS: Final = tuple(
    """run walk sing dance read write eat drink sleep play jump swim work cook talk smile paint
    cry wait help laugh travel draw drive climb""".split()
)

DAYS: Final = tuple("Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split())
MONTHS: Final = tuple(
    """January February March April May June July August September October November
    December""".split()
)
NUMBER_WORDS: Final = tuple(
    """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen
    fifteen sixteen seventeen eighteen nineteen twenty""".split()
)
TENS: Final = tuple("ten twenty thirty forty fifty sixty seventy eighty ninety".split())
LARGEST_NUMBER: Final = 120
DIGITS: Final = tuple(str(number) for number in range(LARGEST_NUMBER + 1))


def plural_of(noun: str) -> str:
    """The plural of an English noun: irregular ones by list, the others by rule."""
    if noun in IRREGULAR_PLURALS:
        return IRREGULAR_PLURALS[noun]
    if noun.endswith(("s", "x", "ch", "sh")):
        return noun + "es"
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + "s"


def third_person(verb: str) -> str:
    """The form of a verb that follows he, she or it."""
    if verb.endswith("y") and verb[-2] not in "aeiou":
        return verb[:-1] + "ies"
    return verb + ("es" if verb.endswith("ch") else "s")


def with_article(noun: str) -> str:
    """The noun after "a" or "an"."""
    return ("an " if noun[0] in "aeiou" else "a ") + noun


def everyday_words() -> tuple[str, ...]:
    """Every lower-case word of the lexicon, each once, in a fixed order."""
    nouns = (*REGULAR_NOUNS, *IRREGULAR_PLURALS, *PLACES, *OBJECTS, *ANIMALS, *FOODS)
    words = [
        *nouns,
        *(plural_of(noun) for noun in (*REGULAR_NOUNS, *IRREGULAR_PLURALS)),
        *COLORS,
        *FEELINGS,
        *(word for pair in OPPOSITES for word in pair),
        *VERBS,
        *(third_person(verb) for verb in VERBS),
        *NUMBER_WORDS,
        *TENS,
    ]
    return tuple(dict.fromkeys(words))
