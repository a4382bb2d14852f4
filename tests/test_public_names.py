"""A public name disappears only with a line in CHANGELOG.md, and what is public is what the pages say."""

import re

import pytest
from places import ROOT
from public_names import LISTED, documented_names, missing_lines, public_names, unreleased

CHANGELOG = (ROOT / "CHANGELOG.md").read_text()


def test_no_name_disappears_without_a_line_in_the_changelog():
    listed, public = LISTED.read_text().splitlines(), public_names()
    lost = missing_lines(listed, public, unreleased(CHANGELOG))
    assert not lost, (
        f"these public names are gone: {', '.join(lost)}. Bring them back, or write a line for each under "
        "'### Removed' (or Changed) of CHANGELOG.md's Unreleased section, such as: "
        f"- `{lost[0]}` is removed; use ... instead."
    )
    new = [name for name in public if name not in listed]
    assert not new, f"these names are public now: {', '.join(new)}; run python tests/support/public_names.py"


def test_a_line_in_the_changelog_excuses_a_name():
    listed = ["holovid.load", "holovid.data.load_clips", "holovid train", "holovid.watch"]
    changes = "### Removed\n\n- `load_clips(path)` is `read`.\n- `holovid train` and `holovid.watch`\n"
    assert missing_lines(listed, ["holovid.watch"], changes) == ["holovid.load"]
    assert missing_lines(listed, listed, "") == []
    assert missing_lines(listed, [], "") == listed


def test_only_the_unreleased_section_counts():
    text = "# Changelog\n\n## [Unreleased]\n\n- `a`\n\n## [0.1.0] - 2026-12-01\n\n- `b`\n"
    assert unreleased(text) == "\n- `a`\n"
    assert unreleased(CHANGELOG).strip()


def test_names_of_the_page_are_looked_up():
    table = (
        "## Modules\n\n| `holovid.` | |\n|---|---|\n| `data`, `recipes` | `load_clips`, `recipes`: both |\n\n## More\n"
    )
    assert documented_names(table) == {
        "holovid.data", "holovid.recipes", "holovid.data.load_clips", "holovid.recipes.recipes",
    }  # fmt: skip
    with pytest.raises(ValueError, match="names load_no_clips, which holovid"):
        documented_names(table.replace("load_clips", "load_no_clips"))


def test_the_changelog_keeps_its_form():
    """https://keepachangelog.com: versions by date, newest first, and kinds of changes in a fixed set."""
    versions = re.findall(r"^## (.*)$", CHANGELOG, re.MULTILINE)
    assert versions[0] == "[Unreleased]"
    assert all(re.fullmatch(r"\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d", version) for version in versions[1:])
    kinds = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert set(re.findall(r"^### (.*)$", CHANGELOG, re.MULTILINE)) <= kinds
