"""What `holovid info` says of a folder, and that nothing of it needs weights."""

import json

import pytest
import tiny_ca2st
import torch
from tiny_xvit import tiny, tiny_config
from transformers import VivitConfig
from typer.testing import CliRunner

from holovid import CA2STForActionRecognition, HolovidProcessor, HolovidVideoProcessor, XViTModel
from holovid.cli import app
from holovid.facts import input_facts, input_lines, model_facts
from holovid.families.family import families


@pytest.fixture(scope="module")
def hearing(tmp_path_factory):
    folder = tmp_path_factory.mktemp("facts") / "hearing"
    model = tiny_ca2st.tiny(experts=tiny_ca2st.CA2ST)
    model.save_pretrained(folder)
    HolovidProcessor.for_model(model.config).save_pretrained(folder)
    return folder, model


def test_facts_are_those_of_the_model(hearing):
    folder, model = hearing
    facts = model_facts(folder)
    assert (facts.family, facts.model_type, facts.model_class) == ("CA²ST", "ca2st", "CA2STForVideoClassification")
    assert facts.classes == {"label": 5} and not facts.adapters_only
    assert facts.parameters == model.num_parameters()
    model.freeze_experts()
    assert facts.tuned_parameters == model.num_parameters(only_trainable=True) < facts.parameters
    assert list(facts.experts) == tiny_ca2st.CA2ST and facts.experts["time"].kind == "VideoMAE"
    assert (facts.inputs.num_frames, facts.inputs.height, facts.inputs.image_mean[0]) == (8, 24, 0.485)
    sound = facts.inputs.sound
    assert (sound.sampling_rate, sound.rows, sound.seconds, sound.num_mel_bins) == (16_000, 40, 0.4, 24)


def test_no_weights_are_read(hearing, tmp_path):
    for path in hearing[0].glob("*.json"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    assert model_facts(tmp_path) == model_facts(hearing[0])


@pytest.mark.parametrize(
    "experts, family", [(["space", "time"], "CAST"), (["space", "audio"], "CAVA"), (tiny_ca2st.CA2ST, "CA²ST")]
)
def test_families(experts, family):
    config = tiny_ca2st.tiny_config(experts=experts)
    assert model_facts(config).family == family
    actions = model_facts(config, CA2STForActionRecognition)
    assert actions.classes == {"verb": 6, "noun": 7} and (actions.inputs.sound is not None) == ("audio" in experts)


def test_cost_grows_with_the_frames_that_the_processor_picks(tmp_path):
    tiny().save_pretrained(tmp_path)
    costs = []
    for num_frames in (6, 12):
        HolovidVideoProcessor(num_frames=num_frames, do_center_crop=False).save_pretrained(tmp_path)
        facts = model_facts(tmp_path)
        assert (facts.inputs.num_frames, facts.inputs.height) == (num_frames, None)
        costs.append(facts.gflop)
    # but for the head, which sees all frames once
    assert costs[1] == pytest.approx(2 * costs[0], rel=0.01)
    assert model_facts(tiny_config()).gflop == costs[0]


@pytest.mark.parametrize(
    ("options", "frames", "told"),
    [
        ({"sampling": "last", "fps": 1}, 6, "6, sampling last, stride 1, 1 fps"),
        ({"sampling": "dense", "fps": 30, "frame_stride": 4}, 6, "6, sampling dense, stride 4, 30 fps"),
        ({"sampling": "uniform", "fps": 2}, None, "depends on the length of the video, sampling uniform, 2 fps"),
    ],
)
def test_a_rate_fills_the_video_only_where_frames_are_spread_over_it(options, frames, told):
    inputs = input_facts(HolovidVideoProcessor(num_frames=6, **options))
    assert inputs.num_frames == frames and input_lines(inputs)["frames"] == told


def test_experts_say_where_they_come_from():
    config = tiny_ca2st.tiny_config()
    config.expert_sources = {"time": {"source": "MCG-NJU/videomae-base", "revision": "abc", "sha256": "123"}}
    experts = model_facts(config).experts
    assert (experts["time"].source, experts["time"].revision) == ("MCG-NJU/videomae-base", "abc")
    assert experts["space"].source is None


def test_configuration_stays_as_it_is():
    config = tiny_config(attn_implementation="sdpa")
    before = config.to_dict()
    model_facts(config)
    assert config.to_dict() == before and config._attn_implementation == "sdpa"


def test_what_is_no_classifier_of_ours_is_refused(tmp_path):
    with pytest.raises(ValueError, match=f"VivitConfig is a vivit model; holovid's are {', '.join(families())}"):
        model_facts(VivitConfig())
    with pytest.raises(ValueError, match="there is no folder 'no such thing'"):
        model_facts("no such thing")
    torch.manual_seed(0)
    XViTModel(tiny_config()).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="holds a XViTModel, which is not a classifier"):
        model_facts(tmp_path)


def test_info_prints_them(hearing):
    folder, _ = hearing
    facts = model_facts(folder)
    run = CliRunner().invoke(app, ["info", str(folder), "--json"])
    assert run.exit_code == 0, run.output
    assert json.loads(run.stdout) == json.loads(json.dumps(facts.to_dict()))
    text = " ".join(CliRunner().invoke(app, ["info", str(folder)]).stdout.split())
    for part in (
        "family CA²ST",
        f"parameters {facts.parameters:,}",
        "space expert CLIP image model, source not recorded",
        "audio 0.4 s at 16,000 Hz: log-mel, 40 rows of 24 mel bins",
    ):
        assert part in text
    run = CliRunner().invoke(app, ["info", str(folder / "absent")])
    assert run.exit_code == 2 and run.stderr.startswith("holovid: there is no folder")
