"""From a table of rated videos to a model that rates others: its scale, its training, its evaluation, its answers."""

import json

import pyarrow.parquet
import pytest
import torch
from clips import write_clip
from log_messages import messages_of
from training_runs import train
from typer.testing import CliRunner

from holovid import HolovidProcessor, StarVQAForVideoQuality, VideoClassificationPipeline
from holovid.commands.app import app
from holovid.evaluation import Protocol, evaluate_clips
from holovid.evaluation.tasks import load_set
from holovid.inference.export import export
from holovid.loading import load
from holovid.publishing.card import build_card
from holovid.training import score_scale
from holovid.training.arguments import parse_arguments
from holovid.training.preparation import prepare

RATED = [1.25, 4.5, 2.0, 3.75, 5.0, 1.0, 3.0, 2.5]


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rated")
    lines = ["name,mos"]
    for number, score in enumerate(RATED):
        write_clip(folder / f"{number}.mp4", frames=8, seed=number)
        lines.append(f"{number}.mp4,{score}")
    (folder / "scores.csv").write_text("\n".join(lines) + "\n")
    return folder / "scores.csv"


def options(table, *more):
    return ["--model", "starvqa", "--recipe", "small", "--data", table, "--validation", table, *more]


def prepared(table, *more):
    run, args = parse_arguments([*map(str, options(table, *more)), "--use_cpu", "true"])
    return prepare(run, args.seed)


@pytest.fixture(scope="module")
def trained(table, tmp_path_factory):
    more = ["--num_train_epochs", "1", "--per_device_train_batch_size", "4", "--save_strategy", "no"]
    return train(*options(table, *more), tmp_path_factory.mktemp("run") / "run")


def test_the_scale_is_that_of_the_data(table):
    with messages_of(score_scale.logger) as messages:
        parts = prepared(table)
    assert (
        "training scores are from 1 to 5; the score range is assumed to be 0 to 5; --score_range sets another"
        in messages
    )
    config = parts.model.config
    assert (list(config.score_range), config.score_mean, config.score_regressor) == ([0, 5], 2.875, None)
    assert parts.train.kinds == {"label": "score"} and parts.train[0, 0]["labels"].item() == 1.25
    config = prepared(table, "--score_range", "1", "5", "--score_decoder", "support_vectors").model.config
    assert list(config.score_range) == [1, 5] and config.score_regressor["gamma"] > 0
    vectors = config.score_regressor["support_vectors"]
    assert len(vectors) <= len(RATED) and len(vectors[0]) == len(config.anchors)


def test_a_checkpoint_keeps_its_scale(table, tmp_path):
    parts = prepared(table, "--score_range", "0", "20")
    parts.model.save_pretrained(tmp_path)
    parts.processor.save_pretrained(tmp_path)
    again = prepared(table, "--model", tmp_path).model
    assert list(again.config.score_range) == [0, 20]
    assert torch.equal(again.classifier.out_proj.weight, parts.model.classifier.out_proj.weight)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--score_range", "2", "5"], "2 scores are outside of the model's range from 2 to 5, such as 1"),
        (["--score_range", "5"], "takes the lowest and the highest score"),
        (["--target", "quality", "--problem_type", "single_label_classification"], "no column 'quality'"),
    ],
)
def test_what_is_refused(table, more, message):
    with pytest.raises(ValueError, match=message):
        prepared(table, *more)


@pytest.mark.parametrize(("scores", "message"), [("-3,7", "not in a usual range"), ("2,2", "at least 2 different")])
def test_scores_without_a_scale(tmp_path, scores, message):
    first, second = scores.split(",")
    (tmp_path / "scores.csv").write_text(f"name,mos\na.mp4,{first}\nb.mp4,{second}\n")
    for name in "ab":
        write_clip(tmp_path / f"{name}.mp4", frames=4)
    with pytest.raises(ValueError, match=message):
        prepared(tmp_path / "scores.csv", "--score_decoder", "support_vectors")


@pytest.mark.slow
def test_trained_evaluated_and_asked(trained, table, tmp_path):
    told = json.loads((trained / "all_results.json").read_text())
    # of one clip the loss is from 0 to 1, whatever the scale
    assert 0 < told["eval_loss"] < 1 and -1 <= told["eval_spearman"] <= 1 and told["eval_clips"] == len(RATED)
    model, processor = load(trained)
    assert type(model) is StarVQAForVideoQuality and model.config.score_mean == 2.875

    data = load_set(model, table)
    protocol = Protocol(crops=3)
    results = evaluate_clips(model, processor, data.rows, protocol=protocol, output=tmp_path / "out")
    assert {"spearman", "kendall", "pearson", "pearson_fitted"} <= results["metrics"].keys()
    assert (tmp_path / "out" / "scores.png").is_file()
    rows = pyarrow.parquet.read_table(tmp_path / "out" / "predictions.parquet").to_pylist()
    assert [row["quality"] for row in rows] == RATED
    for number, row in enumerate(rows):
        inputs = processor(str(table.parent / f"{number}.mp4"), num_crops=3, return_tensors="pt")
        with torch.no_grad():
            each = model(inputs["pixel_values_videos"][0]).scores
        assert row["prediction"] == pytest.approx(each.mean().item(), abs=1e-4)  # averaged after decoding

    video_processor = getattr(processor, "video_processor", processor)
    classify = VideoClassificationPipeline(model=model, video_processor=video_processor)
    clip = str(table.parent / "0.mp4")
    (answer,) = classify(clip, num_crops=3)
    assert answer == {"label": "quality", "score": pytest.approx(rows[0]["prediction"], abs=1e-4)}
    assert len(classify([clip, clip])) == 2

    run = CliRunner().invoke(app, ["classify", str(trained), clip, "--json"])
    (record,) = json.loads(run.stdout)
    assert record["range"] == [0, 5] and record["training_mean"] == 2.875
    assert record["answers"] == [classify(clip)[0] | {"score": pytest.approx(classify(clip)[0]["score"], abs=1e-4)}]
    run = CliRunner().invoke(app, ["classify", str(trained), clip, "--picture", str(tmp_path / "sheet.png")])
    assert "Scores go from 0 to 5; the mean of the training set is 2.875." in " ".join(run.stdout.split())
    assert "it predicts a number (quality)" in CliRunner().invoke(app, ["info", str(trained)]).stdout


@pytest.mark.slow
def test_exported(trained, tmp_path):
    exported = export(trained, tmp_path / "out", format="torch")
    assert exported.outputs == ["logits"] and max(exported.differences.values()) < 1e-4


def test_the_card_says_who_is_ahead(tmp_path, table):
    model = prepared(table).model
    model.save_pretrained(tmp_path)
    HolovidProcessor.for_model(model).save_pretrained(tmp_path)
    text = str(build_card(tmp_path, licence="cc-by-nc-4.0"))
    assert "predicts quality for a short video clip" in text and "Other models are ahead of StarVQA" in text
    assert "DOVER has a PLCC of 0.883" in text and "model(**inputs).scores" in text
    assert 'pipeline("video-classification"' not in text  # which would take the outputs for classes
    assert "on a scale from 0 to 5" in text
