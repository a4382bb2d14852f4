"""From what a user asks for to a model and clips: whose word counts, what is loaded, and what is refused."""

import csv
import json
from pathlib import Path

import pytest
import torch
from clips import write_clip
from safetensors.torch import load_file
from tiny_ca2st import tiny_ast, tiny_clip, tiny_videomae
from training_runs import checkpoint_to_start_from, rendered
from transformers import ViTConfig, ViTModel

from holovid import CA2STForActionRecognition, CA2STForVideoClassification, XViTForVideoClassification
from holovid.recipes import get_recipe
from holovid.training.arguments import RunArguments, parse_arguments
from holovid.training.preparation import Preparation, prepare

MOTIONS = ["left", "right"]


@pytest.fixture(scope="module")
def clips(tmp_path_factory) -> Path:
    return rendered(tmp_path_factory)


def prepared(clips, **options) -> Preparation:
    defaults = {"data": str(clips), "recipe": "small", "target": ["motion"]}
    return prepare(RunArguments(**defaults | options), seed=0)


def test_relative_paths_of_tables_start_at_the_root(tmp_path):
    for folder in ("lists", "clips"):
        (tmp_path / folder).mkdir()
    for number, name in enumerate(("left.mp4", "right.mp4")):
        write_clip(tmp_path / "clips" / name, frames=10, seed=number)
    table = tmp_path / "lists" / "clips.csv"
    table.write_text("path,label\nleft.mp4,left\nright.mp4,right\n")
    options = {"validation": str(table), "target": ["label"], "model": "xvit"}
    with pytest.raises(ValueError, match="or at --root"):
        prepared(table, **options)
    parts = prepared(table, **options, root=str(tmp_path / "clips"))
    assert parts.validation is not None
    for rows in (parts.train, parts.validation):
        assert [Path(rows.path(number)) for number in (0, 1)] == sorted((tmp_path / "clips").iterdir())
        assert {"pixel_values_videos", "labels"} <= rows[0].keys()


def asked(*arguments: str):
    return parse_arguments(["--data", "clips", "--model", "xvit", "--use_cpu", *arguments])


def test_a_recipe_gives_the_defaults():
    _, training = asked("--recipe", "xvit-ssv2")
    recipe = get_recipe("xvit-ssv2")
    assert training.num_train_epochs == recipe.epochs and training.weight_decay == recipe.weight_decay
    assert training.per_device_train_batch_size * training.gradient_accumulation_steps == recipe.batch_size
    assert training.learning_rate == recipe.learning_rate
    _, training = asked("--recipe", "small")
    assert (training.per_device_train_batch_size, training.gradient_accumulation_steps) == (32, 1)


@pytest.mark.parametrize("processes", [1, 2, 16])
def test_a_recipes_batch_stays_on_more_devices(processes, monkeypatch):
    from holovid.training.arguments import training_defaults

    monkeypatch.setenv("WORLD_SIZE", str(processes))
    for name in ("cast-ssv2", "xvit-k400", "small"):
        recipe = get_recipe(name)
        defaults = training_defaults(recipe, {})
        total = defaults["per_device_train_batch_size"] * defaults["gradient_accumulation_steps"] * processes
        assert total == recipe.batch_size or (name == "xvit-k400" and processes == 16 and total == 64)


def test_what_is_given_counts():
    _, training = asked("--recipe", "small", "--per_device_train_batch_size", "8", "--num_train_epochs", "3")
    assert training.num_train_epochs == 3 and training.gradient_accumulation_steps == 1
    assert training.learning_rate == pytest.approx(2e-3 * 8 / 32)  # follows the batch
    _, training = asked("--recipe", "small", "--per_device_train_batch_size", "8", "--learning_rate", "1e-4")
    assert training.learning_rate == 1e-4  # as it is
    _, training = asked("--recipe", "small", "--weight_decay", "0")
    assert training.weight_decay == 0
    _, training = asked("--recipe", "small", "--gradient_accumulation_steps", "4")
    assert training.per_device_train_batch_size == 8


@pytest.mark.parametrize("suffix", [".yaml", ".json"])
def test_arguments_from_a_file(tmp_path, suffix):
    file = tmp_path / f"run{suffix}"
    if suffix == ".json":
        file.write_text(json.dumps({"data": "clips", "recipe": "small", "model": "xvit", "learning_rate": 1e-3}))
    else:
        # YAML itself takes 1e-3 for a word
        file.write_text("data: clips\nrecipe: small\nmodel: xvit\nlearning_rate: 1e-3\nflip: false\nuse_cpu: true\n")
        file.write_text(file.read_text() + "target: [verb, noun]\nexperts: null\nlr_scheduler_kwargs: {}\n")
    run, training = parse_arguments([str(file), "--seed", "7"])
    assert (run.model, run.recipe, training.learning_rate, training.seed) == ("xvit", "small", 1e-3, 7)
    if suffix == ".yaml":
        assert run.flip is False and run.target == ["verb", "noun"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--recipe", "cast-svs2"], "did you mean 'cast-ssv2'"),
        (["--recipe", "small", "--learning_rat_", "1"], "did you mean --learning_rate"),
        (["--recipe", "small", "--learning_rate", "fast"], "--learning_rate.*: invalid float value: 'fast'"),
        (["--recipe", "small", "--on_broken", "ignore"], "--on_broken.*: invalid choice"),
    ],
)
def test_arguments_that_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        asked(*arguments)


def test_a_file_that_is_no_list_of_arguments(tmp_path):
    (tmp_path / "run.yaml").write_text("recipe small")
    with pytest.raises(ValueError, match="must hold lines such as 'recipe: small'"):
        parse_arguments([str(tmp_path / "run.yaml")])


@pytest.mark.parametrize(
    ("model", "model_class"),
    [
        ("xvit", XViTForVideoClassification),
        ("cast", CA2STForVideoClassification),
        ("cava", CA2STForVideoClassification),
        ("ca2st", CA2STForVideoClassification),
    ],
)
def test_new_weights(clips, model, model_class):
    parts = prepared(clips, model=model)
    assert type(parts.model) is model_class
    assert parts.model.config.id2label == dict(enumerate(MOTIONS))
    assert len(parts.train) == 16 and len(parts.validation) == 6
    row = parts.train[0, 3]
    batch = {name: value[None] for name, value in row.items()}
    assert parts.model(**batch).loss.isfinite()
    again = prepared(clips, model=model)
    weights, others = parts.model.state_dict(), again.model.state_dict()
    assert all(torch.equal(tensor, others[name]) for name, tensor in weights.items())


def test_full_size_with_a_papers_recipe(clips):
    with torch.device("meta"):
        parts = prepared(clips, model="xvit", recipe="xvit-ssv2", num_frames=8)
    config = parts.model.config
    assert (config.hidden_size, config.num_frames, config.mix_group, config.mix_divisor) == (768, 8, 8, 4)
    assert parts.processor.video_processor.sampling == "segments"
    assert parts.train.mixing is None
    assert prepared(clips, model="xvit", recipe="small", image_size=32).model.config.image_size == 32


def test_a_checkpoint_keeps_its_head_if_it_knows_the_classes(clips, tmp_path, caplog):
    start = checkpoint_to_start_from(tmp_path / "model", "xvit", {"label": ["right", "left"]})
    expected = XViTForVideoClassification.from_pretrained(start)
    parts = prepared(clips, model=str(start), recipe="xvit-k400")
    assert parts.train.names == {"motion": ["right", "left"]}  # the order of the model
    assert parts.model.config.id2label == {0: "right", 1: "left"}
    weights = parts.model.state_dict()
    assert all(torch.equal(tensor, weights[name]) for name, tensor in expected.state_dict().items())
    assert parts.model.config.classifier_dropout == 0.5  # of the recipe
    assert parts.model.config.mix_divisor == 4  # of the checkpoint, which was trained like that
    video_processor = parts.processor.video_processor
    assert (video_processor.sampling, video_processor.frame_stride, video_processor.num_frames) == ("dense", 16, 8)


@pytest.mark.parametrize("names", [["up", "down"], ["up", "down", "left"]])
def test_a_checkpoint_gets_a_new_head_for_other_classes(clips, tmp_path, names):
    start = checkpoint_to_start_from(tmp_path / "model", "xvit", {"label": names})
    expected = XViTForVideoClassification.from_pretrained(start)
    parts = prepared(clips, model=str(start))
    assert parts.model.config.id2label == dict(enumerate(MOTIONS))
    weights = parts.model.state_dict()
    new = [
        name
        for name, tensor in expected.state_dict().items()
        if tensor.shape != weights[name].shape or not torch.equal(tensor, weights[name])
    ]
    assert new == ["classifier.weight"] or new == ["classifier.weight", "classifier.bias"]


def test_an_image_model(clips, tmp_path):
    config = ViTConfig(
        image_size=32, patch_size=8, hidden_size=24, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32
    )
    ViTModel(config).save_pretrained(tmp_path / "vit")
    parts = prepared(clips, model=f"xvit={tmp_path / 'vit'}")
    assert isinstance(parts.model, XViTForVideoClassification) and parts.model.config.num_frames == 8
    assert parts.model.config.num_labels == 2 and parts.processor.video_processor.crop_size.height == 32


def test_experts_are_frozen_unless_asked(clips, tmp_path):
    for name, expert in (("space", tiny_clip()), ("time", tiny_videomae()), ("audio", tiny_ast())):
        expert.save_pretrained(tmp_path / name)
    experts = [f"{name}={tmp_path / name}" for name in ("audio", "space", "time")]
    parts = prepared(clips, experts=experts)
    assert parts.model.config.experts == ["space", "time", "audio"] and parts.model.config.num_frames == 8
    frozen = [parameter for parameter in parts.model.parameters() if not parameter.requires_grad]
    assert frozen and "of" in parts.summary(parse_arguments(["--data", "x", "--recipe", "small", "--use_cpu"])[1])
    parts = prepared(clips, experts=experts[:2], freeze_experts=False)
    assert all(parameter.requires_grad for parameter in parts.model.parameters())


def test_saving_what_is_trained_only(clips, tmp_path):
    tiny_clip().save_pretrained(tmp_path / "space")
    tiny_videomae().save_pretrained(tmp_path / "time")
    experts = [f"{name}={tmp_path / name}" for name in ("space", "time")]
    parts = prepared(clips, experts=experts, adapters_only=True)
    parts.model.save_pretrained(tmp_path / "model")
    saved = load_file(tmp_path / "model" / "model.safetensors")
    trained = {name for name, parameter in parts.model.named_parameters() if parameter.requires_grad}
    assert trained <= saved.keys() and len(saved) < len(parts.model.state_dict())
    with pytest.raises(ValueError, match="leaves out the experts, so they must not be trained"):
        prepared(clips, experts=experts, adapters_only=True, freeze_experts=False)
    with pytest.raises(ValueError, match="--adapters_only is for models with experts"):
        prepared(clips, model="xvit", adapters_only=True)
    with pytest.raises(ValueError, match="must know their sources"):
        prepared(clips, model="cast", freeze_experts=True, adapters_only=True)


def verb_noun_tables(clips: Path, folder: Path) -> dict[str, str]:
    tables = {}
    for split in ("train", "val"):
        with open(clips / split / "metadata.csv") as file:
            rows = list(csv.DictReader(file))
        tables[split] = str(folder / f"{split}.csv")
        with open(tables[split], "w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["path", "verb", "noun"])
            writer.writerows([str(clips / split / row["file_name"]), row["motion"], row["shape"]] for row in rows)
    return tables


def test_verbs_and_nouns(clips, tmp_path):
    tables = verb_noun_tables(clips, tmp_path)
    options = {"data": tables["train"], "validation": tables["val"], "target": ["verb", "noun"]}
    parts = prepared(clips, model="cast", **options)
    assert isinstance(parts.model, CA2STForActionRecognition)
    assert (parts.model.config.num_verbs, parts.model.config.num_nouns) == (2, 2)
    assert parts.model.config.id2verb == dict(enumerate(MOTIONS))
    assert set(parts.train[0, 0]) >= {"verb_labels", "noun_labels"}
    parts.model.save_pretrained(tmp_path / "model")
    parts.processor.save_pretrained(tmp_path / "model")
    again = prepared(clips, model=str(tmp_path / "model"), **options)
    weights = parts.model.state_dict()
    assert all(torch.equal(tensor, weights[name]) for name, tensor in again.model.state_dict().items())
    with pytest.raises(ValueError, match="XViT takes one --target"):
        prepared(clips, model="xvit", **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "pass either --model or --experts"),
        ({"model": "xvit", "recipe": "cast-ssv2"}, "is for ca2st models, but this is a xvit model"),
        ({"model": "cast", "recipe": "xvit-k400"}, "is for xvit models, but this is a ca2st model"),
        ({"experts": ["space=a", "hearing=b"]}, "--experts takes space=ID and time=ID"),
        ({"experts": ["space"]}, "--experts takes space=ID and time=ID"),
        ({"experts": ["time=a", "audio=b"]}, "--experts takes space=ID and time=ID"),
        ({"model": "xvit", "target": ["action"]}, "no column 'action'"),
        ({"model": "cast", "target": ["shape", "motion"]}, "--target must be one column of labels, or verb noun"),
        ({"model": "xvit", "freeze_experts": True}, "XViT has none"),
        ({"model": "avt", "class_weights": "balanced"}, "--class_weights does not work for AVT"),
    ],
)
def test_what_is_refused(clips, options, message):
    with pytest.raises(ValueError, match=message):
        prepared(clips, **options)


def test_data_that_does_not_fit(clips, tmp_path):
    with pytest.raises(ValueError, match="has no split to validate on: pass --validation, or --eval_strategy no"):
        prepared(clips, data=str(clips / "train"), model="xvit")
    one = tmp_path / "one.csv"
    one.write_text(f"path,motion\n{next((clips / 'train').glob('*/*.mp4'))},left\n")
    with pytest.raises(ValueError, match=r"all clips have the class 'left' in 'motion': training needs two classes"):
        prepared(clips, data=str(one), validation=str(one), model="xvit")
    start = checkpoint_to_start_from(tmp_path / "model", "xvit", {"label": MOTIONS})
    with pytest.raises(ValueError, match=r"--num_frames 16: .* was made for 8"):
        prepared(clips, model=str(start), num_frames=16)
    tiny_clip().save_pretrained(tmp_path / "clip")
    with pytest.raises(ValueError, match=r"is a clip_vision_model model\. Pass experts with --experts"):
        prepared(clips, model=str(tmp_path / "clip"))
