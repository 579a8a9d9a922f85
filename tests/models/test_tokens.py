"""Tokens are spelled as they are, and a target is exactly one of them."""

from __future__ import annotations

import pytest
from specimens import save_tiny_model
from transformers import AutoTokenizer
from vocabularies import byte_level, chatty, sentencepiece, wordpiece

from visit.errors import RequestError
from visit.graph.request import Request
from visit.models import spelling
from visit.models.tokens import Tokens

HARD = [
    "plain text",
    " two  spaces",
    "tab\tand\nnewline",
    "日本 🗼",
    "عربى",
    "\u202eright to left",
    "\x00\x07",
]


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Tokens:
    tokenizer = AutoTokenizer.from_pretrained(save_tiny_model(tmp_path_factory.mktemp("tiny")))
    return Tokens(tokenizer, len(tokenizer))


def test_a_tokens_text_keeps_its_leading_space(tokens: Tokens):
    read = tokens.read(Request("The capital of Japan"))
    assert "".join(token.text for token in read) == "The capital of Japan"
    assert tokens.text(tokens.single(" Japan", "target")) == " Japan"


@pytest.mark.parametrize("text", HARD)
def test_lone_bytes_are_written_as_escapes_and_nothing_is_lost(tokens: Tokens, text: str):
    spelled = "".join(token.text for token in tokens.read(Request(text)))
    raw = spelled.encode("utf-8", "surrogateescape").decode("utf-8")
    if raw != text:
        assert (
            raw.encode("latin-1", "backslashreplace")
            .decode("unicode_escape")
            .encode("latin-1")
            .decode("utf-8")
            == text
        )


def test_an_id_beyond_the_vocabulary_is_called_unused(tokens: Tokens):
    assert tokens.text(99_999) == "<unused 99999>"


def test_a_target_without_its_space_is_offered_with_it(tokens: Tokens):
    with pytest.raises(RequestError, match=r"target 'Tokyo' is \d tokens .* such as ' Tokyo' or "):
        tokens.single("Tokyo", "target")


def test_a_misspelt_target_is_offered_the_nearest(tokens: Tokens):
    with pytest.raises(RequestError, match="such as ' capital'"):
        tokens.single(" captial", "target")


def test_a_target_unlike_any_token_is_refused_with_its_pieces(tokens: Tokens):
    line = r"^target 'zq' is 2 tokens \('z' \\#(\d+) \+ 'q' \\#\d+\); give a single .* as \\#\1$"
    with pytest.raises(RequestError, match=line):
        tokens.single("zq", "target")


def test_a_character_of_several_tokens_is_refused_with_its_bytes_and_their_ids():
    tokenizer = sentencepiece(dummy_space=False)
    first, second, third = tokenizer("日", add_special_tokens=False)["input_ids"]
    line = (
        rf"target '日' is 3 tokens ('\xe6' \#{first} + '\x97' \#{second} + '\xa5' \#{third}); "
        rf"give a single token, such as \#{first}"
    )
    tokens = made(tokenizer)
    with pytest.raises(RequestError) as caught:
        tokens.single("日", "target")
    assert str(caught.value) == line
    assert tokens.single("\\xe6", "target") == tokens.named(first, "target") == first


def test_a_long_text_is_refused_with_its_first_tokens_in_one_short_line(tokens: Tokens):
    with pytest.raises(
        RequestError, match=r"^target 'zqzq.*…' is \d+ tokens .* \+ \d+ more\)"
    ) as line:
        tokens.single("zq" * 5000, "target")
    assert len(str(line.value)) < 300


def test_a_token_typed_as_it_is_shown_is_offered_with_its_space(tokens: Tokens):
    """``·`` is shown for a space, and typed it is a middle dot."""
    with pytest.raises(
        RequestError, match=r"target '·Tokyo' is \d+ tokens .* such as ' Tokyo' or "
    ):
        tokens.single("·Tokyo", "target")


def test_an_empty_target_is_refused(tokens: Tokens):
    with pytest.raises(RequestError, match="target '' is 0 tokens"):
        tokens.single("", "target")


# ---------------------------------------------------------------- every way to spell


@pytest.mark.parametrize("piece", ["a b", "日本", "Ġ日", "\x7f", "\xad"])
def test_a_piece_with_a_letter_that_is_no_byte_is_left_as_it_is(piece: str):
    assert spelling.byte_level(piece) == piece


def made(tokenizer) -> Tokens:
    return Tokens(tokenizer, max(tokenizer.get_vocab().values()) + 1)


def test_sentencepiece_is_spelled_with_its_spaces_and_bytes():
    tokenizer = sentencepiece()
    tokens = made(tokenizer)
    texts = {piece: tokens.text(id_) for piece, id_ in tokenizer.get_vocab().items()}
    assert texts["▁Tokyo"] == " Tokyo"
    assert texts["▁"] == " "
    assert texts["<0x0A>"] == "\n"
    assert texts["<0xE6>"] == "\\xe6"
    assert texts["<0x41>"] == "A"
    assert [token.text for token in tokens.read(Request("Tokyo é"))] == [
        " Tokyo", " ", "\\xc3", "\\xa9"
    ]  # fmt: skip


def test_gemmas_added_spaces_and_line_ends_are_spaces_and_line_ends():
    tokenizer = sentencepiece(dummy_space=False)
    tokens = made(tokenizer)
    assert tokens.text(tokenizer.convert_tokens_to_ids("▁▁▁")) == "   "
    assert tokens.text(tokenizer.convert_tokens_to_ids("\n\n")) == "\n\n"
    read = tokens.read(Request("Tokyo\n\nTokyo  Tokyo"))
    assert "".join(token.text for token in read) == "Tokyo\n\nTokyo  Tokyo"


def test_a_special_token_is_what_it_says_and_is_known_as_special():
    tokenizer = sentencepiece()
    tokens = made(tokenizer)
    end = tokenizer.convert_tokens_to_ids("<turn▁end>")
    assert tokens.text(end) == "<turn▁end>"
    read = tokens.read(Request("Tokyo<turn▁end>Tokyo", bos=True))
    assert [token.special for token in read if token.text.startswith("<")] == [True, True]
    assert not any(token.special for token in read if not token.text.startswith("<"))


def test_wordpieces_are_as_they_are():
    tokenizer = wordpiece()
    tokens = made(tokenizer)
    for piece, id_ in tokenizer.get_vocab().items():
        assert tokens.text(id_) == piece
        assert tokens.single(piece, "target") == id_


def test_tokens_that_were_added_to_a_byte_level_vocabulary_are_what_they_say():
    from tokenizers import AddedToken

    tokenizer = byte_level()
    contents = ["  ", "é", "<think>", "▁", "日本"]
    tokenizer.add_tokens([AddedToken(text, lstrip=True, normalized=False) for text in contents])
    tokens = made(tokenizer)
    for text in contents:
        assert tokens.text(tokenizer.convert_tokens_to_ids(text)) == text
        assert tokens.single(text, "target") == tokenizer.convert_tokens_to_ids(text)


def test_an_id_in_a_hole_of_the_vocabulary_is_called_unused_and_those_beyond_it_are_known():
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    model = models.WordLevel({"a": 0, "b": 5, "<unk>": 6}, unk_token="<unk>")
    tokens = made(PreTrainedTokenizerFast(tokenizer_object=Tokenizer(model), unk_token="<unk>"))
    assert tokens.text(3) == "<unused 3>"
    assert tokens.single("b", "target") == 5


@pytest.mark.parametrize(
    "tokenizer",
    [byte_level(), chatty("gemma"), sentencepiece(), sentencepiece(dummy_space=False), wordpiece()],
    ids=["byte-level", "chat", "llama-2", "gemma", "wordpiece"],
)
def test_every_token_is_found_again_by_its_text(tokenizer):
    """Where several have one text, it is one of them, and never a byte's instead of a letter's."""
    tokens = made(tokenizer)
    by_text: dict[str, list[int]] = {}
    for id_ in tokenizer.get_vocab().values():
        by_text.setdefault(tokens.text(id_), []).append(id_)
    for text, ids in by_text.items():
        found = tokens.single(text, "target")
        assert found in ids
        if len(ids) > 1:
            assert not tokenizer.convert_ids_to_tokens(found).startswith("<0x")


def test_a_token_with_and_without_its_space_are_two():
    tokenizer = sentencepiece()
    tokens = made(tokenizer)
    for text in ("Tokyo", " Tokyo"):
        assert tokens.text(tokens.single(text, "target")) == text
    assert tokens.single("Tokyo", "target") != tokens.single(" Tokyo", "target")


def test_a_text_that_the_tokenizer_changes_on_the_way_is_not_taken_for_a_token():
    """WordPiece's lower case, and a word for which there is only the unknown token."""
    tokens = made(wordpiece())
    with pytest.raises(RequestError, match=r"target 'CITY' is another token \('city' \\#3\)"):
        tokens.single("CITY", "target")
    with pytest.raises(RequestError, match=r"target 'paris' is another token \('\[UNK\]' \\#0\)"):
        tokens.single("paris", "target")


# ---------------------------------------------------------------- tokens by id


def test_a_prompt_of_ids_is_read_as_they_are():
    """No BOS is added, none is taken off, and text that would be split otherwise stays whole."""
    tokenizer = sentencepiece()
    tokens = made(tokenizer)
    bos = tokenizer.bos_token_id
    pieces = tokenizer.convert_tokens_to_ids(["▁", "T", "<0xE6>"])
    for ids in ((*pieces, pieces[0]), (bos, bos, *pieces)):
        read = tokens.read(Request("Tokyo", prompt_ids=ids))
        assert tuple(token.id for token in read) == ids
        assert [token.position for token in read] == list(range(len(ids)))
        assert [token.text for token in read] == [tokens.text(id_) for id_ in ids]
        assert [token.special for token in read] == [id_ == bos for id_ in ids]


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"prompt_ids": (1, 10**6)}, r"prompt_ids\[1\] is 1000000"),
        ({"target_id": 10**6}, "target_id is 1000000"),
        ({"versus_id": 10**6}, "versus_id is 1000000"),
    ],
)
def test_an_id_outside_the_vocabulary_is_refused_by_name(fields, named):
    tokens = made(sentencepiece())
    request = Request("Tokyo", **fields)
    with pytest.raises(RequestError, match=rf"^{named}; the model knows ids 0 to \d+; give one"):
        tokens.read(request)
        tokens.target_id(request)
        tokens.versus_id(request)


def test_an_id_decides_whatever_the_text_beside_it_says():
    tokenizer = sentencepiece()
    tokens = made(tokenizer)
    byte = tokenizer.convert_tokens_to_ids("<0x41>")
    assert tokens.text(byte) == "A"  # no text names it: the tokenizer makes a letter of that
    request = Request("Tokyo", target=" Tokyo", target_id=byte, versus_id=byte)
    assert (tokens.target_id(request), tokens.versus_id(request)) == (byte, byte)
    assert tokens.target_id(Request("Tokyo")) is None
    assert tokens.versus_id(Request("Tokyo")) is None


def test_what_is_named_by_id_alone_is_spelled():
    tokenizer = sentencepiece()
    tokens = made(tokenizer)
    ids = tuple(tokenizer("Tokyo é", add_special_tokens=False)["input_ids"])
    target = tokenizer.convert_tokens_to_ids("▁Tokyo")
    spelled = tokens.spell_out(Request(prompt_ids=ids, target_id=target, versus_id=target))
    assert (spelled.prompt, spelled.target, spelled.versus) == ("Tokyo é", " Tokyo", " Tokyo")
    assert (spelled.prompt_ids, spelled.target_id, spelled.versus_id) == (ids, target, target)
    shown = Request("shown", target="a", versus="b", prompt_ids=ids, target_id=1, versus_id=2)
    assert tokens.spell_out(shown) == shown
    assert tokens.spell_out(Request("Tokyo")) == Request("Tokyo")
