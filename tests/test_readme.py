"""What the README claims is what the code says."""

from __future__ import annotations

import re
from pathlib import Path

from visit.models.architectures import families

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def test_the_table_of_families_is_the_registrys():
    section = README.split("## Which models")[1].split("\n## ")[0]
    rows = dict(re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", section, re.MULTILINE))
    del rows["family"]
    assert rows == families()
