"""A family of another package does all that ours do, without one edited line of holovid."""

import json
import os
import subprocess
from pathlib import Path

import pytest
import torch
from hub_server import CLIENT, HubServer
from places import TESTS
from strangers import report_without_holovid
from transformers import ViTConfig, ViTModel
from wheel_of_ours import environment_with_wheel

PLUGIN = TESTS / "plugin_family"
TARGET = ["--target", "shape"]


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The folder of commands of an environment that has the wheel of holovid and the other package."""
    return environment_with_wheel(tmp_path_factory.mktemp("plugin"), str(PLUGIN), extras="train")


def checkpoint_of_others(path: Path) -> torch.Tensor:
    """A file as the frame-wise model's own authors would write it; returns the rows of its classifier."""
    sizes = {"image_size": 48, "patch_size": 16, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    vit = ViTModel(ViTConfig(**sizes, intermediate_size=64), add_pooling_layer=False)
    tensors = {f"backbone.{name}": tensor for name, tensor in vit.state_dict().items()}
    tensors |= {"fc.weight": torch.randn(3, 32), "fc.bias": torch.randn(3)}
    torch.save({"state_dict": tensors}, path)
    return tensors["fc.weight"]


@pytest.mark.slow
def test_another_packages_family(installed, tmp_path):
    with HubServer() as hub:
        environment = {**os.environ, **CLIENT, "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home")}
        environment |= {"PATH": f"{installed}{os.pathsep}{os.environ['PATH']}"}
        environment.pop("PYTHONPATH", None)

        def run(*command: str) -> str:
            done = subprocess.run(
                [str(installed / command[0]), *command[1:]],
                cwd=tmp_path,
                env=environment,
                capture_output=True,
                text=True,
            )
            assert done.returncode == 0, (command, done.stderr)
            return done.stdout

        clip = ["--size", "64", "--frame-rate", "8", "--seconds", "1"]
        run("holovid", "data", "synth", "clips", "--train", "16", "--val", "8", *clip)
        training = ["--model", "framewise", "--recipe", "framewise-small", "--output", "run"]
        run("holovid", "train", "clips", *training, *TARGET, "--report_to", "none")
        run("holovid", "evaluate", "run", "clips", *TARGET, "--output", "run/evaluation")
        measured = json.loads((tmp_path / "run" / "evaluation" / "results.json").read_text())
        assert measured["protocol"]["ensemble"] == "probabilities" and measured["counts"]["evaluated"] == 8

        weights = checkpoint_of_others(tmp_path / "theirs.pth")
        assert "num_attention_heads" in run("holovid", "convert", "--family", "framewise", "--options")
        converting = ["--family", "framewise", "--output", "converted", "--num-frames", "4"]
        run("holovid", "convert", "theirs.pth", *converting, "--set", "num_attention_heads=2")
        config = json.loads((tmp_path / "converted" / "config.json").read_text())
        assert (config["num_attention_heads"], config["num_frames"], len(config["id2label"])) == (2, 4, len(weights))

        exported = json.loads(run("holovid", "export", "run", "exported", "--format", "torch", "--json"))
        assert (tmp_path / "exported" / "model.pt2").is_file() and max(exported["differences"].values()) < 1e-4
        told = json.loads(run("holovid", "info", "run", "--json"))
        assert (told["family"], told["model_class"]) == ("Framewise", "FramewiseForVideoClassification")

        published = json.loads(run("holovid", "push", "run", "me/framewise", "--licence", "mit", "--json"))
        assert published["max_difference"] == 0.0
        card = hub.files("me/framewise")["README.md"].decode()
        assert "an image transformer that sees each frame by itself" in card and "@misc{framewise}" in card
        sources = {"configuration_framewise.py", "modeling_framewise.py", "modeling_common.py", "model_inputs.py"}
        assert sources <= set(hub.files("me/framewise"))

        # neither package can be imported here
        video = str(next((tmp_path / "clips").rglob("*.mp4")))
        online = {**CLIENT, "HF_ENDPOINT": hub.url}
        [there] = report_without_holovid(tmp_path / "elsewhere", video, [{"source": "me/framewise"}], **online)
        assert there["classes"][2] == "FramewiseForVideoClassification"
        script = (
            "import holovid, sys, json; model, processor = holovid.load('run'); "
            "print(json.dumps(model(**processor(sys.argv[1], return_tensors='pt')).logits.tolist()))"
        )
        here = json.loads(run("python", "-c", script, video))
        torch.testing.assert_close(torch.tensor(there["logits"]), torch.tensor(here), rtol=1e-5, atol=1e-6)
