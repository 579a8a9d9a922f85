"""A document inside an HTML page, put there and taken back."""

import pytest

from visit.errors import DocumentError
from visit.formats.embedded import html_from_json, json_from_html

TEXT = '{"label":"</script><!-- \u202e é"}' + " " * 1000


def test_the_json_comes_back_letter_for_letter_and_takes_less():
    element = html_from_json(TEXT)
    assert json_from_html(f"<!DOCTYPE html>{element}") == TEXT
    assert len(element) < len(TEXT) / 2
    assert element.count("<") == 2


def test_a_page_of_an_earlier_version_is_read():
    page = '<script type="application/json" id="document">{"a":"\\u003c"}</script>'
    assert json_from_html(page) == '{"a":"\\u003c"}'


def test_no_more_is_unpacked_than_is_allowed():
    element = html_from_json("x" * 5 * 2**20)
    with pytest.raises(DocumentError, match="document is larger than 2 MB; open it with visit"):
        json_from_html(element, 2 * 2**20)
    assert len(json_from_html(element, 5 * 2**20)) == 5 * 2**20


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda packed: packed[: len(packed) // 8 * 4], "cut off"),
        (lambda packed: "AAAA" + packed, "damaged"),
        (lambda packed: packed[:-3], "damaged"),
        (lambda packed: "", "cut off"),
    ],
)
def test_what_is_damaged_is_told_in_one_line(change, said):
    element = html_from_json(TEXT)
    packed = element.partition(">")[2].partition("<")[0]
    with pytest.raises(DocumentError, match=said):
        json_from_html(element.replace(packed, change(packed)))
