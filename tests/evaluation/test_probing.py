"""Simple classifiers of vectors: they find what is in them, no more, and never see a film that they answer."""

import json
import sys

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from typer.testing import CliRunner

from holovid.cli import app
from holovid.data.named_clips import NamedClip
from holovid.data.tables import load_clips
from holovid.evaluation.probing import probe_vectors
from holovid.inference.vectors import MADE_BY, Vectors

FILES = 20


def table(tmp_path, labels, name="labels.csv"):
    path = tmp_path / name
    path.write_text("path,label\n" + "".join(f"{number}.mp4,{label}\n" for number, label in enumerate(labels)))
    return path


def vectors_of(tmp_path, values, clips=None):
    clips = clips or [NamedClip(str(tmp_path / f"{number}.mp4")) for number in range(len(values))]
    return Vectors(clips, values.astype(np.float32), np.arange(len(values)), "model")


def labels_in(path):
    return load_clips(path, missing="ignore")


def two_sides(generator, count=FILES):
    """Vectors of two classes by turns, that lie on two sides of a plane."""
    sides = np.where(np.arange(count) % 2, 3.0, -3.0)[:, None]
    return generator.normal(size=(count, 4)) + sides


def test_what_is_in_vectors_is_found(tmp_path):
    labels = labels_in(table(tmp_path, ["left", "right"] * (FILES // 2)))
    found = probe_vectors(vectors_of(tmp_path, two_sides(np.random.default_rng(0))), labels)
    assert found.accuracies == {name: (1.0,) * 5 for name in ("nearest neighbours", "logistic regression")}
    assert (found.clips, found.unlabelled, found.classes, found.most_frequent) == (20, 0, ("left", "right"), 0.5)


def test_what_is_not_in_vectors_is_not_found(tmp_path):
    labels = labels_in(table(tmp_path, ["left", "right"] * 100))
    found = probe_vectors(vectors_of(tmp_path, np.random.default_rng(0).normal(size=(200, 4))), labels)
    for folds in found.accuracies.values():
        assert 0.35 < np.mean(folds) < 0.65


def test_a_film_is_never_on_both_sides(tmp_path):
    """Windows of a film are alike and tell nothing of its label: who had seen others of them would know it."""
    generator = np.random.default_rng(0)
    values = np.repeat(generator.normal(size=(FILES, 8)), 10, axis=0) + 0.01 * generator.normal(size=(FILES * 10, 8))
    clips = [
        NamedClip(str(tmp_path / f"{film}.mp4"), float(second), second + 1.0)
        for film in range(FILES)
        for second in range(10)
    ]
    labels = labels_in(table(tmp_path, ["left", "right"] * (FILES // 2)))
    apart = probe_vectors(vectors_of(tmp_path, values, clips), labels)
    assert apart.clips == 200 and np.mean(apart.accuracies["nearest neighbours"]) < 0.8
    as_files = [NamedClip(str(tmp_path / f"{number}.mp4")) for number in range(200)]
    known = labels_in(table(tmp_path, np.repeat(["left", "right"] * (FILES // 2), 10), "all.csv"))
    mixed = probe_vectors(vectors_of(tmp_path, values, as_files), known)
    assert np.mean(mixed.accuracies["nearest neighbours"]) == 1.0


def test_labels_of_seconds_come_before_those_of_the_film(tmp_path):
    """And what has no label is left out."""
    rows = [f"{film}.mp4,,,whole" for film in range(4)] + [f"{film}.mp4,1,2,second" for film in range(4)]
    (tmp_path / "labels.csv").write_text("\n".join(["path,start,end,label", *rows]))
    clips = [NamedClip(str(tmp_path / f"{film}.mp4"), s, s + 1.0) for film in range(5) for s in (0.0, 1.0)]
    values = np.array([[1.0, 0.0], [0.0, 1.0]] * 5)
    found = probe_vectors(
        vectors_of(tmp_path, values, clips), labels_in(tmp_path / "labels.csv"), folds=2, neighbours=1
    )
    assert (found.clips, found.unlabelled) == (8, 2) and found.classes == ("second", "whole")
    assert set(found.accuracies.values()) == {(1.0, 1.0)}


def test_the_command(tmp_path):
    values = two_sides(np.random.default_rng(0)).astype(np.float32)
    columns = {
        "path": [str(tmp_path / f"{number}.mp4") for number in range(FILES)],
        "start": pyarrow.nulls(FILES, pyarrow.float64()),
        "end": pyarrow.nulls(FILES, pyarrow.float64()),
        "vector": pyarrow.array(list(values), pyarrow.list_(pyarrow.float32(), 4)),
    }
    made_by = {MADE_BY: json.dumps({"model": "model"})}
    pyarrow.parquet.write_table(pyarrow.table(columns, metadata=made_by), tmp_path / "vectors.parquet")
    arguments = ["probe", str(tmp_path / "vectors.parquet"), str(table(tmp_path, ["left", "right"] * 9))]
    result = CliRunner().invoke(app, [*arguments, "--folds", "3", "--json"])
    assert result.exit_code == 0, result.output
    record = json.loads(result.stdout)
    assert record["accuracies"]["logistic regression"] == [1.0] * 3 and record["unlabelled"] == 2
    result = CliRunner().invoke(app, arguments)
    printed = " ".join(result.stdout.split())
    assert "100.0" in printed and "18 vectors of 2 classes; 2 without a label were left out" in printed


def test_bad_input_is_refused_in_a_sentence(tmp_path, monkeypatch):
    vectors = vectors_of(tmp_path, two_sides(np.random.default_rng(0)))
    labels = labels_in(table(tmp_path, ["left", "right"] * (FILES // 2)))
    for wrong, message in (
        ({"folds": 11}, "11 folds need as many files of each class, but 'left' has 10: use fewer folds"),
        ({"neighbours": 17}, "17 neighbours are too many: a fold has 16 vectors"),
        ({"folds": 1}, "folds must be"),
    ):
        with pytest.raises(ValueError, match=message):
            probe_vectors(vectors, labels, **wrong)
    with pytest.raises(ValueError, match="there is only one class, 'left'"):
        probe_vectors(vectors, labels_in(table(tmp_path, ["left"] * FILES, "one.csv")))
    with pytest.raises(ValueError, match="the paths of vectors and labels must be the same files"):
        probe_vectors(vectors_of(tmp_path / "other", vectors.values), labels)
    (tmp_path / "two.csv").write_text("path,label\n0.mp4,left\n0.mp4,right\n")
    with pytest.raises(ValueError, match=r"0\.mp4 has two labels, 'left' and 'right'"):
        probe_vectors(vectors, labels_in(tmp_path / "two.csv"))
    monkeypatch.setitem(sys.modules, "sklearn.neighbors", None)
    with pytest.raises(ImportError, match=r"needs scikit-learn: pip install .holovid\[quality\]"):
        probe_vectors(vectors, labels)
