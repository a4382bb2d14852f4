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


def test_every_folder_of_the_product_is_measured():
    measured = runpy.run_path(str(SCRIPT))["measure"]()
    assert {"configuration", "modeling", "processing", "src/holovid", "src/holovid/publishing"} < set(measured)
    *folders, everything = measured.values()
    assert everything == tuple(map(sum, zip(*folders, strict=True)))
    assert all(lines.code for name, lines in measured.items())
