"""On a map, vectors that are near lie together, and every one is drawn in the colour of its class."""

import json

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from PIL import Image
from typer.testing import CliRunner

from holovid.cli import app
from holovid.data.named_clips import NamedClip
from holovid.inference import draw_map
from holovid.inference.vector_map import places_on_a_map
from holovid.inference.vectors import MADE_BY, Vectors


@pytest.fixture
def groups():
    """Three directions with thirty vectors each, of any length."""
    random = np.random.default_rng(0)
    directions = np.repeat(np.linalg.qr(random.standard_normal((64, 3)))[0].T, 30, axis=0)
    values = (directions + 0.02 * random.standard_normal(directions.shape)) * random.uniform(0.1, 9.0, (90, 1))
    return Vectors([NamedClip(str(row)) for row in range(90)], values.astype(np.float32), np.arange(90), "model")


@pytest.mark.slow
def test_what_is_near_lies_together(groups):
    places = places_on_a_map(groups.values, seed=3)
    assert places.shape == (90, 2) and (places == places_on_a_map(groups.values, seed=3)).all()
    distances = np.linalg.norm(places[:, None] - places[None], axis=-1)
    np.fill_diagonal(distances, np.inf)
    assert (distances.argmin(axis=1) // 30 == np.arange(90) // 30).all()


def test_dots_and_legend(groups):
    labels = [["$run", "_walk", None][row // 30] for row in range(90)]
    figure = draw_map(groups, labels, title="time")
    (axes,) = figure.axes
    assert [len(dots.get_offsets()) for dots in axes.collections] == [30, 30, 30]
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["without a label (30)", r"\$run (30)", "_walk (30)"]
    assert axes.get_title(loc="left") == "time, 90 vectors"
    figure = draw_map(groups, [f"class {row % 25:02}" for row in range(90)], most=80)
    (axes,) = figure.axes
    assert sum(len(dots.get_offsets()) for dots in axes.collections) == 80 and len(axes.collections) == 21
    assert figure.legends[0].get_texts()[0].get_text().startswith("others")
    assert axes.get_title(loc="left") == "80 of 90 vectors"
    assert not draw_map(groups).legends


@pytest.mark.slow
def test_the_command(groups, tmp_path):
    table = pyarrow.table({
        "path": [str(tmp_path / f"{row}.mp4") for row in range(90)],
        "start": pyarrow.nulls(90), "end": pyarrow.nulls(90),
        "vector": pyarrow.array(groups.values.tolist(), pyarrow.list_(pyarrow.float32(), 64)),
    })  # fmt: skip
    vectors, labels = tmp_path / "vectors.parquet", tmp_path / "labels.csv"
    pyarrow.parquet.write_table(table.replace_schema_metadata({MADE_BY: json.dumps({"model": "model"})}), vectors)
    labels.write_text("path,label\n" + "".join(f"{row}.mp4,{'abc'[row // 30]}\n" for row in range(90)))
    arguments = ["map", str(vectors), "--labels", str(labels)]
    result = CliRunner().invoke(app, [*arguments, "--output", str(tmp_path / "new" / "map.png")])
    assert result.exit_code == 0, result.output
    with Image.open(tmp_path / "new" / "map.png") as picture:
        assert picture.size == (1092, 806)
    result = CliRunner().invoke(app, [*arguments, "--output", str(tmp_path / "map.txt")])
    assert result.exit_code == 2 and ".png, .jpg, .svg or .pdf" in " ".join(result.output.split())


def test_slips(groups):
    few = Vectors(groups.clips[:3], groups.values[:3], groups.rows[:3], "model")
    with pytest.raises(ValueError, match="needs at least 4 vectors, but there are 3"):
        draw_map(few)
    with pytest.raises(ValueError, match="labels must be as many as the 90 vectors, got 2"):
        draw_map(groups, ["run", "walk"])
