"""The form of the settings: one field for each option of the command line, in its words."""

from visit.graph.request import Request
from visit.graph.settings import SETTINGS
from visit.web.asking.settings import settings_form
from visit.web.trees import trees


def elements(parts, tag=None):
    """Every element inside some trees, of a tag or of any."""
    for part in parts:
        if isinstance(part, str):
            continue
        if tag in (None, part["tag"]):
            yield part
        yield from elements(part["children"], tag)


def fields_by_name(served):
    found = (e["attributes"] for e in elements(trees(settings_form(served))))
    return {said["data-setting"]: said for said in found if "data-setting" in said}


def test_every_setting_has_a_labelled_field_that_says_what_is_served():
    fields = fields_by_name(Request("a", heads=3))
    assert fields.keys() == SETTINGS.keys()
    assert fields["heads"]["data-served"] == "3" and fields["outcome"]["data-served"] == ""
    labels = {e["attributes"]["for"] for e in elements(trees(settings_form(Request("a"))), "label")}
    assert labels == {said["id"] for said in fields.values()}


def test_a_closed_set_is_chosen_from_and_anything_else_is_typed():
    form = trees(settings_form(Request("a")))
    chosen = {e["attributes"]["data-setting"] for e in elements(form, "select")}
    assert chosen == {"effects", "metric", "outcome", "rank_by", "route"}
