"""The site of docs/: every page is in the navigation, and no link is broken."""

import subprocess
import sys
from collections.abc import Iterator

import pytest
import yaml
from places import ROOT

SITE = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
GENERATED = {"index.md", "api/holovid.md", "api/modules.md"}  # by docs/scripts/build_site.py


def pages_of(entries: list) -> Iterator[str]:
    for entry in entries:
        for target in entry.values():
            if isinstance(target, str):
                yield target
            else:
                yield from pages_of(target)


def test_every_page_is_in_the_navigation():
    listed = list(pages_of(SITE["nav"]))
    there = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    assert set(listed) == there | GENERATED
    assert len(listed) == len(set(listed))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_site_is_built(tmp_path):
    command = [sys.executable, str(ROOT / "docs" / "scripts" / "build_site.py"), "--output", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    first = (tmp_path / "index.html").read_text()
    assert 'href="training/"' in first and 'src="explanation.png"' in first
    assert (tmp_path / "explanation.png").is_file()
    names = (tmp_path / "api" / "holovid" / "index.html").read_text()
    assert "XViTForVideoClassification" in names and "from_image_model" in names
    assert "load_clips" in (tmp_path / "api" / "modules" / "index.html").read_text()
    assert (tmp_path / "examples" / "benchmark" / "RESULTS" / "index.html").is_file()
    assert (tmp_path / "examples" / "sweep.py").is_file()
