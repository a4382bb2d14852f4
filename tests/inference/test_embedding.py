"""Clips become vectors: what the base model makes of them, of every window of a film, and never twice."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
import tiny_ca2st
import tiny_time_sformer
import torch
from clips import write_clip
from sounding_clips import write_sounding_clip
from tiny_xvit import tiny
from transformers import AutoModel, AutoProcessor
from typer.testing import CliRunner

from holovid import HolovidProcessor, HolovidVideoProcessor, XViTModel, load
from holovid.cli import app
from holovid.data.named_clips import NamedClip, named_clips
from holovid.inference import embed_clip, embed_clips, read_vectors
from holovid.inference.going_on import unfinished_answers

SMALL = {"size": {"shortest_edge": 16}, "crop_size": 16, "num_frames": 6}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("embedding") / "model"
    torch.manual_seed(0)
    tiny(id2label={0: "left", 1: "right", 2: "up", 3: "down", 4: "still"}).save_pretrained(folder)
    HolovidVideoProcessor(**SMALL).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    for number, name in enumerate("abc"):
        write_clip(folder / f"{name}.mp4", seed=number)
    return folder


@pytest.fixture(scope="module")
def film(tmp_path_factory) -> Path:
    """Three seconds at 20 frames a second."""
    return write_sounding_clip(tmp_path_factory.mktemp("films") / "film.mkv", 60, size=(16, 16))


def embed(*arguments):
    return CliRunner().invoke(app, ["embed", *map(str, arguments)])


def vectors_of(table) -> np.ndarray:
    return np.array(table["vector"].to_pylist(), dtype=np.float32)


@torch.no_grad()
def test_a_vector_is_what_the_base_model_makes_of_a_clip(model, films, tmp_path):
    result = embed(model, films, films / "a.mp4", "--output", tmp_path / "new" / "v.parquet", "--batch-size", 2)
    assert result.exit_code == 0, result.output
    table = pyarrow.parquet.read_table(tmp_path / "new" / "v.parquet")
    names = [str(films / f"{name}.mp4") for name in "abca"]
    assert table["path"].to_pylist() == names and table["error"].null_count == table["start"].null_count == 4
    assert f"4 vectors of {table['vector'].type.list_size} numbers" in result.output
    processor = AutoProcessor.from_pretrained(model)
    base = AutoModel.from_pretrained(model)
    for name, vector in zip(names, vectors_of(table), strict=True):
        want = base(**processor(name, return_tensors="pt")).pooler_output[0]
        assert vector == pytest.approx(want.numpy(), abs=1e-5)
    told = json.loads(table.schema.metadata[b"holovid"])
    assert told["model"] == str(model) and told["window"] is told["stride"] is told["shard"] is None
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["v.parquet"]


def test_parts_of_files_and_several_views(model, films, tmp_path):
    network, _ = load(model)
    part = NamedClip(str(films / "a.mp4"), 0.2, 0.6)
    views = HolovidVideoProcessor(**SMALL, num_views=2, num_crops=1, sampling="dense")
    table = embed_clips(network, views, [part], tmp_path / "part.parquet")
    assert table.select(["start", "end"]).to_pylist() == [{"start": 0.2, "end": 0.6}]
    inputs = views(part.video, return_tensors="pt")["pixel_values_videos"][0]
    with torch.no_grad():
        want = network.clip_features(pixel_values_videos=inputs).mean(0)
    assert len(inputs) == 2 and vectors_of(table)[0] == pytest.approx(want.numpy(), abs=1e-5)


def test_a_window_has_the_vector_of_the_clip_that_it_is(model, film, tmp_path):
    arguments = [model, film, "--output", tmp_path / "v.parquet", "--window", 1, "--stride", 0.5, "--batch-size", 2]
    result = embed(*arguments)
    assert result.exit_code == 0, result.output
    table = pyarrow.parquet.read_table(tmp_path / "v.parquet")
    assert table["start"].to_pylist() == [0.0, 0.5, 1.0, 1.5, 2.0]
    assert table["end"].to_pylist() == pytest.approx([1.0, 1.5, 2.0, 2.5, 3.0])
    parts = [NamedClip(str(film), row["start"], row["end"]) for row in table.to_pylist()]
    alone = embed_clips(*load(model), parts, tmp_path / "alone.parquet")
    assert vectors_of(table) == pytest.approx(vectors_of(alone), abs=1e-5)


def test_a_run_that_was_stopped_goes_on(model, films, tmp_path, monkeypatch):
    """At the clip that it was stopped at: those before it are not computed again."""
    network, processor = load(model)
    clips, target = named_clips([films]), tmp_path / "v.parquet"
    whole = embed_clips(network, processor, clips, tmp_path / "whole.parquet")
    computed = []
    features = network.clip_features

    def stopped(**inputs):
        if len(computed) == 2:
            raise KeyboardInterrupt
        computed.append(inputs)
        return features(**inputs)

    monkeypatch.setattr(network, "clip_features", stopped)
    with pytest.raises(KeyboardInterrupt):
        embed_clips(network, processor, clips, target)
    assert not target.exists() and unfinished_answers(target).is_dir()
    with pytest.raises(ValueError, match=r"another run: window was None, now 0\.5"):
        embed_clips(network, processor, clips, target, window=0.5)
    monkeypatch.setattr(network, "clip_features", lambda **inputs: computed.append(inputs) or features(**inputs))
    told: list[int] = []
    table = embed_clips(network, processor, clips, target, advance=told.append)
    assert len(computed) == 3 and told[0] == 2 and sum(told) == 3
    assert vectors_of(table) == pytest.approx(vectors_of(whole), abs=1e-6)


@pytest.mark.parametrize("window", [[], ["--window", 0.25]], ids=["clips", "windows"])
def test_broken_clips_have_a_row(model, films, tmp_path, window):
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    arguments = [model, tmp_path / "broken.mp4", films / "a.mp4", "--output", tmp_path / "v.parquet", *window]
    result = embed(*arguments)
    assert result.exit_code == 2 and "broken.mp4" in result.output and not (tmp_path / "v.parquet").exists()
    result = embed(*arguments, "--on-broken", "skip")
    assert result.exit_code == 1 and "1 of 2 clips could not be read" in result.output
    first, *others = pyarrow.parquet.read_table(tmp_path / "v.parquet").to_pylist()
    assert first["vector"] is None and "broken.mp4" in first["error"]
    assert others and all(row["vector"] and row["error"] is None for row in others)


def test_nothing_is_written_of_broken_clips_alone(model, tmp_path):
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    result = embed(model, tmp_path / "broken.mp4", "--output", tmp_path / "v.parquet", "--on-broken", "skip")
    assert result.exit_code == 2 and "none of 1 clips could be read; the first" in result.output
    assert not (tmp_path / "v.parquet").exists()


@torch.no_grad()
def test_each_expert_has_a_column(film, films, tmp_path):
    """What it has pooled of a clip, by itself; together they are the vector."""
    model = tiny_ca2st.tiny(experts=tiny_ca2st.CA2ST)
    processor = HolovidProcessor.for_model(model.config)
    clips = named_clips([film, films / "a.mp4"])
    table = embed_clips(model, processor, clips, tmp_path / "v.parquet")
    assert table.schema.names == ["path", "start", "end", "vector", "space", "time", "audio", "error"]
    inputs = processor(str(film), return_tensors="pt")
    pooled = model.base_model(**inputs).pooler_output[0].numpy()
    for name, want in zip(("space", "time", "audio"), np.split(pooled, 3), strict=True):
        assert table[name][0].as_py() == pytest.approx(want, abs=1e-5)
        vectors = read_vectors(tmp_path / "v.parquet", name)
        assert vectors.column == name and vectors.values[0] == pytest.approx(want, abs=1e-5)
        assert embed_clip(model, processor, str(film), name) == pytest.approx(want, abs=1e-5)
    assert not any(table["audio"][1].as_py()), "a clip without sound has no feature of it"
    with pytest.raises(ValueError, match=r"no vectors 'sound'; .*audio"):
        read_vectors(tmp_path / "v.parquet", "sound")
    with pytest.raises(ValueError, match="have no column 'sound'; there are vector, space, time, audio"):
        embed_clip(model, processor, str(film), "sound")


@pytest.mark.parametrize("window", [[], ["--window", 0.5]], ids=["clips", "windows"])
def test_two_shards_are_one_run(model, films, tmp_path, window):
    arguments = [model, films, *window, "--output"]
    assert embed(*arguments, tmp_path / "whole.parquet").exit_code == 0
    for number in (2, 1):  # in any order, and whatever the files are called
        result = embed(*arguments, tmp_path / "parts" / f"{3 - number}.parquet", "--shard", f"{number}/2")
        assert result.exit_code == 0, result.output
        if number == 2:
            (tmp_path / "parts" / "1.parquet").rename(tmp_path / "parts" / "0.parquet")
            assert len(read_vectors(tmp_path / "parts").clips) < len(read_vectors(tmp_path / "whole.parquet").clips)
    whole, merged = (read_vectors(tmp_path / name) for name in ("whole.parquet", "parts"))
    assert merged.clips == whole.clips and merged.rows.tolist() == whole.rows.tolist()
    assert (merged.values == whole.values).all() and merged.model == whole.model


def test_shards_that_are_no_whole(model, films, tmp_path):
    network, processor = load(model)
    clips, parts = named_clips([films]), tmp_path / "parts"
    for number in (1, 3):
        embed_clips(network, processor, clips, parts / f"{number}.parquet", shard=(number, 3))
    with pytest.raises(ValueError, match=r"of 3 shards .* has 1, 3: each is needed once"):
        read_vectors(parts)
    embed_clips(network, processor, clips, parts / "2.parquet")
    with pytest.raises(ValueError, match="shards of different runs"):
        read_vectors(parts)
    torch.nn.init.normal_(network.xvit.embeddings.cls_token)
    embed_clips(network, processor, clips, parts / "2.parquet", shard=(2, 3))
    with pytest.raises(ValueError, match="vectors of different models"):
        read_vectors(parts)
    with pytest.raises(ValueError, match="3 clips cannot make 4 shards"):
        embed_clips(network, processor, clips, tmp_path / "v.parquet", shard=(1, 4))
    with pytest.raises(ValueError, match="there are no files of vectors"):
        read_vectors(films)


def test_models_of_transformers(films, tmp_path):
    model = tiny_time_sformer.tiny_of_transformers().eval()
    size = model.config.image_size
    processor = HolovidVideoProcessor(size={"shortest_edge": size}, crop_size=size, num_frames=model.config.num_frames)
    clips = named_clips([films])
    vectors = vectors_of(embed_clips(model, processor, clips, tmp_path / "v.parquet", batch_size=2))
    with torch.no_grad():
        inputs = processor([clip.path for clip in clips], return_tensors="pt")
        want = model.timesformer(inputs["pixel_values_videos"]).last_hidden_state.mean(1)
    assert vectors == pytest.approx(want.numpy(), abs=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--output", "v.csv"], "must end in .parquet, got v.csv"),
        (["--device", "gpu"], "there is no device 'gpu'"),
        (["--stride", 1], "pass window as well"),
        (["--window", 0], "window must be"),
        (["--window", 1, "--workers", 2], "leave out workers, or window"),
        (["--shard", "3/2"], "--shard must be i/n, from 1/n to n/n, got '3/2'"),
    ],
)
def test_slips(model, films, tmp_path, options, message):
    output = [] if "--output" in options else ["--output", tmp_path / "v.parquet"]
    result = embed(model, films, *options, *output)
    assert result.exit_code == 2 and message in " ".join(result.output.split())
    assert not list(tmp_path.iterdir())


def test_windows_of_parts_and_models_that_have_no_vectors(model, films, tmp_path):
    network, processor = load(model)
    part = NamedClip(str(films / "a.mp4"), 0.2, 0.6)
    with pytest.raises(ValueError, match=r"a\.mp4, 0\.2 to 0\.6 s is a part of one: leave out window"):
        embed_clips(network, processor, [part], tmp_path / "v.parquet", window=1.0)
    with pytest.raises(ValueError, match="in training mode"):
        embed_clips(network.train(), processor, [part], tmp_path / "v.parquet")
    without = XViTModel(network.config, add_pooling_layer=False).eval()
    with pytest.raises(ValueError, match="this XViTModel has no clip features"):
        embed_clips(without, processor, [part], tmp_path / "v.parquet")
    torch.nn.init.constant_(network.eval().xvit.embeddings.cls_token, float("nan"))
    with pytest.raises(ValueError, match="the model's vectors are not finite"):
        embed_clips(network, processor, [part], tmp_path / "other.parquet")
