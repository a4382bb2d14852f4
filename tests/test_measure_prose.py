"""The measure of prose (docs/scripts/measure_prose.py) on a file whose lines were counted by hand."""

import runpy
from pathlib import Path

SCRIPT = Path(__file__).parents[1] / "docs" / "scripts" / "measure_prose.py"

SOURCE = '''\
"""The file's docstring.

Two lines of it are filled.
"""

import math  # noqa: F401

# a comment


class Ring:
    """One line."""

    radius = 1.0  # in metres

    def area(self):
        """One line,
        and another one."""
        text = """a string,
not a docstring"""
        return text, "# no comment"
'''


def test_lines_are_counted_as_by_hand():
    count_lines = runpy.run_path(str(SCRIPT))["count_lines"]
    # docstrings: 3 filled lines of the file (text, text, closing quotes), 1 of the class, 2 of the method;
    # comments: 1 alone, 1 behind code; code: import, class, radius, def, two lines of a string, return
    assert count_lines(SOURCE) == (6, 2, 7)


def test_folders_are_measured_one_by_one_and_in_all():
    measure = runpy.run_path(str(SCRIPT))["measure"]
    measure.__globals__["PRODUCT"] = ("configuration", "src/holovid/metrics")
    *folders, everything = measure().items()
    assert [name for name, _ in folders] == ["configuration", "src/holovid/metrics"]
    assert everything == ("in all", tuple(map(sum, zip(*(lines for _, lines in folders), strict=True))))
    assert all(lines.code for _, lines in folders)
