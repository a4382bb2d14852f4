"""examples/notebooks/fine_tune.ipynb runs from its first cell to its last, and shows what it says."""

import re

import nbformat
import pytest
from places import EXAMPLES, ROOT

NOTEBOOK = EXAMPLES / "notebooks" / "fine_tune.ipynb"


@pytest.fixture
def notebook():
    return nbformat.read(NOTEBOOK, as_version=4)


def sources(notebook) -> list[str]:
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def test_it_is_kept_without_outputs(notebook):
    nbformat.validate(notebook)
    for cell in notebook.cells:
        assert cell.cell_type == "markdown" or (cell.outputs, cell.execution_count) == ([], None), cell.id


def test_it_is_the_script_of_the_training_page(notebook):
    """But for what a notebook shows by itself; the page's imports come first, the notebook's where they are needed."""
    page = (ROOT / "docs" / "training.md").read_text().partition("With transformers' own Trainer")[2]
    (script,) = re.findall(r"^```python\n(.*?)^```", page.partition("## LoRA")[0], re.DOTALL | re.MULTILINE)
    theirs = {line.strip() for source in sources(notebook) for line in source.splitlines()}
    only_there = {line.strip() for line in script.splitlines()} - theirs
    of_a_page = re.compile(r"(from|import|print|#) ?.*|clips = load_clips.*|logging_strategy.*|draw_confusion.*|")
    assert not [line for line in only_there if not of_a_page.fullmatch(line)]


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # those of the packages that talk to the kernel
def test_it_runs(notebook, tmp_path):
    from nbclient import NotebookClient

    place = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(notebook, timeout=500, kernel_name="python3", resources=place).execute()
    shown = [str(cell.outputs) for cell in notebook.cells if cell.cell_type == "code"]
    clips, row, training, confusion, answer, recipe = shown
    assert "{'train': 64, 'validation': 16} ['left', 'right']" in clips
    assert "(8, 3, 48, 48)" in row and "<th>Top1</th>" in training and "image/png" in confusion
    assert re.search(r"'label': '(left|right)'", answer)
    assert "<th>Top1</th>" in recipe and "<th>Clips</th>" not in recipe and "<th>Left Out</th>" not in recipe
    assert (tmp_path / "stock" / "model.safetensors").is_file()
