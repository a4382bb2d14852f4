"""Names of classes mean one thing, in configurations, tables of clips and what is trained on them, or are refused."""

import csv

import numpy as np
import pytest
import tiny_ca2st
import tiny_xvit
import torch
from clips import write_clip
from datasets import ClassLabel, Dataset, Features, Value, Video
from torch.utils.data import ConcatDataset, Subset
from transformers import TrainingArguments

from holovid import (
    CA2STConfig,
    HolovidVideoProcessor,
    VideoClassificationPipeline,
    WhereWhenConfig,
    XViTConfig,
    XViTForVideoClassification,
)
from holovid.data.dataset import ClipDataset, load_clips
from holovid.families import families
from holovid.training.trainer import VideoTrainer

NAMES = {0: "run", 1: "walk"}
# a model of numbers names its anchors itself
WITH_NAMES = [
    record.config_class for record in families().values() if record.config_class().problem_type != "regression"
]


@pytest.mark.parametrize("config_class", [XViTConfig, CA2STConfig, WhereWhenConfig])
@pytest.mark.parametrize(
    "given",
    [
        {"id2label": NAMES},
        {"id2label": {"0": "run", "1": "walk"}},
        {"id2label": {np.int64(1): "walk", np.int64(0): np.str_("run")}},
        {"label2id": {"run": 0, "walk": 1}},
        {"id2label": NAMES, "label2id": {"walk": "1", "run": "0"}, "num_labels": 2},
    ],
)
def test_names_have_one_form_in_memory_and_after_saving(config_class, given, tmp_path):
    config = config_class(**given)
    config.save_pretrained(tmp_path)
    for each in (config, config_class.from_pretrained(tmp_path)):
        assert list(each.id2label.items()) == [(0, "run"), (1, "walk")]
        assert {type(key) for key in each.id2label} == {int} and each.num_labels == 2
        assert {name: int(number) for name, number in each.label2id.items()} == {"run": 0, "walk": 1}


WRONG = [
    (
        {"id2label": {1: "run", 2: "walk"}},
        "id2label must number its classes from 0 without a gap: .* a class 2;",
    ),
    ({"id2label": {0: "run", 2: "walk"}}, "without a gap"),
    ({"id2label": {-1: "run", 0: "walk"}}, "a class -1"),
    ({"id2label": ["run", "walk"]}, r"got a list; dict\(enumerate\(names\)\) converts"),
    ({"id2label": "run"}, "got a str"),
    ({"id2label": {0: "run", 1: "run"}}, "gives classes 0 and 1 the same name, 'run'"),
    ({"id2label": {0: "run", 1: "run "}}, "the same name"),
    ({"id2label": {0: "run", "0": "walk"}}, "names class 0 twice"),
    ({"id2label": {"run": 0}}, "as keys, got 'run'"),
    ({"id2label": {0.0: "run"}}, r"as keys, got 0\.0"),
    ({"id2label": {False: "run"}}, "as keys, got False"),
    ({"id2label": {0: 7}}, "text as names of classes, got 7"),
    ({"id2label": {0: " "}}, "text as names"),
    ({"id2label": {}}, "at least one class"),
    ({"id2label": NAMES, "num_labels": 3}, "num_labels is 3, but id2label names 2"),
    ({"id2label": NAMES, "label2id": {"run": 1, "walk": 0}}, "label2id must be the inverse of id2label"),
    ({"label2id": {"run": 0, "walk": 0}}, "several names to class 0"),
    ({"label2id": ["run"]}, "label2id must map the name of each class to its number"),
]


@pytest.mark.parametrize("config_class", WITH_NAMES)
@pytest.mark.parametrize(("given", "message"), WRONG)
def test_names_that_do_not_fit_together_are_refused(config_class, given, message):
    with pytest.raises(Exception, match=message) as error:
        config_class(**given)
    assert isinstance(error.value, ValueError) or "Strict" in type(error.value).__name__


def test_names_of_verbs_and_nouns(tmp_path):
    config = CA2STConfig(num_verbs=2, id2verb={"0": "take", "1": "put"}, num_nouns=1, id2noun={0: "cup"})
    config.save_pretrained(tmp_path)
    loaded = CA2STConfig.from_pretrained(tmp_path)
    assert loaded.id2verb == config.id2verb == {0: "take", 1: "put"} and loaded.id2noun == {0: "cup"}
    other = CA2STConfig.from_pretrained(tmp_path, num_verbs=5)  # a new head, which these names are not of
    assert other.id2verb is None and other.id2noun == {0: "cup"}
    again = CA2STConfig.from_pretrained(tmp_path, id2verb={0: "take", 1: "put", 2: "cut"})  # a new head, too
    assert (again.num_verbs, again.num_nouns) == (3, 1)
    assert CA2STConfig.from_dict(again.to_dict()).id2verb == {0: "take", 1: "put", 2: "cut"}
    with pytest.raises(Exception, match="num_verbs is 97, but id2verb names 2"):
        CA2STConfig(id2verb={0: "take", 1: "put"})
    with pytest.raises(ValueError, match="id2noun must number its classes from 0"):
        CA2STConfig(num_nouns=1, id2noun={1: "cup"})


@pytest.mark.parametrize("config_class", WITH_NAMES)
def test_kinds_of_problems_that_do_not_exist(config_class):
    with pytest.raises(Exception, match=r"problem_type must be regression, .* or None, got 'multilabel'"):
        config_class(problem_type="multilabel")
    assert config_class(problem_type="multi_label_classification").problem_type == "multi_label_classification"


def test_names_given_to_from_pretrained_take_the_place_of_the_old_ones(tmp_path):
    XViTConfig(id2label={0: "a", 1: "b", 2: "c"}).save_pretrained(tmp_path)
    assert XViTConfig.from_pretrained(tmp_path, id2label={"0": "run"}).label2id == {"run": 0}
    assert XViTConfig.from_pretrained(tmp_path, label2id={"run": 0}).id2label == {0: "run"}
    assert XViTConfig.from_pretrained(tmp_path, num_labels=2).id2label == {0: "LABEL_0", 1: "LABEL_1"}
    assert XViTConfig.from_pretrained(tmp_path, num_labels=3).id2label == {0: "a", 1: "b", 2: "c"}


def test_names_set_later(tmp_path):
    config = XViTConfig(num_labels=2)
    config.id2label = {"0": "run", "1": "walk"}
    assert config.id2label == NAMES and config.label2id == {"run": 0, "walk": 1}
    with pytest.raises(ValueError, match="without a gap"):
        config.id2label = {1: "run"}
    config.id2label[5] = "jump"
    with pytest.raises(Exception, match="without a gap"):
        config.save_pretrained(tmp_path)


def test_a_model_named_by_text_keys_answers_through_the_pipeline():
    model = tiny_xvit.tiny(num_labels=2, id2label={"0": "run", "1": "walk"})
    processor = HolovidVideoProcessor(size={"shortest_edge": 16}, crop_size=16, num_frames=4)
    classify = VideoClassificationPipeline(model=model, video_processor=processor)
    clip = np.random.default_rng(0).integers(0, 256, (4, 16, 16, 3), dtype=np.uint8)
    assert {answer["label"] for answer in classify(clip)} == {"run", "walk"}


def test_labels_out_of_range_are_named():
    model = tiny_xvit.tiny(num_labels=5)
    clips = torch.rand(2, 4, 3, 16, 16)
    for wrong in (5, 7, -1):
        with pytest.raises(
            ValueError, match=f"labels must be class numbers from 0 to 4, or -100 for no class, got {wrong}"
        ):
            model(clips, labels=torch.tensor([0, wrong]))
    assert model(clips, labels=torch.tensor([4, -100])).loss.isfinite()


def test_verbs_and_nouns_out_of_range_are_named():
    from holovid import CA2STForActionRecognition

    config = tiny_ca2st.tiny_config(num_verbs=3, num_nouns=4)
    model = CA2STForActionRecognition(config)
    clips = torch.rand(1, config.num_frames, 3, config.image_size, config.image_size)
    with pytest.raises(ValueError, match="noun_labels must be class numbers from 0 to 3"):
        model(clips, verb_labels=torch.tensor([2]), noun_labels=torch.tensor([4]))


@pytest.fixture
def clips(tmp_path):
    """The same clip as "run", "run ", "walk" and in capitals, in folders and in a table."""
    clip = write_clip(tmp_path / "clip.mp4", frames=6)
    with open(tmp_path / "clips.csv", "w", newline="") as file:
        csv.writer(file).writerows(
            [("path", "label"), ("clip.mp4", "run "), ("clip.mp4", "run"), ("clip.mp4", " walk")]
        )
    for label in ("run", "run ", "walk"):
        (tmp_path / "folders" / label).mkdir(parents=True)
        (tmp_path / "folders" / label / "1.mp4").write_bytes(clip.read_bytes())
    return tmp_path


@pytest.mark.parametrize("source", ["clips.csv", "folders"])
def test_blanks_around_a_name_make_no_other_class_and_are_said_once(clips, caplog, source):
    rows = load_clips(clips / source)["train"]
    assert rows.features["label"].names == ["run", "walk"]
    assert sorted(rows["label"]) == [0, 0, 1]
    assert len([message for message in caplog.messages if "blanks" in message and "'run '" in message]) == 1
    assert load_clips(clips / source, names={"label": ["walk", "run "]})["train"].features["label"].names == [
        "walk",
        "run",
    ]


def test_classes_of_a_table_that_differ_in_blanks_become_one():
    features = Features({"video": Video(decode=False), "label": ClassLabel(names=["walk", "run ", "run"])})
    rows = Dataset.from_dict({"video": [{"path": "a", "bytes": b"a"}] * 3, "label": [0, 1, 2]}, features)
    loaded = load_clips(rows)["train"]
    assert loaded.features["label"].names == ["walk", "run"] and loaded["label"][:] == [0, 1, 1]


def test_accents_put_together_otherwise_and_capitals(caplog):
    features = Features({"video": Video(decode=False), "label": Value("string")})
    labels = ["caf\u00e9", "cafe\u0301", "Run", "run"]
    rows = Dataset.from_dict({"video": [{"path": "a", "bytes": b"a"}] * 4, "label": labels}, features)
    assert load_clips(rows)["train"].features["label"].names == ["Run", "caf\u00e9", "run"]
    assert any(
        "that differ only by upper and lower case: 1 pair (Run and run)" in message for message in caplog.messages
    )


def labelled(names, labels=(0, 1)):
    features = Features({"video": Video(decode=False), "label": ClassLabel(names=list(names))})
    return Dataset.from_dict({"video": [{"path": "a", "bytes": b"a"}] * len(labels), "label": list(labels)}, features)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            ["walk", "run"],
            r"class 0 of 'label' is 'walk' in the data and 'run' in the model: load_clips\(\.\.\., names=",
        ),
        (["run", "jump"], "class 1 of 'label' is 'jump' in the data and 'walk' in the model"),
        (["run", "walk", "jump"], "'label' of the data has 3 classes, but the model has 2"),
        (["0", "1", "2"], "has 3 classes"),
        (["run", "walk"], None),
        (["run"], None),
        (["0", "1"], None),
    ],
)
def test_classes_of_data_are_those_of_the_model(names, message, tmp_path):
    model = tiny_xvit.tiny(num_labels=2, id2label=NAMES)
    processor = HolovidVideoProcessor(size={"shortest_edge": 16}, crop_size=16, num_frames=4)
    rows = labelled(names, (0,))
    args = TrainingArguments(tmp_path, use_cpu=True, per_device_train_batch_size=1, report_to="none")
    dataset = ClipDataset(rows, processor)

    def asks():
        yield lambda: ClipDataset(rows, processor, model=model)
        yield lambda: ClipDataset(rows, processor, model=model.config)
        for wrapped in (dataset, Subset(dataset, [0]), ConcatDataset([dataset])):
            yield lambda wrapped=wrapped: VideoTrainer(model, args, recipe="small", train_dataset=wrapped)
        good = ClipDataset(labelled(["run", "walk"]), processor)
        yield lambda: VideoTrainer(model, args, recipe="small", train_dataset=good, eval_dataset={"all": dataset})
        trainer = VideoTrainer(model, args, recipe="small", train_dataset=good)
        yield lambda: trainer.get_eval_dataloader(dataset)
        yield lambda: trainer.get_test_dataloader(dataset)

    for ask in asks():
        if message is None:
            ask()
        else:
            with pytest.raises(ValueError, match=message):
                ask()


def test_data_for_a_model_without_names():
    processor = HolovidVideoProcessor(size={"shortest_edge": 16}, crop_size=16, num_frames=4)
    ClipDataset(labelled(["walk", "run"]), processor, model=tiny_xvit.tiny(num_labels=2))
    with pytest.raises(ValueError, match="has 2 classes, but the model has 1"):
        ClipDataset(labelled(["walk", "run"]), processor, model=tiny_xvit.tiny(num_labels=1))


def test_from_image_model_refuses_such_names(tmp_path):
    from transformers import ViTConfig, ViTModel

    image_model = ViTModel(
        ViTConfig(
            image_size=16,
            patch_size=8,
            hidden_size=36,
            num_hidden_layers=1,
            num_attention_heads=3,
            intermediate_size=44,
        )
    )
    for names in ({1: "a", 2: "b"}, {0: "a", 2: "b"}, ["a", "b"]):
        with pytest.raises(ValueError, match="id2label"):
            XViTForVideoClassification.from_image_model(image_model, num_frames=4, id2label=names)
