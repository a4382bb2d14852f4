"""Late fusion: sums by hand, files that do not belong together, and the command line on predictions of real models."""

import json
import re

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
import torch
from clips import write_clip
from tiny_xvit import tiny
from typer.testing import CliRunner

from holovid import HolovidProcessor
from holovid.commands.app import app
from holovid.evaluation.fusion import fuse, weighted_file

CLASSES = ["cut", "take", "wash"]
FIRST = [[0.6, 0.3, 0.1], [0.2, 0.5, 0.3], [0.1, 0.1, 0.8]]
SECOND = [[0.1, 0.8, 0.1], [0.1, 0.2, 0.7], [0.3, 0.3, 0.4]]
RIGHT = ["take", "wash", "cut"]


def write(path, shares, right=RIGHT, clips=("a.mp4", "b.mp4", "c.mp4"), classes=CLASSES, broken=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = [None if why else np.log(row).tolist() for row, why in zip(shares, broken or [None] * 3, strict=True)]
    columns = {
        "path": pyarrow.array(clips), "start": pyarrow.array([1.0] * 3), "end": pyarrow.array([2.0] * 3),
        "broken": pyarrow.array(broken or [None] * 3, pyarrow.string()), "label": pyarrow.array(right),
        "scores": pyarrow.array(kept, pyarrow.list_(pyarrow.float32())),
    }  # fmt: skip
    about = json.dumps([{"name": "label", "kind": "future", "classes": list(classes)}])
    pyarrow.parquet.write_table(pyarrow.table(columns).replace_schema_metadata({"holovid_tasks": about}), path)
    return path


@pytest.fixture
def first(tmp_path):
    return write(tmp_path / "first" / "predictions.parquet", FIRST)


def test_the_sum_by_hand(first, tmp_path):
    second = write(  # the same clips in another order
        tmp_path / "second" / "predictions.parquet", SECOND[::-1], RIGHT[::-1], ("c.mp4", "b.mp4", "a.mp4")
    )
    results = fuse({first: 2.5, second: 0.5}, output=tmp_path / "fused")
    # 2.5 x first + 0.5 x second: a 1.55 1.15 .3, b .55 1.35 1.1, c .4 .4 2.2, so none is right
    assert results["metrics"]["top1"] == 0.0
    table = pyarrow.parquet.read_table(tmp_path / "fused" / "predictions.parquet")
    want = (2.5 * np.array(FIRST) + 0.5 * np.array(SECOND)) / 3
    np.testing.assert_allclose(np.exp(table["scores"].to_pylist()), want, rtol=1e-5)
    assert table["prediction_1"].to_pylist() == ["cut", "take", "wash"]
    assert results["protocol"]["fused"][0] == {"predictions": "first", "weight": 2.5}
    even = fuse({first: 1.0, second: 1.0})  # a .7 1.1 .2, b .3 .7 1.0, c .4 .4 1.2
    assert even["metrics"]["top1"] == pytest.approx(2 / 3)
    again = fuse({tmp_path / "fused" / "predictions.parquet": 1.0, second: 1.0})
    assert again["counts"] == {"clips": 3, "evaluated": 3, "broken": 0}


def test_one_clip_before_two_actions(first, tmp_path):
    """Actions that start together: their order tells them apart."""
    twice = ("a.mp4", "a.mp4", "c.mp4")
    files = [
        write(tmp_path / name / "predictions.parquet", shares, clips=twice)
        for name, shares in (("one", FIRST), ("other", SECOND))
    ]
    even = fuse(dict.fromkeys(files, 1.0))
    assert even["counts"]["evaluated"] == 3 and even["metrics"]["top1"] == pytest.approx(2 / 3)


def test_a_clip_that_one_could_not_read(first, tmp_path):
    second = write(tmp_path / "second.parquet", SECOND, broken=[None, "no frames", None])
    results = fuse({first: 1.0, second: 1.0})
    assert results["counts"] == {"clips": 3, "evaluated": 2, "broken": 1}
    assert results["broken"] == [{"clip": "b.mp4", "reason": "no frames"}]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"clips": ("a.mp4", "b.mp4", "d.mp4")}, "have different clips"),
        ({"right": ["take", "wash", "wash"]}, "have different labels, in 'label' of 1 clip (c.mp4)"),
        ({"classes": ["take", "cut", "wash"]}, "have different classes, or the same in another order"),
    ],
)
def test_files_that_do_not_belong_together(first, tmp_path, options, said):
    second = write(tmp_path / "second.parquet", SECOND, **options)
    with pytest.raises(ValueError, match=re.escape(said)):
        fuse({first: 1.0, second: 1.0})


def test_what_cannot_be_fused(first, tmp_path):
    with pytest.raises(ValueError, match="needs at least two files of predictions, got 1"):
        fuse({first: 1.0})
    with pytest.raises(ValueError, match="must be a number above 0, got -1"):
        fuse({first: 1.0, tmp_path / "b": -1})
    with pytest.raises(ValueError, match="there is no file of predictions"):
        fuse({first: 1.0, tmp_path / "b": 1.0})
    plain = tmp_path / "plain.parquet"
    pyarrow.parquet.write_table(pyarrow.table({"path": ["a.mp4"]}), plain)
    with pytest.raises(ValueError, match="--scores` writes them"):
        fuse({first: 1.0, plain: 1.0})
    with pytest.raises(ValueError, match="is not file:weight"):
        weighted_file("a.parquet:much")


@pytest.mark.slow
def test_the_command(tmp_path):
    for number in range(3):
        write_clip(tmp_path / f"{number}.mp4", seed=number)
    table = tmp_path / "clips.csv"
    table.write_text("path,label\n0.mp4,cut\n1.mp4,take\n2.mp4,wash\n")

    def holovid(*words):
        return CliRunner().invoke(app, ["evaluate", *map(str, words)])

    files, scores = [], []
    for seed in range(2):
        torch.manual_seed(seed)
        model = tiny(num_labels=3, id2label=dict(enumerate(CLASSES)))
        model.save_pretrained(tmp_path / f"model{seed}")
        HolovidProcessor.for_model(model.config).save_pretrained(tmp_path / f"model{seed}")
        done = holovid(tmp_path / f"model{seed}", table, "--scores", "--csv", "--output", tmp_path / f"results{seed}")
        assert done.exit_code == 0, done.output
        files.append(tmp_path / f"results{seed}" / "predictions.parquet")
        scores.append(np.exp(pyarrow.parquet.read_table(files[-1])["scores"].to_pylist()))
        np.testing.assert_allclose(scores[-1].sum(axis=1), 1, rtol=1e-5)
    done = holovid("--fuse", f"{files[0]}:2.5", f"{files[1]}:0.5", "--json")
    assert done.exit_code == 0, done.output
    want = ((2.5 * scores[0] + 0.5 * scores[1]).argmax(axis=1) == [0, 1, 2]).mean()
    assert json.loads(done.stdout)["metrics"]["top1"] == pytest.approx(want)
    assert "top1" in holovid("--fuse", *files, "--output", tmp_path / "fused").output
    assert (tmp_path / "fused" / "results.json").is_file()
    refused = holovid("--fuse", tmp_path / "model0", files[0])
    assert refused.exit_code == 2 and "in place of MODEL and DATA" in refused.stderr
    refused = holovid("--fuse", *files, "--views", 2)
    assert refused.exit_code == 2 and "the only other options are --output, --csv and --json" in refused.stderr
