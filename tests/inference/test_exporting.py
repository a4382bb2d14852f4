"""Exported files compute what the model does, for any number of clips; what cannot be exported leaves nothing."""

import dataclasses
import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import tiny_ca2st
import tiny_video_swin
import tiny_xvit
import torch
from clips import write_clip
from transformers import AutoProcessor, TimesformerConfig, pipeline
from typer.testing import CliRunner

from holovid import HolovidProcessor, XViTModel
from holovid.cli import app
from holovid.inference import export as exporting
from holovid.inference.export import TOLERANCE, export
from holovid.loading import load_classifier

SHALLOW = {"num_hidden_layers": 2}
XVITS = {name: tiny_xvit.VARIANTS[name] for name in ("released", "groups", "two past frames", "summary token")}
EXPERTS = {"CAST": tiny_ca2st.CAST, "CAVA": tiny_ca2st.CAVA, "CA2ST": tiny_ca2st.CA2ST}


def save(model, folder: Path) -> Path:
    model.save_pretrained(folder)
    HolovidProcessor.for_model(model.config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def xvit(tmp_path_factory) -> Path:
    torch.manual_seed(0)
    small = {"num_hidden_layers": 1, "pooling": "mean"}  # what is traced in a second
    model = tiny_xvit.tiny(num_labels=5, id2label=dict(enumerate("abcde")), **small)
    return save(model, tmp_path_factory.mktemp("exporting") / "model")


def run_file(file: Path, inputs: dict[str, torch.Tensor]) -> dict[str, np.ndarray]:
    """As somebody without holovid runs it."""
    if file.suffix == ".pt2":
        return {name: logits.numpy() for name, logits in torch.export.load(file).module()(**inputs).items()}
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    assert {put.name for put in session.get_inputs()} == set(inputs)
    names = [put.name for put in session.get_outputs()]
    return dict(zip(names, session.run(names, {name: t.numpy() for name, t in inputs.items()}), strict=True))


@torch.no_grad()
def check(folder: Path, target: Path, inputs_of, **options):
    """Export, and compare with the model loaded anew, at numbers of clips the export never saw."""
    exported = export(folder, target, **options)
    model, _ = load_classifier(folder)
    for clips in (1, 4, 5):
        inputs = inputs_of(model.config, clips)
        want = {name: value for name, value in model(**inputs).items() if name.endswith("logits")}
        got = run_file(Path(exported.file), inputs)
        assert list(got) == list(want) == exported.outputs
        for name, logits in want.items():
            # far less than what tells clips apart, or a file that ignores its input could pass
            bound = TOLERANCE if clips == 1 else min(TOLERANCE, 1e-3 * logits.std(dim=0).max().item())
            assert np.abs(got[name] - logits.numpy()).max() <= bound
    assert set(exported.differences) == {1, 3} and max(exported.differences.values()) <= TOLERANCE
    return exported


def frames(config, clips: int) -> dict[str, torch.Tensor]:
    return {"pixel_values_videos": tiny_xvit.clips(config, clips)}


def partly_silent(config, clips: int) -> dict[str, torch.Tensor]:
    """Every second clip has no sound, and nonsense in its place."""
    inputs = tiny_ca2st.clips(config, clips)
    if "audio_mask" in inputs:
        inputs["audio_mask"][1::2] = False
        inputs["input_values"][1::2] = torch.nan
    return inputs


@pytest.mark.slow
@pytest.mark.parametrize("format", ["onnx", "torch"])
@pytest.mark.parametrize("variant", XVITS)
def test_xvit(variant, format, tmp_path):
    folder = save(tiny_xvit.tiny(**XVITS[variant] | SHALLOW), tmp_path / "model")
    check(folder, tmp_path / "new", frames, format=format)


@pytest.mark.slow
@pytest.mark.parametrize("format", ["onnx", "torch"])
@pytest.mark.parametrize(
    ("experts", "tiny"),
    [
        ("CAST", tiny_ca2st.tiny),
        ("CAVA", tiny_ca2st.tiny),
        ("CA2ST", tiny_ca2st.tiny),
        ("CA2ST", tiny_ca2st.tiny_actions),
    ],
)
def test_ca2st(experts, tiny, format, tmp_path):
    folder = save(tiny(experts=EXPERTS[experts], **SHALLOW), tmp_path / "model")
    exported = check(folder, tmp_path / "new", partly_silent, format=format)
    assert ("audio_mask" in exported.inputs) == (experts != "CAST")


@pytest.mark.slow
@pytest.mark.parametrize("format", ["onnx", "torch"])
def test_tables_and_parallel_exchange(format, tmp_path):
    """A model that does not look at the clock has no input for it."""
    options = {"audio_positions": "learned", "share_projections": False, "exchange_order": "parallel"}
    folder = save(tiny_ca2st.tiny(experts=tiny_ca2st.CA2ST, **options, **SHALLOW), tmp_path / "model")
    names = ("pixel_values_videos", "input_values", "audio_mask")
    exported = check(
        folder, tmp_path / "new", lambda *some: {name: partly_silent(*some)[name] for name in names}, format=format
    )
    assert tuple(exported.inputs) == names


@pytest.mark.slow
@pytest.mark.parametrize("format", ["onnx", "torch"])
def test_without_audio_mask(format, tmp_path):
    """Inputs that are left out are what the model takes them to be: all clips sound, and times are the usual ones."""
    folder = save(tiny_ca2st.tiny(experts=tiny_ca2st.CAVA, **SHALLOW), tmp_path / "model")
    names = ["pixel_values_videos", "input_values"]
    check(
        folder,
        tmp_path / "new",
        lambda *some: {name: tiny_ca2st.clips(*some)[name] for name in names},
        inputs=names,
        format=format,
    )


@pytest.mark.slow
def test_fixed_batch_and_narrow_weights(tmp_path):
    """What was saved in bfloat16 computes in float32, as it does when it is loaded so."""
    folder = save(tiny_xvit.tiny(**SHALLOW).bfloat16(), tmp_path / "model")
    exported = export(folder, tmp_path / "new", format="torch", batch=2)
    assert exported.inputs == {"pixel_values_videos": [2, 6, 3, 16, 16]} and set(exported.differences) == {2}
    module = torch.export.load(exported.file).module()
    assert module(pixel_values_videos=torch.randn(2, 6, 3, 16, 16))["logits"].dtype == torch.float32
    with pytest.raises(AssertionError):
        module(pixel_values_videos=torch.randn(3, 6, 3, 16, 16))


@pytest.mark.slow
def test_command_and_what_stands_beside(xvit, tmp_path):
    """A stranger labels a clip with onnxruntime and the processor's own source, as the pipeline here does."""
    arguments = ["export", str(xvit), str(tmp_path / "new"), "--json"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    told, written = json.loads(result.stdout), json.loads((tmp_path / "new" / "export.json").read_text())
    assert told | {"file": "model.onnx"} == written
    assert written["model"] == "model" and written["versions"]["torch"] == version("torch")
    assert {"model.onnx", "config.json", "processor_config.json", "export.json"} <= {
        path.name for path in (tmp_path / "new").iterdir()
    }
    assert type(AutoProcessor.from_pretrained(tmp_path / "new")) is HolovidProcessor
    clip = str(write_clip(tmp_path / "clip.mp4"))
    script = f"""
import json, sys
sys.modules["holovid"] = None
import numpy, onnxruntime
from transformers import AutoConfig, AutoProcessor
folder = {str(tmp_path / "new")!r}
processor = AutoProcessor.from_pretrained(folder, trust_remote_code=True)
labels = AutoConfig.from_pretrained(folder, trust_remote_code=True).id2label
session = onnxruntime.InferenceSession(folder + "/model.onnx")
batch = processor({clip!r}, return_tensors="np")
logits, = session.run(None, {{put.name: batch[put.name] for put in session.get_inputs()}})
print(labels[int(logits[0].argmax())])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [pipeline("video-classification", model=str(xvit))(clip)[0]["label"]]


@pytest.mark.slow
def test_torch_file_needs_torch_alone(xvit, tmp_path):
    exported = export(xvit, tmp_path / "new", format="torch")
    script = """
import sys
sys.modules["holovid"] = sys.modules["transformers"] = None
import torch
module = torch.export.load(sys.argv[1]).module()
print(module(pixel_values_videos=torch.ones(4, 6, 3, 16, 16))["logits"].tolist())
"""
    done = subprocess.run([sys.executable, "-c", script, exported.file], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    with torch.no_grad():
        want = load_classifier(xvit)[0](torch.ones(4, 6, 3, 16, 16)).logits
    torch.testing.assert_close(torch.tensor(json.loads(done.stdout)), want, atol=1e-5, rtol=0)


def test_command_speaks_to_people(xvit, tmp_path):
    result = CliRunner().invoke(app, ["export", str(xvit), str(tmp_path / "new"), "--format", "torch", "--batch", "1"])
    assert result.exit_code == 0, result.output
    assert "takes pixel_values_videos (1, 6, 3, 16, 16)\n" in result.stdout
    assert "returns logits; largest difference from the model's, by batch size: 0.0e+00 (1)\n" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["{model}", "{new}", "--format", "tflite"], "unknown format 'tflite'; choose from onnx, torch"),
        (["{model}", "{new}", "--batch", "0"], "batch must be at least 1 clip, got 0"),
        (["{model}", "{model}"], "exists already; give a new or an empty folder"),
        (["{new}", "{other}"], "there is no folder"),
        (["{stranger}", "{new}"], "is a timesformer model; holovid's are "),
        (["{backbone}", "{new}"], "holds a XViTModel, which is not a classifier of holovid"),
        (["{bare}", "{new}"], "has no processor of holovid: save one beside it"),
        (["{int8}", "{new}"], "is quantised; export the model before quantisation"),
        (["{model}", "{new}", "--inputs", "audio_mask"], "inputs must have pixel_values_videos and nothing else; got"),
        (["{model}", "{new}", "--inputs", ""], "inputs must have pixel_values_videos and nothing else; got none"),
    ],
)
def test_what_cannot_be_exported_is_one_sentence(xvit, tmp_path, arguments, sentence):
    places = {name: tmp_path / name for name in ("new", "other", "stranger", "backbone", "bare", "int8")}
    places["model"] = xvit
    config = tiny_xvit.tiny_config(**SHALLOW)
    TimesformerConfig().save_pretrained(places["stranger"])
    XViTModel(config).save_pretrained(places["backbone"])
    tiny_xvit.tiny(**SHALLOW).save_pretrained(places["bare"])
    config.architectures = ["XViTForVideoClassification"]
    config.quantization_config = {"quant_method": "torchao"}
    config.save_pretrained(places["int8"])
    before = set(tmp_path.iterdir())
    result = CliRunner().invoke(app, ["export", *(argument.format(**places) for argument in arguments)])
    assert result.exit_code == 2, result.output
    assert result.stderr.startswith("holovid: ") and sentence in result.stderr
    assert result.stderr.count("\n") == 1 and not result.stdout
    assert set(tmp_path.iterdir()) == before


def test_inputs_of_a_model_that_hears():
    config = tiny_ca2st.tiny_config(experts=tiny_ca2st.CAVA)
    processor = HolovidProcessor.for_model(config)
    with pytest.raises(
        ValueError, match="must have pixel_values_videos and input_values, and may have audio_mask, fr"
    ):
        exporting.input_shapes(config, processor, ["pixel_values_videos"])


def test_frames_have_the_size_that_the_processor_gives():
    config = tiny_video_swin.tiny_config()
    crop = HolovidProcessor.for_model(config, crop_size={"height": 24, "width": 40})
    squeezed = HolovidProcessor.for_model(config, do_center_crop=False, size={"height": 40, "width": 24})
    any_width = HolovidProcessor.for_model(config, do_center_crop=False)
    for processor, size in ((crop, (24, 40)), (squeezed, (40, 24)), (any_width, config.frame_size)):
        assert exporting.input_shapes(config, processor)["pixel_values_videos"][-2:] == size


def test_missing_packages_are_named(monkeypatch, xvit, tmp_path):
    monkeypatch.setattr(exporting, "find_spec", lambda name: None if name == "onnxscript" else object())
    result = CliRunner().invoke(app, ["export", str(xvit), str(tmp_path / "new")])
    assert result.exit_code == 2
    assert result.stderr == "holovid: format onnx needs onnxscript: pip install 'holovid[onnx]'\n"


@pytest.mark.slow
@pytest.mark.parametrize("wrong", [2 * TOLERANCE, float("nan")])
def test_a_file_that_computes_something_else_is_an_error(xvit, tmp_path, monkeypatch, wrong):
    def run_wrongly(file):
        run = exporting.run_torch(file)
        return lambda inputs: {name: logits + wrong for name, logits in run(inputs).items()}

    broken = dataclasses.replace(exporting.FORMATS["torch"], run=run_wrongly)
    monkeypatch.setitem(exporting.FORMATS, "torch", broken)
    with pytest.raises(ValueError, match=r"model\.pt2 was not written: its logits differ from the model's by"):
        export(xvit, tmp_path / "new", format="torch")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_nothing_is_left_of_a_failure(xvit, tmp_path, monkeypatch, error):
    def write_half(program, inputs, outputs, dynamic, file):
        file.write_bytes(b"half")
        raise error

    broken = dataclasses.replace(exporting.FORMATS["torch"], write=write_half)
    monkeypatch.setitem(exporting.FORMATS, "torch", broken)
    with pytest.raises(error):
        export(xvit, tmp_path / "new", format="torch")
    assert not list(tmp_path.iterdir())
