"""Model cards: their snippets run where holovid is absent, their figures are those of files, their licences hold."""

import ast
import dataclasses
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import tiny_ca2st
import torch
import yaml
from golden_numbers import converter_settings, golden, golden_weights
from hub_server import HubServer, Repository
from huggingface_hub import ModelCard, ModelCardData
from PIL import Image
from places import ROOT, SUPPORT
from safetensors.torch import save_file
from sounding_clips import clicks, write_sounding_clip
from tiny_xvit import tiny
from transformers import AutoConfig
from typer.testing import CliRunner

from holovid import CA2STConfig, CA2STForVideoClassification, HolovidProcessor, HolovidVideoProcessor, XViTConfig
from holovid.cli import app
from holovid.conversion.convert import convert
from holovid.data.dataset import load_clips
from holovid.data.synthetic import ClipSet, render_clips
from holovid.evaluation.evaluate import evaluate_clips, evaluate_sets
from holovid.evaluation.fusion import fuse
from holovid.evaluation.metric_names import title_of
from holovid.evaluation.protocol import Protocol
from holovid.evaluation.tasks import load_set
from holovid.facts import model_facts
from holovid.loading import load_classifier
from holovid.publishing.card import MARK, build_card, check_metadata, is_by_hand, write_card
from holovid.publishing.card_picture import draw_card_picture
from holovid.publishing.card_results import class_table, results_of_papers
from holovid.publishing.card_snippets import write_snippets
from holovid.publishing.leaks import find_leaks
from holovid.publishing.licences import LICENCES, Licence, Origin, check_licence, licence_of, origins
from holovid.publishing.subject import Subject
from holovid.records import Records, read_records

WITHOUT_HOLOVID = """
import json, os, sys
sys.path.insert(0, sys.argv[1])
from without_holovid import Absent
sys.meta_path.insert(0, Absent("holovid"))
for folder, snippets in json.loads(sys.argv[2]).items():
    os.chdir(folder)
    print("in", folder)
    for snippet in snippets:
        exec(compile(snippet, folder, "exec"), {"__name__": "__main__"})
"""


def save(folder: Path, model, **options) -> Path:
    model.save_pretrained(folder)
    HolovidProcessor.for_model(model.config, **options).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips") / "shapes"
    render_clips(folder, ClipSet(train=8, val=9, size=32, seconds=0.5), progress=False)
    return folder


@pytest.fixture(scope="module")
def hearing(tmp_path_factory, clips):
    """A model that hears, with labels of the clips."""
    torch.manual_seed(0)
    names = load_clips(clips)["train"].features["label"].names
    model = tiny_ca2st.tiny(experts=tiny_ca2st.CA2ST, num_labels=8, id2label=dict(enumerate(names)))
    return save(tmp_path_factory.mktemp("cards") / "hearing", model)


@pytest.fixture
def copy(hearing, tmp_path):
    """A folder of the same model that a test may add to."""
    folder = tmp_path / "hearing"
    folder.mkdir()
    for path in hearing.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


def python_of(card: ModelCard) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", card.content, re.DOTALL | re.MULTILINE)


def make_model(kind: str, folder: Path) -> Path:
    if kind == "sees, video processor only":
        tiny(id2label=dict(enumerate(["a", "b", "c", "d", "e"]))).save_pretrained(folder)
        HolovidVideoProcessor(size={"shortest_edge": 16}, crop_size=16, num_frames=6).save_pretrained(folder)
        return folder
    if kind == "several classes":
        return save(folder, tiny(problem_type="multi_label_classification", id2label=dict(enumerate("abcde"))))
    if kind == "a number":
        return save(folder, tiny(problem_type="regression", num_labels=1, id2label={0: "quality"}))
    if kind == "hears":
        return save(folder, tiny_ca2st.tiny(experts=tiny_ca2st.CA2ST))
    if kind == "adapters only":
        made = {"space": tiny_ca2st.tiny_clip(), "time": tiny_ca2st.tiny_videomae()}
        for expert, model in made.items():
            model.save_pretrained(folder.parent.parent / "hub" / "lab" / expert)
        model = CA2STForVideoClassification.from_experts(**made, num_labels=5, adapters_only=True)
        for expert, source in model.config.expert_sources.items():
            source["source"] = f"lab/{expert}"
        torch.nn.init.normal_(model.classifier.bias)  # before training all labels are equally likely
        return save(folder, model)
    return save(folder, tiny_ca2st.tiny_actions(experts=tiny_ca2st.CA2ST))


@pytest.mark.slow
def test_snippets_run_where_holovid_is_absent(tmp_path):
    """Pasted as they are, beside the model and clips of the names that they show."""
    pasted = {}
    kinds = ("sees, video processor only", "hears", "verbs and nouns", "adapters only", "several classes", "a number")
    for kind in kinds:
        folder = tmp_path / kind
        card = build_card(make_model(kind, folder / "user" / "name"), licence="apache-2.0", repo_id="user/name")
        for name in ("clip", "left", "right"):
            write_sounding_clip(folder / f"{name}.mp4", sound=clicks(2, (0.5,)))
        pasted[str(folder)] = python_of(card)
        assert len(python_of(card)) == (2 if kind == "verbs and nouns" else 3)
        assert "holovid" not in "".join(python_of(card))
    command = [sys.executable, "-c", WITHOUT_HOLOVID, str(SUPPORT), json.dumps(pasted)]
    with HubServer() as server:
        for folder in (tmp_path / "adapters only" / "hub" / "lab").iterdir():
            repository = server.repositories[f"lab/{folder.name}"] = Repository()
            repository.commit({path.name: path.read_bytes() for path in folder.iterdir()})
        online = {"HF_ENDPOINT": server.url, "HF_HUB_OFFLINE": "0", "HF_HOME": str(tmp_path / "cache")}
        done = subprocess.run(command, env={**os.environ, **online}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    _, *printed = re.split("^in .*\n", done.stdout, flags=re.MULTILINE)
    for (folder, snippets), text in zip(pasted.items(), printed, strict=True):
        config = AutoConfig.from_pretrained(Path(folder, "fine-tuned"))
        if len(snippets) == 3:
            answers, label = text.splitlines()[:2]
            if folder.endswith("a number"):
                (answer,) = ast.literal_eval(answers)
                assert answer == {"label": "quality", "score": pytest.approx(float(label), rel=1e-4)}
                assert (config.problem_type, config.id2label) == ("regression", {0: "quality"})
                continue
            if folder.endswith("several classes"):
                scores = {answer["label"]: answer["score"] for answer in ast.literal_eval(answers)}
                assert {name for name, score in scores.items() if score > 0.5} <= set(ast.literal_eval(label))
                assert config.problem_type == "multi_label_classification"
                label = repr(next(iter(scores)))[1:-1]
            assert len(ast.literal_eval(answers)) == 3 and label == ast.literal_eval(answers)[0]["label"]
            assert config.id2label == {0: "left", 1: "right"}
        else:
            assert re.match(r"verb \d noun \d\n", text)
            assert (config.num_verbs, config.num_nouns) == (2, 2)
        assert ("tensor(" in text) == folder.endswith(("hears", "verbs and nouns"))  # what was given other sound
        assert any(Path(folder, "fine-tuned").glob("*processor_config.json"))


def test_a_card_says_what_the_folder_says(hearing):
    card = build_card(hearing, licence="mit", repo_id="user/name")
    facts = model_facts(hearing)
    for part in (
        "`holovid train clips --model user/name --output fine-tuned`",
        "# user/name", "predicts one of 8 classes for a short video clip", "disc-left-fall",
        f"{facts.parameters:,}", f"{facts.tuned_parameters:,}",
        "| audio | 0.4 s at 16,000 Hz: log-mel, 40 rows of 24 mel bins |", "| frames | 8, sampling uniform |",
        "None: this model has not been evaluated", "licence of the data and hardware: not recorded", "2503.23447",
        "Origin of the experts: not recorded",
    ):  # fmt: skip
        assert part in card.content, part
    for absent in ("Converted", "Published results", "Parity with the released code", "Not for commercial use"):
        assert absent not in card.content, absent
    assert card.data.to_dict() == {
        "license": "mit",
        "library_name": "transformers",
        "pipeline_tag": "video-classification",
        "tags": ["video-classification", "action-recognition", "ca2st", "custom_code"],
    }
    assert "# hearing\n" in build_card(hearing, licence="mit").content


def test_the_same_folder_gives_the_same_card(hearing):
    first, second = (str(build_card(hearing, licence="mit")) for _ in range(2))
    assert first == second


def measured(folder: Path, clips: Path, output: Path, protocol: Protocol = Protocol()) -> dict:  # noqa: B008
    model, processor = load_classifier(folder)
    return evaluate_clips(
        model, processor, load_clips(clips)["validation"], output=output, progress=False,
        about={"model": "hearing", "dataset": "user/shapes", "split": "validation", "command": "holovid evaluate x y"},
        protocol=protocol,
    )  # fmt: skip


@pytest.mark.integration
@pytest.mark.slow
def test_measured_results_and_their_protocols(copy, clips):
    results = measured(copy, clips, copy / "evaluation", Protocol(views=2, crops=3))
    muted = measured(copy, clips, copy / "evaluation" / "muted", Protocol(interventions="mute"))
    (copy / "results.json").write_text(json.dumps(results))  # the same twice is one row
    (copy / "evaluation" / "other.json").write_text('{"top1": 0.99}')  # not of holovid evaluate
    card = build_card(copy, licence="apache-2.0", repo_id="user/name")
    top1, top5 = (f"{100 * results['metrics'][name]:.2f}" for name in ("top1", "top5"))
    assert (
        f"| user/shapes validation | 9 | 0 | 2 x 3 | 8 uniform | probabilities | none | {top1} | {top5} |"
    ) in card.content
    assert (
        f"| 1 x 1 | 8 uniform | probabilities | audio muted | {100 * muted['metrics']['top1']:.2f} |" in card.content
    )
    assert card.content.count("| user/shapes validation |") == 2 and "99.00" not in card.content
    assert card.content.count("holovid evaluate x y") == 1
    assert "has not been measured" not in card.content

    # the model-index has the whole model only, and comes back as it was
    (index,) = card.data.to_dict()["model-index"]
    assert index["name"] == "name" and len(index["results"]) == 1
    found = index["results"][0]
    assert found["dataset"] == {
        "name": "user/shapes", "type": "user/shapes", "config": "2 x 3 views", "split": "validation",
    }  # fmt: skip
    assert [each["name"] for each in found["metrics"]] == [title_of(name) for name in results["metrics"]]
    assert found["metrics"][0]["value"] == pytest.approx(results["metrics"]["top1"], abs=5e-5)
    assert found["metrics"][0]["args"]["views"] == 2
    again = ModelCard(str(card))
    assert again.data.eval_results == card.data.eval_results and again.data.to_dict() == card.data.to_dict()
    front = yaml.safe_load(str(card).split("---\n")[1])
    assert ModelCardData(**front).to_dict() == card.data.to_dict()


@pytest.mark.slow
def test_results_by_class_and_their_picture(copy, clips):
    results = measured(copy, clips, copy / "evaluation")
    measured(copy, clips, copy / "evaluation" / "muted", Protocol(interventions="mute"))
    content = build_card(copy, licence="mit").content
    by_class = content.partition("## Results by class")[2].partition("\n## ")[0]
    for name, found in results["per_class"]["label"].items():
        assert f"| {name} | {found['clips']} | {100 * found['top1']:.2f} |" in by_class
    pair = results["most_confused"]["label"][0]
    assert (
        f"Most frequent confusions: {pair['label']} predicted as {pair['prediction']} ({pair['clips']} clips)"
        in by_class
    )
    assert by_class.count("### user/shapes validation") == 1  # an ablation has no table
    assert "(evaluation/confusion.png)" in by_class and (copy / "evaluation" / "confusion.png").is_file()
    assert "confusion" not in content.replace(by_class, "")


def test_of_many_classes_the_worst_are_listed():
    classes = {f"class {number}": {"clips": 3, "top1": number / 100} for number in reversed(range(100))}
    told = class_table(classes)
    assert told.startswith("The 20 of 100 classes with the lowest accuracy:") and told.count("| class ") == 21
    assert "| class 0 | 3 | 0.00 |" in told and "| class 19 |" in told and "| class 20 |" not in told


def test_the_picture_of_a_card(copy, clips):
    """Drawn by the command, shown by the card, and refused beside other weights."""
    clip = min((clips / "val").rglob("*.mp4"))
    arguments = ["card", str(copy), "--licence", "mit", "--clip", str(clip)]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert done.output.split() == ["Picture:", str(copy / "card.png"), "Model", "card:", str(copy / "README.md")]
    shown = "![Frames of a clip, and what the model predicted for it](card.png)"
    assert shown in (copy / "README.md").read_text()
    elsewhere = copy.parent / "elsewhere" / "card.md"
    elsewhere.parent.mkdir()
    assert CliRunner().invoke(app, [*arguments[:4], "--output", str(elsewhere)]).exit_code == 0
    assert shown in elsewhere.read_text()
    assert (elsewhere.parent / "card.png").read_bytes() == (copy / "card.png").read_bytes()
    with_maps = Image.open(copy / "card.png").convert("RGB")
    plain = Image.open(draw_card_picture(copy, clip, why=False)).convert("RGB")
    assert with_maps.size[0] == plain.size[0] and with_maps.tobytes() != plain.tobytes()
    plain.save(copy / "card.png")  # somebody's own: it says nothing of a model
    assert shown in build_card(copy, licence="mit").content
    draw_card_picture(copy, clip, why=False)
    torch.manual_seed(1)
    tiny_ca2st.tiny(experts=tiny_ca2st.CA2ST, num_labels=8).save_pretrained(copy)
    with pytest.raises(ValueError, match=r"card\.png shows predictions of other weights: draw it again"):
        build_card(copy, licence="mit")
    (copy / "README.md").write_text("mine")
    done = CliRunner().invoke(app, arguments)  # before anything is drawn
    assert done.exit_code == 2 and "README.md was not made by holovid card" in done.stderr
    assert CliRunner().invoke(app, [*arguments[:-1], "absent.mp4"]).exit_code == 2


@pytest.mark.slow
def test_results_of_several_models_together(copy, clips, tmp_path):
    """Told apart from those of the model alone, and no results of it on the Hub."""
    model, processor = load_classifier(copy)
    rows = load_clips(clips)["validation"]
    for crops in (1, 3):
        evaluate_clips(
            model, processor, rows, protocol=Protocol(crops=crops), output=tmp_path / f"crops {crops}", scores=True,
            progress=False,
        )  # fmt: skip
    files = {tmp_path / "crops 1" / "predictions.parquet": 2.5, tmp_path / "crops 3" / "predictions.parquet": 0.5}
    fused = fuse(files, output=copy / "evaluation" / "fused", command="holovid evaluate --fuse a:2.5 b:0.5")
    card = build_card(copy, licence="apache-2.0", repo_id="user/name")
    top1, top5 = (f"{100 * fused['metrics'][name]:.2f}" for name in ("top1", "top5"))
    assert f"| 2.5 crops 1 + 0.5 crops 3 | 9 | 0 | {top1} | {top5} |" in card.content
    assert "This model was not evaluated on its own." in card.content
    assert "holovid evaluate --fuse a:2.5 b:0.5" in card.content
    assert card.data.eval_results is None

    shutil.copy(tmp_path / "crops 3" / "results.json", copy / "results.json")
    card = build_card(copy, licence="apache-2.0", repo_id="user/name")
    assert "| 9 | 0 | 1 x 3 |" in card.content and "| 2.5 crops 1 + 0.5 crops 3 |" in card.content
    assert len(card.data.eval_results) == len(fused["metrics"])


@pytest.mark.slow
def test_results_of_other_weights_are_refused(copy, clips):
    measured(copy, clips, copy / "evaluation")
    build_card(copy, licence="apache-2.0")
    torch.manual_seed(1)
    tiny_ca2st.tiny(experts=tiny_ca2st.CA2ST, num_labels=8).save_pretrained(copy)
    with pytest.raises(ValueError, match="were measured with other weights"):
        build_card(copy, licence="apache-2.0")


@pytest.mark.slow
def test_several_sets_and_their_mean(copy, clips):
    model, processor = load_classifier(copy)
    sets = [load_set(model, clips, split="validation"), load_set(model, clips / "train", split="train")]
    results = evaluate_sets(model, processor, sets, output=copy / "evaluation", progress=False)
    card = build_card(copy, licence="apache-2.0")
    assert f"Harmonic mean of shapes and train: top-1 {100 * results['harmonic_mean']['top1']:.2f}" in card.content
    assert len(card.data.eval_results) == 2 * len(results["harmonic_mean"])


def test_incomplete_or_broken_records_are_named(copy):
    (copy / "results.json").write_text('{"holovid_evaluation": 1, "metrics": {"top1": 1}}')
    with pytest.raises(ValueError, match=r"results\.json is not a complete evaluation record: it lacks counts"):
        build_card(copy, licence="mit")
    (copy / "results.json").write_text("{")
    with pytest.raises(ValueError, match=r"results\.json is not JSON"):
        build_card(copy, licence="mit")
    (copy / "results.json").unlink()
    (copy / "training.json").write_text("{}")
    with pytest.raises(ValueError, match=r"training\.json is not a file of holovid: it has no key 'holovid_training'"):
        build_card(copy, licence="mit")


def test_training_is_told_as_far_as_it_is_recorded(copy):
    record = {
        "holovid_training": 1,
        "starting_point": "google/vit-base-patch16-224-in21k",
        "recipe": "xvit-ssv2",
        "seed": 3,
        "data": {"name": "/home/anna/ssv2", "source": "user/ssv2", "clips": 1234, "licence": "research only"},
        "hardware": "1 x NVIDIA H200",
        "hours": 2.5,
        "co2_eq_grams": 812.0,
        "command": "python examples/train.py --recipe xvit-ssv2",
    }
    (copy / "training.json").write_text(json.dumps(record))
    card = build_card(copy, licence="mit")
    for part in (
        "| started from | google/vit-base-patch16-224-in21k |", "| recipe | xvit-ssv2 |", "| seed | 3 |",
        "| data | ssv2 ([user/ssv2](https://huggingface.co/datasets/user/ssv2)) |", "| clips | 1,234 |",
        "| licence of the data | research only |", "| hours | 2.5 |", "| emissions | 812 g of CO₂ equivalents |",
        "python examples/train.py --recipe xvit-ssv2", "| apache-2.0 |",
    ):  # fmt: skip
        assert part in card.content, part
    assert "anna" not in card.content
    data = card.data.to_dict()
    assert data["base_model"] == ["google/vit-base-patch16-224-in21k"] and data["datasets"] == ["user/ssv2"]
    assert data["co2_eq_emissions"]["emissions"] == 812.0
    (copy / "training.json").write_text('{"holovid_training": 1}')
    card = build_card(copy, licence="mit")
    for row in ("data", "clips", "licence of the data", "hardware", "hours", "emissions"):
        assert f"| {row} | not recorded |" in card.content
    (copy / "training.json").write_text('{"holovid_training": 1, "steps": 0, "seed": 0}')
    assert "It has not been trained" in build_card(copy, licence="mit").content


EXPERTS = {
    "space": {"source": "openai/clip-vit-base-patch16", "revision": "57c2164", "sha256": "11" * 32},
    "time": {"source": "MCG-NJU/videomae-base", "revision": None, "sha256": "22" * 32},
    "audio": {"source": "/home/anna/ast", "revision": None, "sha256": "33" * 32},
}


def change_config(folder: Path, **fields) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


@pytest.mark.parametrize("adapters_only", [False, True])
def test_experts_bring_their_licences(copy, adapters_only):
    change_config(copy, expert_sources=EXPERTS, adapters_only=adapters_only)
    with pytest.raises(ValueError, match=r"MCG-NJU/videomae-base.* is under cc-by-nc-4\.0.*cannot be under apache"):
        build_card(copy, licence="apache-2.0")
    card = build_card(copy, licence="cc-by-nc-4.0")
    assert card.data.license == "cc-by-nc-4.0"
    assert card.data.base_model == ["openai/clip-vit-base-patch16", "MCG-NJU/videomae-base"]
    rows = [line for line in card.content.splitlines() if line.startswith(("| space expert", "| time e", "| audio e"))]
    assert [row.split(" | ")[-1] for row in rows] == ["mit |", "cc-by-nc-4.0 |", "unknown |"]
    assert f"`{'33' * 32}`" in rows[2] and "`57c2164`" in rows[0] and "anna" not in card.content
    forbids = "the licence of the time expert, VideoMAE (MCG-NJU/videomae-base)"
    assert f"**Not for commercial use**: forbidden by {forbids}." in card.content
    assert ("This repository holds the adapters only" in card.content) == adapters_only
    assert ("does not load without the experts" in card.content) == adapters_only
    assert (card.data.to_dict().get("base_model_relation") == "adapter") == adapters_only


def test_converted_checkpoints_say_so(tmp_path):
    source = tmp_path / "z_best.safetensors"
    case = golden("ca2st/cast_tiny.json")
    save_file(golden_weights(case), source)
    convert(source, "cast", tmp_path / "model", **converter_settings(case))
    with pytest.raises(ValueError, match=r"converted file z_best\.safetensors is under cc-by-nc-4\.0"):
        build_card(tmp_path / "model", licence="mit")
    card = build_card(tmp_path / "model", licence="cc-by-nc-4.0")
    digest = json.loads((tmp_path / "model" / "conversion.json").read_text())["sha256"]
    assert f"**Converted** by `holovid convert` from `z_best.safetensors` (sha256 `{digest}`)" in card.content
    assert "`python -m pytest tests/conversion/test_parity.py`" in card.content
    assert "Published results" not in card.content  # it is tiny
    assert "None: this model has not been evaluated" in card.content


def subject_of(config, conversion: dict | None) -> Subject:
    facts = model_facts(config)
    return Subject("x", config, facts, Records(conversion=conversion), [], Licence("mit"), snippets=None)


def test_published_figures_are_for_converted_models_of_their_size():
    converted = {"source": "xvit_b16_16_k600.pth", "sha256": "0", "settings": {}}
    released = XViTConfig(num_labels=600, num_frames=16)
    text = results_of_papers(subject_of(released, converted))
    assert "top-1 84.51, top-5 96.26 | 1 x 3 |" in text and "Kinetics-400" not in text
    assert "We have not reproduced them." in text
    assert results_of_papers(subject_of(released, None)) == ""
    assert results_of_papers(subject_of(XViTConfig(num_labels=5, num_frames=16), converted)) == ""
    text = results_of_papers(subject_of(CA2STConfig.cast_base(num_labels=174), converted))
    assert "| Something-Something v2 | top-1 71.6 | 2 x 3 | https://arxiv.org/abs/2311.18825 |" in text


def test_licences():
    assert len(LICENCES) > 70 and {"apache-2.0", "cc-by-nc-4.0", "other", "unknown"} <= LICENCES
    assert licence_of("MIT/ast-finetuned-audioset-10-10-0.4593") == "bsd-3-clause"
    assert licence_of("someone/videomae") is None and licence_of(None) is None
    assert check_licence(Licence("other", "My Licence", "https://example.com/licence")).id == "other"
    bound = [Origin("time expert", licence="cc-by-nc-4.0")]
    assert check_licence("cc-by-nc-sa-4.0", bound) == Licence("cc-by-nc-sa-4.0")
    check_licence(Licence("other", "Research only", "LICENSE"), bound)
    for licence, more, bound_by, message in (
        (None, {}, (), "a licence is required"),
        ("Apache", {}, (), "the Hub knows no licence 'Apache'; it knows apache-2.0"),
        ("other", {}, (), "needs both a name and a link"),
        ("other", {"name": "Mine"}, (), "needs both a name and a link"),
        ("mit", {"link": "LICENSE"}, (), "no other licence takes them"),
        ("unknown", {}, bound, "forbids commercial use"),
    ):
        with pytest.raises(ValueError, match=message):
            check_licence(licence and Licence(licence, **more), bound_by)


def test_metadata_that_the_hub_would_not_take_are_refused():
    for change, message in (
        ({"license": "mitt"}, "must name a licence of the Hub, got 'mitt'"),
        ({"datasets": [1]}, "datasets in the metadata of the card must be a list"),
        ({"pipeline_tag": None}, "pipeline_tag in the metadata of the card must be text"),
    ):
        data = {"license": "mit", "library_name": "transformers", "pipeline_tag": "video-classification"} | change
        with pytest.raises(ValueError, match=message):
            check_metadata(ModelCard(f"---\n{yaml.safe_dump(data)}---\n"))


def test_a_card_of_somebody_stays(copy):
    card = build_card(copy, licence="mit")
    write_card(card, copy / "README.md")
    assert not is_by_hand((copy / "README.md").read_text())
    write_card(card, copy / "README.md")
    own = str(card).replace(MARK, "")
    (copy / "README.md").write_text(own)
    assert is_by_hand(own)
    with pytest.raises(ValueError, match=r"README\.md was not made by holovid card"):
        write_card(card, copy / "README.md")
    assert (copy / "README.md").read_text() == own


def test_card_on_the_command_line(copy, tmp_path):
    def holovid(*arguments):
        return CliRunner().invoke(app, ["card", *map(str, arguments)])

    done = holovid(copy, "--licence", "apache-2.0", "--repo-id", "user/name")
    assert done.exit_code == 0, done.output
    assert (copy / "README.md").read_text() == str(build_card(copy, licence="apache-2.0", repo_id="user/name"))
    assert find_leaks(copy, "user/name") == []
    done = holovid(copy, "--license", "other", "--licence-name", "Mine", "--licence-link", "LICENSE", "--output",
                   tmp_path / "new" / "card.md")  # fmt: skip
    assert done.exit_code == 0
    assert "The weights are licensed under [Mine](LICENSE)" in (tmp_path / "new" / "card.md").read_text()
    for arguments, message in (
        ((copy, "--licence", "free"), "holovid: the Hub knows no licence 'free'"),
        ((tmp_path / "absent", "--licence", "mit"), "give the folder of a saved model"),
        ((copy, "--licence", "mit", "--repo-id", "name"), "repo_id must be user/name, got 'name'"),
    ):
        done = holovid(*arguments)
        assert done.exit_code == 2 and message in done.stderr and "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_refused_card_leaves_no_picture(copy, clips, tmp_path):
    clip = str(next(clips.rglob("*.mp4")))

    def refused(*arguments) -> str:
        done = CliRunner().invoke(app, ["card", str(copy), "--clip", clip, *map(str, arguments)])
        assert done.exit_code == 2 and not (copy / "card.png").exists()
        return done.stderr

    (copy / "training.json").write_text('{"holovid_training": 1, "starting_point": "MCG-NJU/videomae-base"}')
    assert "forbids commercial use" in refused("--licence", "mit")
    assert "is a folder; name a file" in refused("--licence", "cc-by-nc-4.0", "--output", tmp_path)
    (copy / "README.md").write_bytes(b"caf\xe9")  # not UTF-8
    assert "README.md was not made by holovid card" in refused("--licence", "cc-by-nc-4.0")


def test_snippets_take_any_name(hearing):
    name = 'my "best" model\'s {folder}'
    snippets = write_snippets(model_facts(hearing), name, "modeling_ca2st", "AutoProcessor")
    for snippet in (snippets.classify, snippets.fine_tune, snippets.label):
        texts = [node.value for node in ast.walk(ast.parse(snippet)) if isinstance(node, ast.Constant)]
        assert name in texts
    assert name in shlex.split(snippets.train)


@pytest.mark.slow
def test_committed_cards_are_what_the_command_makes(tmp_path):
    command = [sys.executable, str(ROOT / "docs" / "scripts" / "make_cards.py"), "--output", "cards"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    cards = ROOT / "examples" / "cards"
    committed, made = (
        {path.relative_to(folder) for path in folder.rglob("*.*")} for folder in (cards, tmp_path / "cards")
    )
    assert committed == made
    for path in sorted(committed):
        if path.suffix == ".md":
            assert (tmp_path / "cards" / path).read_text() == (cards / path).read_text(), path
            check_metadata(ModelCard.load(cards / path))
            shown = re.findall(r"!\[.*?\]\((.*?)\)", (cards / path).read_text())
            assert {path.parent / name for name in shown} == {
                each for each in committed if each.suffix == ".png" and each.is_relative_to(path.parent)
            }
    assert find_leaks(ROOT / "examples" / "cards", "user/name") == []


def test_origins_of_nothing_known():
    config = tiny_ca2st.tiny_config()
    assert origins(config, model_facts(config), Records()) == []
    assert dataclasses.asdict(Records()) == dataclasses.asdict(read_records(ROOT / "tests" / "golden"))
