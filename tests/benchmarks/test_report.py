"""The report of `make bench`: the ratios are those of the figures, and a missed goal says so."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from memory import Peak
from report import BARS, Times, goals, picture, report


@pytest.fixture
def times(tmp_path: Path) -> Times:
    seconds = dict.fromkeys(BARS, 1.0) | {
        "one_at_a_time": 120.0, "floor_forward": 0.5, "floor_product": 1.0,
        "floor_statistics": 0.5, "whole_cold": 3.5, "whole_warm": 1.5, "block_retargeted": 0.2,
        "route_retargeted": 0.2, "block_opened": 0.4,
        "forward[plain-8]": 0.2, "forward[recorded-8]": 0.25,
        "forward[plain-256]": 1.0, "forward[recorded-256]": 1.6,
        "all_scores_of_a_head_in_layer[12]": 0.025, "all_scores_of_a_head_in_layer[23]": 0.0525,
        "circuit_forward[8]": 0.5, "circuit_curve[traced-8]": 1.25, "circuit_curve[all-8]": 15.0,
        "consensus_against_its_floor": 60.0,
        "heads_against_their_floor[mini-all]": 9.0,
        "flow_sweep[mini]": 0.1, "integrated_gradients[mini]": 2.0,
    }  # fmt: skip
    notes = {
        "consensus_against_its_floor": {"part of floor": 0.48},
        "heads_against_their_floor[mini-all]": {"part": 0.58},
        "flow_sweep[mini]": {"ratio": 1.5}, "integrated_gradients[mini]": {"ratio": 1.3},
    }  # fmt: skip
    benchmarks = [
        {
            "name": f"test_{name}",
            "stats": {"min": value, "median": 1.1 * value},
            "extra_info": notes.get(name, {"nodes": 3767}),
        }
        for name, value in seconds.items()
    ]
    (tmp_path / "times.json").write_text(json.dumps({"benchmarks": benchmarks}))
    return Times.read(tmp_path / "times.json")


PEAKS = [Peak(64, "all", 1.0, 900, 390, 200, 1.0, 3767, 8)]


def test_a_goal_is_met_or_not_by_its_ratio(times: Times):
    found = {goal.what: (goal.found, goal.is_met) for goal in goals(times, PEAKS)}
    assert found["VISIT's procedure / cold"] == ("34.3×", True)
    assert found["VISIT's procedure / warm atlas"] == ("80.0×", True)
    assert found["cold / floor"] == ("1.75×", False)
    assert found["record / plain forward, 8 tokens"] == ("1.25×", True)
    assert found["record / plain forward, 256 tokens"] == ("1.6×", False)
    assert found["opening a block"] == ("0.4 s", False)
    assert found["all scores of a head, layer 23"] == ("52.5 ms", False)
    assert found["circuit's curve / plain forward, traced, 8 tokens"] == ("2.5×", True)
    assert found["circuit's curve / plain forward, all, 8 tokens"] == ("30×", False)
    assert found["consensus: part of its floor's throughput"] == ("0.48×", False)
    assert found["flow / plain forward, mini, 64 tokens"] == ("1.5×", True)
    assert found["integrated gradients / their own passes, mini, 64 tokens"] == ("1.3×", False)
    assert found["peak, 64 tokens, layers all"] == ("390 MB", True)


def test_goals_of_studies_are_read_from_both_files(times: Times):
    studies = {"workers": {"ratio": 1.9}, "memory": {"growth": 0.071}, "report": {"seconds": 8.0}}
    found = {goal.what: (goal.found, goal.is_met) for goal in goals(times, PEAKS, studies)}
    assert found["survey of heads / its floor, mini-all"] == ("0.58×", False)
    assert found["two workers / one"] == ("1.9×", True)
    assert found["memory of a study, 1,000 to 5,000 prompts"] == ("7.1 % more", False)
    assert found["report of 100,000 rows"] == ("8 s", True)


def test_the_report_says_which_goals_were_missed(times: Times):
    written = report(times, PEAKS)
    assert "| cold / floor | ≤ 1.5× | 1.75× | NO |" in " ".join(written.split())
    assert "3767" in written
    assert "| 1.5 s" in written and "| 1.65 s" in written  # the fastest and the median round


def test_the_picture_is_svg_with_a_bar_for_each_time(times: Times):
    root = ElementTree.fromstring(picture(times))
    bars = root.findall("{http://www.w3.org/2000/svg}rect")[1:]
    assert len(bars) == len(BARS)
    widths = [float(bar.attrib["width"]) for bar in bars]
    assert max(widths) == widths[0]
