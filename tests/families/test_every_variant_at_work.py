"""Whole ways that the toy model of every variant goes: it learns, it is exported, and strangers load it."""

import csv
from pathlib import Path

import pytest
from clips import write_clip
from strangers import computed_here, report_without_holovid
from toy_models import toy
from training_runs import train
from transformers import AutoModelForVideoClassification

import holovid
from holovid import HolovidProcessor
from holovid.data.synthetic import ClipSet, render_clips
from holovid.evaluation import evaluate_clips
from holovid.evaluation.tasks import load_set
from holovid.families import Variant, variants
from holovid.families.family import family_of_variant
from holovid.inference.export import TOLERANCE, export

pytestmark = pytest.mark.slow
CLIPS = ClipSet(train=96, val=48, size=48, frame_rate=8, seconds=1.0)


@pytest.fixture(scope="module")
def clips(tmp_path_factory) -> Path:
    """Tables `train.csv` and `val.csv`: the shape of each clip, and a score, 20 for one shape and 80 for the others.

    What shape it is can be seen in any frame, so that all models can learn it.
    """
    folder = render_clips(tmp_path_factory.mktemp("clips") / "clips", CLIPS, workers=1, progress=False)
    for split in ("train", "val"):
        table = folder / split / "metadata.csv"
        rows = list(csv.DictReader(table.read_text().splitlines()))
        lines = [
            f"{split}/{row['file_name']},{row['shape']},{20 if row['shape'] == rows[0]['shape'] else 80}"
            for row in rows
        ]
        (folder / f"{split}.csv").write_text("\n".join(["path,shape,score", *lines, ""]))
        table.unlink()
    return folder


def saved_toy(variant: Variant, folder: Path) -> Path:
    model, _ = toy(variant)
    model.save_pretrained(folder)
    HolovidProcessor.for_model(model).save_pretrained(folder)
    return folder


def test_it_learns(variant, clips, tmp_path):
    """Of 48 clips, by chance not 70 % in one of four hundred trainings; nor such a correlation. These are short."""
    model_class = AutoModelForVideoClassification._model_mapping[family_of_variant(variant.name).config_class]
    is_score = model_class.tasks[0].kind == "score"
    target, metric = ("score", "spearman") if is_score else ("shape", "top1")
    sources = ["--data", clips / "train.csv", "--validation", clips / "val.csv", "--target", target]
    run = train("--model", variant.name, "--recipe", "small", *sources, "--flip", "false",
                "--num_train_epochs", "12", "--save_strategy", "no", tmp_path / "run")  # fmt: skip
    model, processor = holovid.load(run)
    data = load_set(model, clips / "val.csv", target=target)
    results = evaluate_clips(model, processor, data.rows, target=target, output=tmp_path / "out")
    assert results["metrics"][metric] > (0.5 if is_score else 0.7)
    assert (run / "training.png").exists()


def test_it_is_exported(variant, tmp_path):
    """To ONNX, which goes through torch's own export."""
    exported = export(saved_toy(variant, tmp_path / "model"), tmp_path / "new")
    assert Path(exported.file).exists() and exported.differences
    assert max(exported.differences.values()) <= TOLERANCE


def test_strangers_get_the_same(tmp_path):
    """All of them in one process, which cannot import holovid."""
    clip = str(write_clip(tmp_path / "clip.mp4", frames=8))
    folders = [str(saved_toy(variant, tmp_path / name)) for name, variant in variants().items()]
    reports = report_without_holovid(tmp_path / "home", clip, [{"source": folder} for folder in folders])
    for folder, report in zip(folders, reports, strict=True):
        assert all(module.startswith("transformers_modules.") for module in report["modules"])
        assert report.items() >= computed_here(folder, clip).items()
