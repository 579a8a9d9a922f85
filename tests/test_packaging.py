"""The package as it is installed, far from its repository's folder."""

import subprocess
import sys
from pathlib import Path

ASKED = """
import visit.cli.entry
from visit.web.exports.bundled import find_assets_folder
assert (find_assets_folder() / "graph.js").is_file()
"""


def test_the_installed_package_is_found_from_any_folder_with_its_scripts(tmp_path: Path):
    # Isolated: neither the current folder nor PYTHONPATH may lend what the installation lacks.
    run = [sys.executable, "-I", "-c", ASKED]
    ended = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
