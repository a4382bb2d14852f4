"""The notebooks of examples/notebooks run from their first cell to their last, and show what they say."""

import re

import nbformat
import pytest
from places import EXAMPLES

NOTEBOOKS = {path.stem: path for path in sorted((EXAMPLES / "notebooks").glob("*.ipynb"))}


def sources(notebook) -> list[str]:
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


@pytest.fixture
def run(tmp_path):
    """Run a notebook in an empty folder; returns the name of each cell of code -> what it shows."""

    def run(name: str) -> dict[str, str]:
        from nbclient import NotebookClient

        notebook = nbformat.read(NOTEBOOKS[name], as_version=4)
        place = {"metadata": {"path": str(tmp_path)}}
        NotebookClient(notebook, timeout=500, kernel_name="python3", resources=place).execute()
        return {cell.id: str(cell.outputs) for cell in notebook.cells if cell.cell_type == "code"}

    return run


def test_these_are_there():
    assert set(NOTEBOOKS) == {"explain_a_clip", "fine_tune", "timeline_of_a_film"}


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_they_are_kept_without_outputs(name):
    notebook = nbformat.read(NOTEBOOKS[name], as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        assert cell.cell_type == "markdown" or (cell.outputs, cell.execution_count) == ([], None), cell.id
    for source in sources(notebook):
        compile(re.sub(r"^%.*$", "", source, flags=re.MULTILINE), name, "exec")
        assert max(map(len, source.splitlines())) <= 119


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # those of the packages that talk to the kernel
def test_fine_tuning_with_audio(run, tmp_path):
    shown = run("fine_tune")
    assert "{'train': 96, 'validation': 32} ['disc-right-fall', 'disc-right-rise'," in shown["clips"]
    assert "'pixel_values_videos': (8, 3, 48, 48)" in shown["model"] and "'input_values': (96, 64)" in shown["model"]
    assert "<th>Top1</th>" in shown["training"] and "image/png" in shown["confusion"]
    heard, muted = map(float, re.search(r"'audio': ([0-9.]+), 'muted': ([0-9.]+)", shown["muted"]).groups())
    assert heard > 0.7 and muted < heard - 0.2, (heard, muted)
    assert re.search(r"'label': '(disc|triangle)-right-(fall|rise)'", shown["pipeline"])
    assert "<th>Top1</th>" in shown["recipe"] and "<th>Clips</th>" not in shown["recipe"]
    assert (tmp_path / "my-model" / "model.safetensors").is_file()


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_explaining_a_clip(run, tmp_path):
    shown = run("explain_a_clip")
    assert "because of seconds" in shown["explain"] and "method: intrinsic" in shown["explain"]
    assert "image/png" in shown["picture"] and (tmp_path / "why.mp4").is_file()
    assert "where (1, 8, 4, 4)" in shown["numbers"] and "heard" in shown["numbers"]
    hits, count = map(int, re.search(r"is right in (\d+) of (\d+) clips", shown["truth"]).groups())
    assert count == 16 and hits > count / 2


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_the_timeline_of_a_film(run, tmp_path):
    shown = run("timeline_of_a_film")
    assert re.search(r"\('left', 'right'\) \(3[0-9], 2\)", shown["scores"])
    assert len(re.findall(r" s  (left|right)  ", shown["segments"])) >= 2 and "image/png" in shown["files"]
    assert all((tmp_path / name).is_file() for name in ("film.srt", "film.csv", "labelled.mp4"))
    assert float(re.search(r"'map_at_0.5': ([0-9.]+)", shown["truth"])[1]) > 0.5
