"""ClipDataset: what a model takes of labelled clips, the same in every worker, and what becomes of broken ones."""

import logging
import os
import pickle
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from datasets import ClassLabel, Dataset
from real_clips import real_clips  # noqa: F401 (a fixture)
from sounding_clips import clicks, write_sounding_clip
from torch._utils import ExceptionWrapper
from torch.utils.data import DataLoader, SequentialSampler
from torchvision.transforms import v2
from transformers import default_data_collator

from holovid import HolovidProcessor, HolovidVideoProcessor
from holovid.data.dataset import BrokenClip, BrokenClipError, ClipDataset, EpochSampler, load_clips, seed_of

COUNT = 8


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Eight clips of two classes with sound; and with a third class, of which all clips are broken."""
    folder = tmp_path_factory.mktemp("clips")
    for index in range(COUNT):
        path = folder / "good" / "train" / "ab"[index % 2] / f"{index}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        sound = clicks(1 + 0.2 * index, (0.25, 0.5))
        write_sounding_clip(path, 24 + 4 * index, sound, size=(32, 32 + 16 * (index % 2)))
    bad = folder / "bad" / "train"
    for label in "ab":
        (bad / label).mkdir(parents=True)
        for path in (folder / "good" / "train" / label).iterdir():
            os.link(path, bad / label / path.name)
    (bad / "c").mkdir()
    for index in range(3):
        (bad / "c" / f"{index}.mp4").write_bytes(b"This is not a video.\n" * index)
    return folder


@pytest.fixture(scope="module")
def good(folder):
    return load_clips(folder / "good")["train"]


@pytest.fixture(scope="module")
def bad(folder):
    return load_clips(folder / "bad")["train"]


def processor(hears: bool = False, **options) -> HolovidProcessor:
    options = {"size": 32, "crop_size": 32, "num_frames": 4} | options
    audio_config = {"audio_frames": 98, "num_mel_bins": 16} if hears else None
    return HolovidProcessor(HolovidVideoProcessor(audio_config=audio_config, **options))


def assert_equal(one, other) -> None:
    assert one.keys() == other.keys()
    for name in one:
        assert one[name].dtype == other[name].dtype
        assert torch.equal(one[name], other[name]), name


class Brighten:
    """An augmentation that says what it was given: a random gain, and a mark in the spectrogram."""

    def __call__(self, frames):
        assert frames.dtype == torch.uint8 and frames.shape[:2] == (4, 3) and frames.shape[-1] in (32, 48)
        return v2.functional.resize(frames, [16, 16]).float() * torch.rand(())

    def spectrogram(self, values):
        return values + torch.rand(())


class Swap:
    """A mixing: the rows backwards, each with a number that was drawn for the batch."""

    def __call__(self, rows, generator):
        number = torch.rand((), generator=generator)
        return [row | {"mixed": number} for row in reversed(rows)]


@pytest.mark.parametrize("hears", [False, True])
@pytest.mark.parametrize("views", [{}, {"num_views": 2, "num_crops": 3}])
def test_a_row_is_what_the_processor_gives(good, hears, views):
    dataset = ClipDataset(good, processor(hears), **views)
    assert len(dataset) == COUNT and dataset.names == {"label": ["a", "b"]}
    for index in (0, 5):
        expected = processor(hears)(good[index]["video"]["path"], return_tensors="pt", **views)
        row = dataset[index]
        assert row["labels"].shape == () and row["labels"].dtype == torch.int64
        assert row.pop("labels") == good[index]["label"]
        assert_equal(row, {name: value[0] for name, value in expected.items()})
    assert row["pixel_values_videos"].shape == ((6, 4, 3, 32, 32) if views else (4, 3, 32, 32))
    alone = ClipDataset(good, processor(hears).video_processor, **views)
    assert_equal(alone[3], dataset[3])
    batch = default_data_collator([dataset[0], dataset[1]])
    assert batch["labels"].tolist() == [0, 0] and batch["pixel_values_videos"].shape[0] == 2


def test_targets(good):
    rows = good.rename_column("label", "verb")
    rows = rows.add_column("noun", [2, 0, 1, 0, 1, 2, 0, 1], feature=ClassLabel(names=["x", "y", "z"]))
    rows = rows.add_column("note", ["n"] * COUNT)
    dataset = ClipDataset(rows, processor(), target=("verb", "noun"))
    assert dataset.names == {"verb": ["a", "b"], "noun": ["x", "y", "z"]}
    assert {"verb_labels", "noun_labels"} < dataset[5].keys() and "labels" not in dataset[5]
    assert (dataset[5]["verb_labels"], dataset[5]["noun_labels"]) == (1, 2)
    assert ClipDataset(rows, processor(), target="noun")[5]["labels"] == 2
    with pytest.raises(ValueError, match="the clips have no column 'label'; there are note, noun, verb, video"):
        ClipDataset(rows, processor())
    with pytest.raises(ValueError, match=r"column 'note' does not hold classes; load_clips\(\.\.\., target='note'\)"):
        ClipDataset(rows, processor(), target="note")


def test_intervals_are_clips_of_their_own(good):
    video = good[7]["video"]
    table = {"video": [video] * 3, "start": [None, 0.5, 1.0], "end": [None, None, 1.5], "label": ["a", "b", "a"]}
    rows = load_clips(Dataset.from_dict(table))["train"]
    dataset = ClipDataset(rows, processor(hears=True))
    for index, (start, end) in enumerate(((None, None), (0.5, None), (1.0, 1.5))):
        expected = processor(hears=True)(video | {"start": start, "end": end}, return_tensors="pt")
        row = dataset[index]
        assert row.pop("labels") == index % 2
        assert_equal(row, {name: value[0] for name, value in expected.items()})
    path = video["path"]
    names = [path, f"{path} (0.5 s to its end)", f"{path} (1 s to 1.5 s)"]
    assert [dataset.path(index) for index in range(3)] == names


def test_augmentation_takes_frames_as_they_are_decoded(good):
    dataset = ClipDataset(good, processor(hears=True), augmentation=Brighten())
    row = dataset[0, 0]
    assert row["pixel_values_videos"].shape == (4, 3, 16, 16) and row["pixel_values_videos"].dtype == torch.float32
    plain = ClipDataset(good, processor(hears=True), do_random_sampling=True)[0, 0]
    assert_equal({"x": row["frame_times"]}, {"x": plain["frame_times"]})  # which frames is drawn first
    added = row["input_values"] - plain["input_values"]
    assert added.std() < 1e-6 and added.mean() > 0
    muted = ClipDataset(good, processor(hears=True), augmentation=Brighten(), load_audio_from_video=False)[0, 0]
    assert not muted["audio_mask"] and not muted["input_values"].any()


@pytest.mark.parametrize(
    "context", [pytest.param("fork", marks=pytest.mark.linux), pytest.param("spawn", marks=pytest.mark.slow)]
)
def test_randomness_depends_on_seed_epoch_and_clip_alone(good, context):
    def dataset(**options):
        return ClipDataset(good, processor(hears=True), augmentation=Brighten(), mixing=Swap(), **options)

    def epoch(workers, number, **options):
        sampler = EpochSampler(COUNT, seed=3)
        sampler.set_epoch(number)
        context_of = {"multiprocessing_context": context} if workers else {}
        return list(DataLoader(dataset(**options), 3, sampler=sampler, num_workers=workers, **context_of))

    expected = epoch(0, 1)
    torch.rand(100)
    for one, other in zip(expected, epoch(2, 1), strict=True):
        assert_equal(one, other)
    if context == "fork":
        assert len({float(batch["mixed"][0]) for batch in expected}) == 3, "each batch draws for itself"
        alone = {index: dataset()[1, index] for index in range(COUNT)}
        order = [index for _, index in EpochSampler(COUNT, seed=3).__iter__()]
        assert order != sorted(order)
        sampler = EpochSampler(COUNT, seed=3)
        sampler.set_epoch(1)
        first = [index for _, index in sampler][:3]
        for row, index in zip(reversed(expected[0]["pixel_values_videos"]), first, strict=True):
            assert torch.equal(row, alone[index]["pixel_values_videos"])
        for changed in (dataset(seed=1)[1, 0], dataset()[2, 0], dataset()[1, 2]):
            assert not torch.equal(changed["pixel_values_videos"], alone[0]["pixel_values_videos"])
        state = torch.get_rng_state()
        dataset().__getitems__([(0, 1), (0, 2)])
        assert torch.equal(state, torch.get_rng_state()), "torch's own generator goes on as if nothing had been"


def test_plain_indices_draw_from_torch(good):
    dataset = ClipDataset(good, processor(), augmentation=Brighten(), mixing=Swap())
    torch.manual_seed(1)
    first = [dataset[4], *dataset.__getitems__([1, 2])]
    second = [dataset[4], *dataset.__getitems__([1, 2])]
    torch.manual_seed(1)
    again = [dataset[4], *dataset.__getitems__([1, 2])]
    for one, two, three in zip(first, second, again, strict=True):
        assert_equal(one, three)
        assert not torch.equal(one["pixel_values_videos"], two["pixel_values_videos"])
    assert first[1]["mixed"] != second[1]["mixed"]


def test_the_order_of_an_epoch():
    sampler = EpochSampler(20, seed=1)
    orders = {}
    for epoch in (0, 1, 0):
        sampler.set_epoch(epoch)
        keys = list(sampler)
        assert {number for number, _ in keys} == {epoch} and sorted(index for _, index in keys) == list(range(20))
        assert orders.setdefault(epoch, keys) == keys
    assert [index for _, index in orders[0]] != [index for _, index in orders[1]]
    assert list(EpochSampler(20, seed=2)) != orders[0] and len(sampler) == 20
    assert list(EpochSampler(3, shuffle=False)) == [(0, 0), (0, 1), (0, 2)]
    assert len({seed_of(*numbers) for numbers in np.ndindex(10, 10, 10)}) == 1000
    assert seed_of(1, 0) != seed_of(1) and seed_of(0, 1) != seed_of(1, 0)


def paths(rows, label):
    return sorted(row["video"]["path"] for row in rows if rows.features["label"].names[row["label"]] == label)


def test_broken_clips_are_raised(bad):
    dataset = ClipDataset(bad, processor())
    with pytest.raises(BrokenClipError, match=r"c/1\.mp4' cannot be read as a video") as raised:
        dataset.read(9)
    assert raised.value.path == paths(bad, "c")[1] and "Invalid data" in raised.value.reason
    assert pickle.loads(pickle.dumps(raised.value)).path == raised.value.path
    with pytest.raises(BrokenClipError, match=r"c/2\.mp4"):
        dataset[4, 10]
    with pytest.raises(ValueError, match=r"c/0\.mp4"):
        list(DataLoader(dataset, 4))
    try:
        dataset.read(8)
    except BrokenClipError:
        wrapped = pickle.loads(pickle.dumps(ExceptionWrapper(where="in a worker")))  # how torch gets it out of there
    with pytest.raises(BrokenClipError, match=r"c/0\.mp4' cannot be read as a video") as raised:
        wrapped.reraise()
    assert raised.value.path is None
    assert dataset.broken() == []


def test_a_file_that_went_away(folder, tmp_path):
    os.link(folder / "good" / "train" / "a" / "0.mp4", tmp_path / "0.mp4")
    table = {"path": [str(tmp_path / "0.mp4")], "start": [0.5], "end": [9], "label": ["a"]}
    rows = load_clips(Dataset.from_dict(table))["train"]
    dataset = ClipDataset(rows, processor(num_frames=3, short_video="error", sampling="uniform"))
    assert dataset[0]["pixel_values_videos"].shape == (3, 3, 32, 32)
    with pytest.raises(BrokenClipError, match=r"0\.mp4 \(0\.5 s to 9 s\): the video has 14 frames and .* spans 32"):
        ClipDataset(rows, processor(num_frames=32, short_video="error")).read(0)
    (tmp_path / "0.mp4").unlink()
    with pytest.raises(BrokenClipError, match="there is no video at"):
        dataset.read(0)


@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.linux)])
def test_broken_clips_are_skipped_and_counted(bad, workers, caplog):
    dataset = ClipDataset(bad, processor(), on_broken="skip", mixing=Swap())
    context = {"multiprocessing_context": "fork"} if workers else {}
    loader = DataLoader(dataset, 6, sampler=SequentialSampler(bad), num_workers=workers, **context)
    for _ in range(2):
        assert [len(batch["labels"]) for batch in loader] == [6, 2]
    assert sorted(clip.path for clip in dataset.broken()) == paths(bad, "c")
    assert all(isinstance(clip, BrokenClip) and "video" in clip.reason for clip in dataset.broken())
    if not workers:
        said = [record for record in caplog.records if record.levelno == logging.WARNING]
        assert len(said) == 3 and all("a clip is left out: " in record.message for record in said), "each once"
    with pytest.raises(ValueError, match=r"none of the 2 clips of a batch can be read: .*c/1\.mp4"):
        dataset.__getitems__([8, (0, 9)])
    with pytest.raises(BrokenClipError, match=r"c/1\.mp4"):
        dataset[9]


@pytest.mark.parametrize("hears", [False, True])
@pytest.mark.parametrize("options", [{}, {"num_views": 2, "num_crops": 3}, {"augmentation": Brighten()}])
def test_broken_clips_are_masked(bad, hears, options):
    dataset = ClipDataset(bad, processor(hears, num_frames=4), on_broken="mask", **options)
    batches = list(DataLoader(dataset, 6))
    assert batches[1]["labels"].tolist() == [1, 1, -100, -100, -100]
    for name, value in batches[1].items():
        assert value.shape[1:] == batches[0][name].shape[1:] and value.dtype == batches[0][name].dtype
        assert name == "labels" or not value[2:].any()
    assert_equal({"x": dataset[10]["labels"]}, {"x": torch.tensor(-100)})


def test_broken_clips_are_masked_at_any_rate(bad):
    options = {"num_frames": 2, "fps": 5, "sampling": "dense", "short_video": "error"}
    dataset = ClipDataset(bad, processor(), on_broken="mask", **options)
    assert dataset[10]["labels"] == -100 and dataset[10]["pixel_values_videos"].shape[0] == 2


def test_a_report_that_is_kept(bad, tmp_path):
    report = tmp_path / "run" / "broken.jsonl"
    report.parent.mkdir()
    for _ in range(2):  # as a run and its continuation
        dataset = ClipDataset(bad, processor(), on_broken="skip", report=report)
        dataset.__getitems__([0, 8, 9])
        del dataset
    assert len(report.read_text().splitlines()) == 2
    broken = ClipDataset(bad, processor(), report=report).broken()
    assert [Path(clip.path).name for clip in broken] == ["0.mp4", "1.mp4"]


def test_nothing_stays_open_or_behind(bad):
    descriptors = Path("/proc/self/fd")
    if not descriptors.exists():
        pytest.skip("needs /proc")
    dataset = ClipDataset(bad, processor(hears=True), on_broken="skip")
    report = dataset._report
    before = len(os.listdir(descriptors))
    for _ in range(3):
        dataset.__getitems__(list(range(len(bad))))
    assert len(os.listdir(descriptors)) == before
    assert report.exists()
    del dataset
    assert not report.exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"on_broken": "drop"}, "on_broken must be 'raise', 'skip' or 'mask', got 'drop'"),
        ({"on_broken": "mask", "mixing": Swap()}, "gives clips without labels, which cannot be mixed; use 'skip'"),
    ],
)
def test_options_that_cannot_be(good, options, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        ClipDataset(good, processor(), **options)


@pytest.mark.slow
def test_real_clips(real_clips, tmp_path):  # noqa: F811
    """From a table beside films to what a model takes: the second half of one is what was filmed then."""
    lines = ["path,start,end,label", "bikes.mp4,5,,ride", "bikes.mp4,,5,ride", "bigbuckbunny.mp4,1,3,hop"]
    places = {path.parent for path in real_clips.values()}
    (tmp_path / "clips.csv").write_text("\n".join(lines))
    rows = load_clips(tmp_path / "clips.csv", root=places.pop())["train"]
    processor = HolovidProcessor(HolovidVideoProcessor(audio_config={"audio_frames": 198, "num_mel_bins": 64}))
    dataset = ClipDataset(rows, processor)
    whole = processor(str(real_clips["bikes.mp4"]), num_frames=250, return_tensors="pt")["pixel_values_videos"][0]
    batch = next(iter(DataLoader(dataset, 3, num_workers=2)))
    assert batch["pixel_values_videos"].shape == (3, 8, 3, 224, 224) and batch["labels"].tolist() == [1, 1, 0]
    indices = np.arange(8) * 125 // 8
    assert torch.equal(batch["pixel_values_videos"][0], whole[125 + indices])
    assert torch.equal(batch["pixel_values_videos"][1], whole[indices])
    assert batch["audio_mask"].tolist() == [False, False, True]
    np.testing.assert_allclose(batch["audio_span"][2], [0, 2], atol=0.03)
