"""A checkpoint that lacks weights, has others or is damaged is an error that names them, in whatever gives answers."""

import json
import logging
import pickle
import re
import shutil
from pathlib import Path

import pytest
import tiny_ca2st
import torch
from clips import write_clip
from safetensors.torch import load_file, save_file
from tiny_xvit import image_model, tiny
from transformers import pipeline
from typer.testing import CliRunner

import holovid
from holovid import (
    CA2STForVideoClassification,
    HolovidProcessor,
    HolovidVideoProcessor,
    VideoClassificationPipeline,
    XViTForVideoClassification,
)
from holovid.cli import app
from holovid.loading import load_classifier, read_config
from holovid.recipes import get_recipe
from holovid.training.arguments import RunArguments
from holovid.training.checkpoints import checkpoint_faults
from holovid.training.starting_points import build_model, find_start

WEIGHTS, INDEX, PICKLED = "model.safetensors", "model.safetensors.index.json", "pytorch_model.bin"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("loading") / "model"
    torch.manual_seed(0)
    tiny(id2label={0: "left", 1: "right", 2: "up", 3: "down", 4: "still"}).save_pretrained(folder)
    HolovidVideoProcessor(size={"shortest_edge": 16}, crop_size=16, num_frames=6).save_pretrained(folder)
    write_clip(folder.parent / "clip.mp4")
    return folder


@pytest.fixture
def folder(whole, tmp_path):
    shutil.copytree(whole, tmp_path / "model")
    return tmp_path / "model"


def change(folder: Path, change) -> None:
    tensors = load_file(folder / WEIGHTS)
    save_file(
        {name: tensor.contiguous() for name, tensor in change(tensors).items()}, folder / WEIGHTS, {"format": "pt"}
    )


def without(*names):
    return lambda tensors: {name: tensor for name, tensor in tensors.items() if name not in names}


def pickled(folder: Path, content: bytes | object) -> None:
    (folder / WEIGHTS).unlink()
    if isinstance(content, bytes):
        (folder / PICKLED).write_bytes(content)
    else:
        torch.save(content, folder / PICKLED)


def index(folder: Path, content) -> None:
    (folder / WEIGHTS).rename(folder.parent / "outside.safetensors")
    (folder / INDEX).write_text(content if isinstance(content, str) else json.dumps(content))


def names_in_index(name: str):
    return {"metadata": {}, "weight_map": {"classifier.weight": name}}


class Code:
    def __reduce__(self):
        return print, ("code ran",)


LACKING = {
    "no head": (
        lambda folder: change(folder, without("classifier.weight")),
        r"1 tensor is missing \(classifier\.weight\)",
    ),
    "an added tensor": (
        lambda folder: change(folder, lambda tensors: tensors | {"extra": torch.ones(2)}),
        r"1 tensor is not in the model \(extra\)",
    ),
    "all renamed": (
        lambda folder: change(
            folder, lambda tensors: {f"backbone_{name}": tensor for name, tensor in tensors.items()}
        ),
        r"\d\d tensors are missing \(classifier\.bias, .* \d\d more\); \d\d tensors are not in the model \(backbone_",
    ),
    "none": (lambda folder: change(folder, lambda _: {"x": torch.ones(1)}), r"\d\d tensors are missing"),
    "misshapen": (
        lambda folder: change(folder, lambda tensors: tensors | {"classifier.bias": torch.ones(9)}),
        r"1 tensor is of another shape \(classifier\.bias \(9,\), not \(5,\)\)",
    ),
    "other classes in the configuration": (
        lambda folder: (folder / "config.json").write_text(
            json.dumps(
                json.loads((folder / "config.json").read_text())
                | {"id2label": {"0": "a", "1": "b"}, "label2id": {"a": 0, "b": 1}}
            )
        ),
        r"2 tensors are of another shape",
    ),
    "whole numbers": (
        lambda folder: change(folder, lambda tensors: tensors | {"classifier.bias": torch.ones(5, dtype=torch.int64)}),
        r"integers in place of floating-point weights: classifier\.bias",
    ),
}
DAMAGED = {
    "cut short": (
        lambda folder: (folder / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes()[:-9]),
        r"model\.safetensors is damaged: ",
    ),
    "empty": (lambda folder: (folder / WEIGHTS).write_bytes(b""), r"model\.safetensors is damaged: "),
    "noise": (
        lambda folder: (folder / WEIGHTS).write_bytes(bytes(range(256)) * 9),
        r"model\.safetensors is damaged: ",
    ),
    "no weights": (lambda folder: (folder / WEIGHTS).unlink(), r"no file named"),
    "code": (
        lambda folder: pickled(folder, pickle.dumps(Code(), protocol=4)),
        r"holds more than tensors.* is not unpickled",
    ),
    "code in torch's format": (lambda folder: pickled(folder, Code()), r"holds more than tensors.* is not unpickled"),
    "a cut pickle": (lambda folder: pickled(folder, b"PK\3\4 and no more"), r"pytorch_model\.bin"),
    "an empty pickle": (lambda folder: pickled(folder, b""), r"pytorch_model\.bin is damaged"),
    "a list": (lambda folder: pickled(folder, [torch.ones(1)]), r"it must hold tensors by name"),
    "index of nothing": (lambda folder: index(folder, {}), r"no weight_map that gives each tensor a file"),
    "index as a list": (lambda folder: index(folder, []), r"no weight_map that gives each tensor a file"),
    "index without files": (lambda folder: index(folder, {"weight_map": {"a": 3}}), r"no weight_map"),
    "index that is no JSON": (lambda folder: index(folder, "{"), r"index\.json is damaged: it is not JSON"),
    "index of absent shards": (
        lambda folder: index(folder, names_in_index("model-00001-of-00002.safetensors")),
        r"names model-00001-of-00002\.safetensors, which the folder does not have",
    ),
    "index without metadata": (
        lambda folder: (
            index(folder, {"weight_map": {"a": "a.safetensors"}}),
            save_file({}, folder / "a.safetensors"),
        ),
        r"it has no metadata",
    ),
}
OUTSIDE = [
    "../outside.safetensors",
    "a/../../outside.safetensors",
    "..\\outside.safetensors",
    "C:x.safetensors",
    "~/x",
]
for name in OUTSIDE:
    DAMAGED[f"index names {name}"] = (
        lambda folder, name=name: index(folder, names_in_index(name)),
        r"names '.*', which is not a file in its folder",
    )
SETTINGS = {
    "configuration is a list": ("config.json", b"[1]", r"must hold a JSON object, but holds a list"),
    "configuration is text": ("config.json", b"settings", r"config\.json is damaged: it is not JSON"),
    "configuration is binary": ("config.json", b"\xff\x00\x80", r"config\.json is damaged"),
    "configuration is too deep": ("config.json", b"[" * 100_000, r"config\.json is damaged"),
    "unknown model": ("config.json", b'{"model_type": "none of ours"}', r"none of ours"),
    "no model": ("config.json", b"{}", r"model_type"),
    "architectures is a number": ("config.json", b'{"model_type": "xvit", "architectures": 3}', r"."),
    "processor is a list": ("video_preprocessor_config.json", b"[]", r"must hold a JSON object, but holds a list"),
    "processor is no JSON": ("video_preprocessor_config.json", b"{", r"is damaged: it is not JSON"),
}


def said(*arguments) -> str:
    """What a command says in one line before it ends with status 2."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 2 and isinstance(result.exception, SystemExit), result.output
    assert not result.stdout and result.stderr.startswith("holovid: ") and result.stderr.count("\n") == 1, (
        result.stderr
    )
    return result.stderr


@pytest.mark.parametrize("fault", LACKING | DAMAGED)
def test_what_is_wrong_with_weights(folder, whole, fault, capfd):
    spoil, sentence = (LACKING | DAMAGED)[fault]
    spoil(folder)
    assert re.search(sentence, said("classify", folder, whole.parent / "clip.mp4"))
    assert "code ran" not in capfd.readouterr().out


@pytest.mark.parametrize("fault", SETTINGS)
def test_what_is_wrong_with_settings(folder, whole, fault):
    name, content, sentence = SETTINGS[fault]
    (folder / name).write_bytes(content)
    assert re.search(sentence, said("classify", folder, whole.parent / "clip.mp4"))


@pytest.mark.parametrize(
    "fault", ["no head", "none", "misshapen", "cut short", "code", "index names ../outside.safetensors"]
)
@pytest.mark.parametrize(
    "arguments",
    [
        ("evaluate", "{model}", "{clips}"),
        ("export", "{model}", "{new}", "--format", "torch"),
        ("push", "{model}", "me/model", "--licence", "mit", "--dry-run"),
        ("watch", "{model}", "{clips}/left/clip.mp4"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_every_command_that_answers(folder, whole, tmp_path, arguments, fault):
    (tmp_path / "clips" / "left").mkdir(parents=True)
    shutil.copy(whole.parent / "clip.mp4", tmp_path / "clips" / "left")
    spoil, sentence = (LACKING | DAMAGED)[fault]
    spoil(folder)
    places = {"model": folder, "clips": tmp_path / "clips", "new": tmp_path / "new"}
    assert re.search(sentence, said(*(argument.format(**places) for argument in arguments)))
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("fault", ["no head", "an added tensor", "all renamed", "none"])
def test_our_pipeline_refuses_what_it_loads_itself(folder, fault):
    spoil, sentence = LACKING[fault]
    spoil(folder)
    with pytest.raises(ValueError, match=sentence):
        pipeline("video-classification", model=str(folder), pipeline_class=VideoClassificationPipeline)


def test_a_script_may_train_what_is_missing(folder, whole, caplog, monkeypatch):
    """`from_pretrained` warns, as transformers does; the model that somebody then has trained is not refused."""
    change(folder, without("classifier.weight"))
    monkeypatch.setattr(logging.getLogger("transformers"), "propagate", True)  # to `caplog`, with pytest before 9.2
    with caplog.at_level("WARNING", logger="transformers"):
        model = XViTForVideoClassification.from_pretrained(folder)
    assert "classifier.weight" in caplog.text and "MISSING" in caplog.text
    processor = HolovidVideoProcessor.from_pretrained(folder)
    with pytest.raises(ValueError, match=r"1 tensor is missing \(classifier\.weight\)"):
        VideoClassificationPipeline(model=model, video_processor=processor)
    optimizer = torch.optim.SGD(model.classifier.parameters(), 0.1)
    model(torch.rand(1, 6, 3, 16, 16), labels=torch.tensor([1])).loss.backward()
    optimizer.step()
    label = VideoClassificationPipeline(model=model, video_processor=processor)
    assert len(label(str(whole.parent / "clip.mp4"))) == 5


def test_an_index_does_not_lead_a_script_outside(folder):
    index(folder, names_in_index("../outside.safetensors"))
    with pytest.raises(ValueError, match="which is not a file in its folder, so nothing is read"):
        XViTForVideoClassification.from_pretrained(folder)


def test_shards_of_the_folder_are_read(folder):
    expected = XViTForVideoClassification.from_pretrained(folder)
    (folder / WEIGHTS).unlink()
    expected.save_pretrained(folder, max_shard_size="20kB")
    assert len(list(folder.glob("model-*.safetensors"))) > 1
    loaded, _ = load_classifier(folder)
    assert_same(loaded, expected)
    torch.save(expected.state_dict(), folder / PICKLED)
    for shard in folder.glob("*.safetensors*"):
        shard.unlink()
    assert_same(load_classifier(folder)[0], expected)


def assert_same(model, other):
    tensors, others = model.state_dict(), other.state_dict()
    assert tensors.keys() == others.keys() and all(torch.equal(tensors[name], others[name]) for name in tensors)


def test_adapters_of_peft(folder):
    (folder / "adapter_config.json").write_text("{}")
    with pytest.raises(ValueError, match="holds PEFT adapters: merge them into their model"):
        read_config(folder)


def test_models_without_labels_are_told_from_classifiers(folder, whole):
    clip = whole.parent / "clip.mp4"
    tiny().xvit.save_pretrained(folder)
    assert "holds a XViTModel, which has no classification head" in said("classify", folder, clip)


def test_every_class_is_found(folder, tmp_path):
    """Verbs and nouns have no Auto class; processors come as they were saved."""
    model, processor = holovid.load(folder)
    assert type(model) is XViTForVideoClassification and type(processor) is HolovidVideoProcessor
    actions = tiny_ca2st.tiny_actions(experts=tiny_ca2st.CAST)
    for each in (actions, actions.base_model, tiny().xvit):
        place = tmp_path / type(each).__name__
        each.save_pretrained(place)
        with pytest.raises(ValueError, match="has no processor of holovid: save one beside it"):
            holovid.load(place)
        HolovidProcessor.for_model(each.config).save_pretrained(place)
        model, processor = holovid.load(str(place))
        assert type(model) is type(each) and not model.training
        assert isinstance(processor, type(HolovidProcessor.for_model(each.config)))
        assert_same(model, each)


def test_classes_that_are_not_there(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"architectures": ["XViTForDancing"]}))
    with pytest.raises(ValueError, match="holds a XViTForDancing, which is not a class of holovid"):
        holovid.load(folder)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("options", [(), ("--json",)])
def test_no_answer_is_not_a_number(folder, whole, value, options):
    change(folder, lambda tensors: tensors | {"classifier.bias": torch.full((5,), value)})
    assert "logits are not finite" in said("classify", folder, whole.parent / "clip.mp4", *options)
    assert "logits are not finite" in said("watch", folder, whole.parent / "clip.mp4", "--stride", 1, *options)


def start_from(folder: Path, names: list[str]):
    run = RunArguments(data="", recipe="small", model=str(folder))
    return build_model(find_start(run, get_recipe("small")), {"label": names})


KNOWN = ["left", "right", "up", "down", "still"]


@pytest.mark.parametrize("names", [KNOWN, ["a", "b"]], ids=["its classes", "others"])
@pytest.mark.parametrize("fault", ["all renamed", "none", "an added tensor"])
def test_training_starts_from_a_backbone_that_is_there(folder, fault, names):
    spoil, sentence = LACKING[fault]
    spoil(folder)
    with pytest.raises(ValueError, match=sentence.replace("classifier\\.bias", ".*")):
        start_from(folder, names)


def test_training_asks_for_a_new_head(folder, caplog):
    change(folder, without("classifier.weight"))
    with pytest.raises(ValueError, match=r"1 tensor is missing \(classifier\.weight\)"):
        start_from(folder, KNOWN)  # which would keep the head
    with caplog.at_level("WARNING", logger="transformers"):
        start_from(folder, ["a", "b"])
    assert "New, to be trained: classifier.weight, classifier.bias" in caplog.text
    base = tiny(id2label=dict(enumerate(KNOWN))).xvit
    base.save_pretrained(folder)  # a backbone knows classes by its configuration, and has no head
    model = start_from(folder, KNOWN)
    assert_same(model.xvit, base)


@pytest.mark.parametrize("fault", ["all renamed", "none", "cut short", "index names ../outside.safetensors"])
def test_an_image_model_is_whole(tmp_path, fault):
    folder = tmp_path / "image"
    image_model().save_pretrained(folder)
    XViTForVideoClassification.from_image_model(folder)
    spoil, sentence = (LACKING | DAMAGED)[fault]
    spoil(folder)
    with pytest.raises(ValueError, match=sentence.replace("classifier\\.bias", ".*")):
        XViTForVideoClassification.from_image_model(folder)


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ("cut short", "is damaged"),
        ("code", "holds more than tensors"),
        ("index of nothing", "no weight_map"),
        ("index names ../outside.safetensors", "which is not a file in its folder"),
        ("all renamed", "has tensors that its model does not"),
    ],
)
def test_an_expert_is_whole(tmp_path, fault, sentence):
    for name, expert in (("space", tiny_ca2st.tiny_clip()), ("time", tiny_ca2st.tiny_videomae())):
        expert.save_pretrained(tmp_path / name)
    (LACKING | DAMAGED)[fault][0](tmp_path / "space")
    with pytest.raises(ValueError, match=sentence):
        CA2STForVideoClassification.from_experts(space=str(tmp_path / "space"), time=str(tmp_path / "time"))


def test_indices_of_checkpoints(folder):
    for name in OUTSIDE:
        (folder / INDEX).write_text(json.dumps(names_in_index(name)))
        assert [fault for fault in checkpoint_faults(folder) if "which is not a file in its folder" in fault]
    (folder / INDEX).write_text("[]")
    assert [fault for fault in checkpoint_faults(folder) if "no weight_map" in fault]


@pytest.mark.parametrize("pattern", ["../../*", "..", "a/../../*", "/etc/*", "~/*", "C:/x", "..\\*", "//host/x", ""])
def test_nothing_outside_is_published(folder, pattern):
    (folder.parent / "secret.txt").write_text("of somebody")
    command = ("push", folder, "me/model", "--licence", "mit", "--dry-run", "--include", pattern)
    assert "without a root, ~, : or .." in said(*command)


@pytest.mark.slow  # a process without holovid tries what is published
@pytest.mark.parametrize(
    ("link", "options"), [("notes.txt", ("--include", "*.txt")), ("LICENSE", ()), ("sub", ("--include", "sub/*"))]
)
def test_links_do_not_publish_what_is_outside(folder, tmp_path, link, options):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.txt").write_text("of somebody")
    (folder / link).symlink_to(tmp_path / "outside" / ("" if link == "sub" else "secret.txt"))
    told = said("push", folder, "me/model", "--licence", "mit", "--dry-run", *options)
    assert "behind a link that leads out of" in told
    (folder / link).unlink()
    (folder / "own.txt").write_text("of the folder")
    (folder / "LICENSE").symlink_to(folder / "own.txt")
    result = CliRunner().invoke(app, ["push", str(folder), "me/model", "--licence", "mit", "--dry-run", "--json"])
    assert result.exit_code == 0 and "LICENSE" in [file["path"] for file in json.loads(result.stdout)["files"]]


@pytest.mark.parametrize("value", [float("nan"), float("-inf")])
def test_nothing_is_made_of_numbers_that_are_none(folder, whole, tmp_path, value):
    change(folder, lambda tensors: tensors | {"classifier.bias": torch.full((5,), value)})
    (tmp_path / "clips" / "left").mkdir(parents=True)
    shutil.copy(whole.parent / "clip.mp4", tmp_path / "clips" / "left")
    result = CliRunner().invoke(app, ["evaluate", str(folder), str(tmp_path / "clips")])  # which shows how far it is
    assert result.exit_code == 2 and "holovid: the model's logits are not finite" in result.stderr
    assert "logits are not finite" in said("export", folder, tmp_path / "new", "--format", "torch")
    assert not (tmp_path / "new").exists()
