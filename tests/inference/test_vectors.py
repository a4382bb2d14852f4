"""The nearest clips are found by a clip, by a row, and by time inside a film."""

import json
import shutil
import sys

import numpy as np
import pyarrow.parquet
import pytest
import tiny_ca2st
import torch
from clips import write_clip
from tiny_xvit import tiny
from typer.testing import CliRunner

from holovid import HolovidProcessor, HolovidVideoProcessor, load
from holovid.cli import app
from holovid.data import load_clips
from holovid.data.named_clips import NamedClip, named_clips
from holovid.evaluation.probing import labels_of_vectors
from holovid.inference import embed_clip, embed_clips, nearest_clips, read_vectors
from holovid.inference.vectors import MADE_BY, SAME_MODEL, Vectors

PLANE = np.array([[2.0, 0.0], [0.0, 3.0], [1.0, 1.0], [-1.0, 0.0], [0.0, 0.0]], dtype=np.float32)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A model, three clips, and a file of their vectors, the first row of which has none."""
    place = tmp_path_factory.mktemp("vectors")
    torch.manual_seed(0)
    tiny().save_pretrained(place / "model")
    HolovidVideoProcessor(size={"shortest_edge": 16}, crop_size=16, num_frames=6).save_pretrained(place / "model")
    (place / "clips").mkdir()
    (place / "clips" / "a.mp4").write_bytes(b"no video")
    for number, name in enumerate("bcd"):
        write_clip(place / "clips" / f"{name}.mp4", seed=number)
    clips = named_clips([place / "clips"])
    embed_clips(*load(place / "model"), clips, place / "vectors.parquet", on_broken="skip")
    return place


def search(*arguments):
    return CliRunner().invoke(app, ["search", *map(str, arguments)])


def test_nearest_by_angle():
    vectors = Vectors([NamedClip(name) for name in "abcde"], PLANE, np.array([0, 1, 3, 4, 5]), "model")
    found = nearest_clips(vectors, np.array([5.0, 0.0]), top_k=9)
    assert [each.clip.path for each in found] == ["a", "c", "b", "e", "d"]
    assert [each.row for each in found] == [0, 3, 1, 5, 4]
    assert [each.similarity for each in found] == pytest.approx([1.0, 0.5**0.5, 0.0, 0.0, -1.0])
    assert len(nearest_clips(vectors, np.array([5.0, 0.0]), top_k=2)) == 2
    assert vectors.of_row(3).tolist() == [1.0, 1.0]
    with pytest.raises(ValueError, match="row 2 has no vector"):
        vectors.of_row(2)
    with pytest.raises(ValueError, match=r"have 2 numbers each, but the query has shape \(3,\)"):
        nearest_clips(vectors, np.ones(3))
    with pytest.raises(ValueError, match="NaN or infinite"):
        nearest_clips(vectors, np.array([np.nan, 1.0]))
    with pytest.raises(ValueError, match="top_k must be"):
        nearest_clips(vectors, np.ones(2), top_k=0)


def test_faiss_finds_the_same():
    pytest.importorskip("faiss")
    random = np.random.default_rng(0)
    values = random.standard_normal((300, 12)).astype(np.float32)
    vectors = Vectors([NamedClip(str(number)) for number in range(300)], values, np.arange(300), "model")
    for query in random.standard_normal((5, 12)):
        by_numpy, by_faiss = (nearest_clips(vectors, query, top_k=7, numpy_up_to=limit) for limit in (300, 299))
        assert [each.row for each in by_faiss] == [each.row for each in by_numpy]
        assert [each.similarity for each in by_faiss] == pytest.approx([each.similarity for each in by_numpy])


def test_many_vectors_without_faiss(monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    vectors = Vectors([NamedClip(name) for name in "abcde"], PLANE, np.arange(5), "model")
    with pytest.raises(ImportError, match=r"searching 5 vectors needs faiss: pip install .holovid\[faiss\]"):
        nearest_clips(vectors, np.ones(2), numpy_up_to=4)


@pytest.mark.slow
def test_one_expert_is_searched(tmp_path):
    """By what it has pooled alone, of a row and of a clip."""
    model = tiny_ca2st.tiny(experts=tiny_ca2st.CAST)
    processor = HolovidProcessor.for_model(model.config)
    for part in (model, processor):
        part.save_pretrained(tmp_path / "model")
    for number, name in enumerate("ab"):
        write_clip(tmp_path / f"{name}.mp4", seed=number)
    clips = [tmp_path / f"{name}.mp4" for name in "ab"]
    embed_clips(*load(tmp_path / "model"), named_clips(clips), tmp_path / "v.parquet")
    one, other = read_vectors(tmp_path / "v.parquet", "time").values
    want = one @ other / np.linalg.norm(one) / np.linalg.norm(other)
    result = search(tmp_path / "v.parquet", "--row", 0, "--column", "time", "--json")
    assert json.loads(result.stdout)[0]["similarity"] == pytest.approx(want, abs=1e-5)
    result = search(tmp_path / "v.parquet", clips[0], "--column", "time", "--json")
    assert [each["similarity"] for each in json.loads(result.stdout)] == pytest.approx([1.0, want], abs=1e-5)


def test_a_clip_finds_itself_first(place):
    clip = place / "clips" / "c.mp4"
    result = search(place / "vectors.parquet", clip, "--top-k", 2, "--json")
    assert result.exit_code == 0, result.output
    first, second = json.loads(result.stdout)
    assert first == {"path": str(clip), "start": None, "end": None, "row": 2, "similarity": pytest.approx(1.0)}
    vectors = read_vectors(place / "vectors.parquet")
    known = {each.path: values for each, values in zip(vectors.clips, vectors.values, strict=True)}
    query = embed_clip(*load(place / "model"), str(clip))
    assert known[str(clip)] == pytest.approx(query, abs=1e-6)
    cosine = known[second["path"]] @ query / np.linalg.norm(known[second["path"]]) / np.linalg.norm(query)
    assert second["similarity"] == pytest.approx(cosine, abs=1e-5) and second["similarity"] < 1.0


def test_vectors_are_used_from_any_folder(place, tmp_path, monkeypatch):
    """Paths that were relative when they were made; the whole place may have been moved since."""
    shutil.copytree(place / "model", tmp_path / "old" / "model")
    shutil.copytree(place / "clips", tmp_path / "old" / "clips")
    monkeypatch.chdir(tmp_path / "old")
    arguments = ["embed", "model", "clips", "--on-broken", "skip", "--output", "made/vectors.parquet"]
    assert CliRunner().invoke(app, arguments).exit_code == 1
    here = read_vectors("made/vectors.parquet")
    assert here.model == "model" and here.clips[0].path == "clips/b.mp4"
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old").rename(tmp_path / "new")
    found = CliRunner().invoke(
        app, ["search", "new/made/vectors.parquet", "new/clips/c.mp4", "--json", "--top-k", "1"]
    )
    assert found.exit_code == 0, found.output
    assert json.loads(found.stdout)[0]["path"] == "new/clips/c.mp4"
    labels = tmp_path / "labels.csv"
    labels.write_text("path,label\n" + "".join(f"new/clips/{name}.mp4,{name}\n" for name in "bcd"))
    known = labels_of_vectors(read_vectors("new/made/vectors.parquet"), load_clips(labels))
    assert known == ["b", "c", "d"]
    (tmp_path / "new" / "made" / "vectors.parquet").rename(tmp_path / "alone.parquet")
    assert read_vectors("alone.parquet").model == "model"


def test_a_row_finds_the_others(place, monkeypatch):
    monkeypatch.setenv("COLUMNS", "400")  # paths of tests are long, and would be broken into lines
    result = search(place / "vectors.parquet", "--row", 1, "--json")
    assert {each["row"] for each in json.loads(result.stdout)} == {2, 3}
    result = search(place / "vectors.parquet", "--row", 1)
    assert "c.mp4" in result.stdout.replace("\n", "") and "similarity" in result.stdout
    result = search(place / "vectors.parquet", "--row", 0)
    assert result.exit_code == 2 and "row 0 has no vector" in result.output


def test_a_moment_of_a_film_is_found(place, tmp_path):
    """A window of a film, cut out of it as a clip of a table, is nearest to itself."""
    film = write_clip(tmp_path / "film.mp4", frames=48, seed=5)
    model, processor = load(place / "model")
    table = embed_clips(model, processor, [NamedClip(str(film))], tmp_path / "v.parquet", window=0.5)
    assert len(table) >= 3
    vectors = read_vectors(tmp_path / "v.parquet")
    part = vectors.clips[2]
    first, _ = nearest_clips(vectors, embed_clip(model, processor, part.video), top_k=2)
    assert first.clip == part and first.similarity == pytest.approx(1.0)


def test_a_model_of_the_same_width_is_not_the_one_that_made_the_vectors(place, tmp_path):
    torch.manual_seed(1)
    tiny().save_pretrained(tmp_path / "other")
    HolovidVideoProcessor(size={"shortest_edge": 16}, crop_size=16, num_frames=6).save_pretrained(tmp_path / "other")
    result = search(place / "vectors.parquet", place / "clips" / "b.mp4", "--model", tmp_path / "other")
    assert result.exit_code == 2
    assert f"made by other weights than {tmp_path}/other holds: run holovid embed again" in result.output

    shutil.copytree(place / "model", tmp_path / "renamed")
    arguments = (place / "vectors.parquet", place / "clips" / "b.mp4", "--model", tmp_path / "renamed")
    assert search(*arguments).exit_code == 0
    HolovidVideoProcessor(size={"shortest_edge": 16}, crop_size=16, num_frames=4).save_pretrained(tmp_path / "renamed")
    assert "made by other processor settings than" in search(*arguments).output

    file = tmp_path / "old.parquet"  # without fingerprints it can be of any model
    table = pyarrow.parquet.read_table(place / "vectors.parquet")
    told = json.loads(table.schema.metadata[MADE_BY])
    old = {name: value for name, value in told.items() if name not in SAME_MODEL}
    pyarrow.parquet.write_table(table.replace_schema_metadata({MADE_BY: json.dumps(old)}), file)
    assert search(file, place / "clips" / "b.mp4", "--model", tmp_path / "other").exit_code == 0


def test_another_model_and_other_files(place, tmp_path):
    torch.manual_seed(1)
    tiny(hidden_size=48, pooler_output_size=20).save_pretrained(tmp_path / "wide")
    HolovidVideoProcessor(size={"shortest_edge": 16}, crop_size=16, num_frames=6).save_pretrained(tmp_path / "wide")
    result = search(place / "vectors.parquet", place / "clips" / "b.mp4", "--model", tmp_path / "wide")
    assert result.exit_code == 2 and "was made by other weights" in " ".join(result.output.split())
    pyarrow.parquet.write_table(pyarrow.table({"path": ["a.mp4"]}), tmp_path / "paths.parquet")
    with pytest.raises(ValueError, match="holovid embed writes them"):
        read_vectors(tmp_path / "paths.parquet")
