"""Columns of answers: several classes a clip, and numbers; as people write them, and what is refused."""

import math

import datasets
import pytest
import torch
from clips import write_clip
from datasets import ClassLabel, Dataset, Features, List, Value, Video

from holovid import HolovidVideoProcessor, XViTConfig
from holovid.data import ClipDataset, load_clips
from holovid.data.mixing import ClipMixing

SEVERAL, NUMBER = "multi_label_classification", "regression"


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return write_clip(tmp_path_factory.mktemp("clips") / "clip.mp4")


def table(folder, clip, *cells, name="train"):
    path = folder / f"{name}.csv"
    path.write_text("path,tags\n" + "".join(f"{clip},{cell}\n" for cell in cells))
    return path


def read(source, problem_type=None, **options):
    return load_clips(source, target="tags", problem_type=problem_type, **options)["train"]


def parquet(folder, clip, cells, feature):
    features = Features({"path": Value("string"), "tags": feature})
    path = folder / "clips.parquet"
    Dataset.from_dict({"path": [str(clip)] * len(cells), "tags": cells}, features=features).to_parquet(path)
    return path


def processor():
    return HolovidVideoProcessor(num_frames=2, size={"shortest_edge": 16}, crop_size=16)


def test_several_classes_in_a_cell(tmp_path, clip):
    rows = read(table(tmp_path, clip, "run|jump", "walk", "", " jump | walk "), SEVERAL)
    assert rows.features["tags"] == List(ClassLabel(names=["jump", "run", "walk"]))
    assert rows["tags"][:] == [[1, 0], [2], [], [0, 2]]


def test_several_classes_are_multi_hot_for_the_model(tmp_path, clip):
    rows = read(table(tmp_path, clip, "run|jump", "walk", ""), SEVERAL)
    dataset = ClipDataset(rows, processor(), target="tags")
    labels = [dataset[row]["labels"] for row in range(3)]
    assert torch.stack(labels).tolist() == [[1, 1, 0], [0, 0, 1], [0, 0, 0]] and labels[0].dtype == torch.float32
    assert dataset.names == {"tags": ["jump", "run", "walk"]} and dataset.kinds == {"tags": "multi_label"}


def test_without_being_told_a_bar_is_part_of_a_name(tmp_path, clip):
    assert read(table(tmp_path, clip, "run|jump", "walk")).features["tags"].names == ["run|jump", "walk"]


@pytest.mark.parametrize(
    ("cells", "feature", "names", "want"),
    [
        ([["run"], ["jump", "run"], []], List(Value("string")), ["jump", "run"], [[1], [0, 1], []]),
        ([[2], [0, 2], []], List(Value("int64")), ["0", "1", "2"], [[2], [0, 2], []]),
        ([[1], [0, 1], []], List(ClassLabel(names=["b", "a"])), ["b", "a"], [[1], [0, 1], []]),
        ([[1], [0, 1], []], datasets.Sequence(ClassLabel(names=["b", "a"])), ["b", "a"], [[1], [0, 1], []]),
    ],
)
def test_lists_are_several_classes(tmp_path, clip, cells, feature, names, want):
    rows = read(parquet(tmp_path, clip, cells, feature))
    assert rows.features["tags"].feature.names == names and rows["tags"][:] == want


def test_names_of_a_model_order_the_classes(tmp_path, clip):
    rows = read(table(tmp_path, clip, "run|jump"), SEVERAL, names={"tags": ["run", "walk", "jump"]})
    assert rows["tags"][:] == [[0, 2]]


def test_validation_has_the_classes_of_training(tmp_path, clip):
    sources = {
        "train": table(tmp_path, clip, "run|jump", "walk"),
        "validation": table(tmp_path, clip, "walk|run", name="val"),
    }
    clips = load_clips(sources, target="tags", problem_type=SEVERAL)
    assert clips["validation"]["tags"][:] == [[2, 1]]
    sources["validation"] = table(tmp_path, clip, "walk|swim", name="val")
    with pytest.raises(ValueError, match=r"validation has 1 class \(swim\) of 'tags' that training does not have"):
        load_clips(sources, target="tags", problem_type=SEVERAL)


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (["run|run"], r"train has 1 row \(row 0: \['run', 'run'\]\) in 'tags' with a class twice"),
        (["run||walk"], r"train has 1 row \(row 0: .*\) in 'tags': classes must be names or whole numbers"),
        (["", ""], "no clip has a class in the column 'tags'"),
    ],
)
def test_cells_that_are_no_classes(tmp_path, clip, cells, message):
    with pytest.raises(ValueError, match=message):
        read(table(tmp_path, clip, *cells), SEVERAL)


@pytest.mark.parametrize(
    ("cells", "feature", "message"),
    [
        ([[1, 0, 1]], List(Value("int64")), "not a 0 or 1 for every class"),
        ([[0.5]], List(Value("float64")), "names or whole numbers, in a list"),
        ([[True, False]], List(Value("bool")), "names or whole numbers, in a list"),
        ([["a"], None], List(Value("string")), r"1 row \(row 1\) without a 'tags'; for no classes use an empty list"),
    ],
)
def test_lists_that_are_no_classes(tmp_path, clip, cells, feature, message):
    with pytest.raises(ValueError, match=message):
        read(parquet(tmp_path, clip, cells, feature))


def test_numbers(tmp_path, clip):
    rows = read(table(tmp_path, clip, "1", " -2.5", "3e-1"), NUMBER)
    assert rows.features["tags"] == Value("float64") and rows["tags"][:] == [1.0, -2.5, 0.3]
    dataset = ClipDataset(rows, processor(), target="tags")
    assert dataset[1]["labels"].shape == () and dataset[1]["labels"] == -2.5
    assert (dataset.names, dataset.kinds) == ({"tags": []}, {"tags": "score"})
    rows = read(parquet(tmp_path, clip, [1.5, 2.0], Value("float32")), NUMBER)
    assert rows["tags"][:] == [1.5, 2.0]


@pytest.mark.parametrize("cell", ["good", "", "nan", "inf", "1_0", "0x1"])
def test_what_is_no_number(tmp_path, clip, cell):
    with pytest.raises(ValueError, match=r"train has 1 row \(row 1: .*\) in 'tags' that are not numbers"):
        read(table(tmp_path, clip, "1", cell), NUMBER)


def test_kinds_that_do_not_fit(tmp_path, clip):
    lists = parquet(tmp_path, clip, [["a"], ["b"]], List(Value("string")))
    for problem_type in ("single_label_classification", NUMBER):
        with pytest.raises(ValueError, match="column 'tags' holds lists, that is, several classes a clip"):
            read(lists, problem_type)
    path = table(tmp_path, clip, "a", "b")
    with pytest.raises(ValueError, match="problem_type must be one of single_label_classification, multi_label"):
        read(path, "multilabel")
    with pytest.raises(ValueError, match="names are for classes, but 'tags' is a number"):
        read(path, NUMBER, names={"tags": ["a"]})
    with pytest.raises(ValueError, match="regression takes one target; several targets have one class each"):
        load_clips(path, target=["tags", "path"], problem_type=NUMBER)
    video = Features({"video": Video(decode=False), "tags": ClassLabel(names=["a"])})
    rows = Dataset.from_dict({"video": [{"path": str(clip), "bytes": None}], "tags": [0]}, features=video)
    with pytest.raises(ValueError, match="column 'tags' of train holds classes, but numbers are needed"):
        read(rows, NUMBER)
    with pytest.raises(ValueError, match="column 'tags' of train holds one class a clip, but lists of classes"):
        read(rows, SEVERAL)
    floats = parquet(tmp_path, clip, [1.0, 2.0], Value("float64"))
    with pytest.raises(ValueError, match=r"got float; to predict numbers pass problem_type="):
        read(floats)


def test_a_model_of_another_kind_is_refused(tmp_path, clip):
    rows = read(table(tmp_path, clip, "a|b", "b"), SEVERAL)
    names = {0: "a", 1: "b"}
    ClipDataset(rows, processor(), target="tags", model=XViTConfig(id2label=names, problem_type=SEVERAL))
    with pytest.raises(
        ValueError, match="lists of classes in 'tags', but the model takes numbers: its problem_type is"
    ):
        ClipDataset(rows, processor(), target="tags", model=XViTConfig(id2label={0: "x"}, problem_type=NUMBER))
    with pytest.raises(ValueError, match="class 0 of 'tags' is 'a' in the data and 'b' in the model"):
        ClipDataset(
            rows, processor(), target="tags", model=XViTConfig(id2label={0: "b", 1: "a"}, problem_type=SEVERAL)
        )


def test_a_clip_that_cannot_be_read_has_no_answer(tmp_path, clip):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video" * 20)
    several = ClipDataset(read(table(tmp_path, broken, "a|b"), SEVERAL), processor(), target="tags", on_broken="mask")
    assert several[0, 0]["labels"].tolist() == [-100, -100]
    number = ClipDataset(read(table(tmp_path, broken, "1"), NUMBER), processor(), target="tags", on_broken="mask")
    assert math.isnan(number[0, 0]["labels"])


def mixed(labels, kind, count, **options):
    rows = [{"pixel_values_videos": torch.full((1, 1, 2, 2), float(row)), "labels": label} for row, label in labels]
    mixing = ClipMixing({"labels": count}, kinds={"labels": kind}, **options)
    return mixing(rows, torch.Generator().manual_seed(0))


def test_several_classes_are_smoothed_and_mixed():
    labels = [(0, torch.tensor([1.0, 0.0, 1.0])), (1, torch.tensor([0.0, 0.0, 1.0]))]
    smooth = mixed(labels, "multi_label", 3, label_smoothing=0.1)
    torch.testing.assert_close(smooth[0]["labels"], torch.tensor([0.95, 0.05, 0.95]))
    one, other = mixed(labels, "multi_label", 3, mixup_alpha=1.0)
    share = 1 - float(one["pixel_values_videos"][0, 0, 0, 0])
    torch.testing.assert_close(one["labels"], torch.tensor([share, 0.0, 1.0]))
    torch.testing.assert_close(other["labels"], torch.tensor([1 - share, 0.0, 1.0]))
    with pytest.raises(ValueError, match="labels to mix must be a 0 or 1 for each of 2 classes"):
        mixed(labels, "multi_label", 2)


def test_numbers_are_mixed_and_not_smoothed():
    labels = [(0, torch.tensor(3.0)), (1, torch.tensor(5.0))]
    assert mixed(labels, "score", 1, label_smoothing=0.5)[0]["labels"] == 3.0
    one, _ = mixed(labels, "score", 1, mixup_alpha=1.0)
    share = 1 - float(one["pixel_values_videos"][0, 0, 0, 0])
    torch.testing.assert_close(one["labels"], torch.tensor(3 * share + 5 * (1 - share)))
    with pytest.raises(ValueError, match="labels to mix must be a number, got nan"):
        mixed([(0, torch.tensor(math.nan))], "score", 1)
