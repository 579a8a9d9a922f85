"""What stands in a template's slots, as it may be given from Python."""

from __future__ import annotations

import pytest

from visit.errors import RequestError
from visit.graph.template import rows_of_values


def test_values_are_rows_of_one_text_or_of_one_a_slot():
    assert rows_of_values(["Japan", ("France", "Paris")]) == (("Japan",), ("France", "Paris"))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ("Fr", r"values is 'Fr'; give a list, with a text a prompt"),
        (None, r"values is None; give a list, with a text a prompt"),
        ([None], r"values\[0\] is None; give a text, or a list with a text a slot"),
        (["Japan", ["France", 3]], r"values\[1\] is \['France', 3\]; give a text, or a list"),
    ],
)
def test_what_is_no_list_of_texts_is_refused(values: object, message: str):
    with pytest.raises(RequestError, match=f"^{message}"):
        rows_of_values(values)
