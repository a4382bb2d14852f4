"""Two processes (gloo, CPU) take the steps of one with twice the batch, as copies (DDP) and shared out (FSDP2)."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from training_runs import EXAMPLES, PLAIN, assert_same_weights, environment, log_of, losses_of, rendered, train

TESTS = Path(__file__).parent
TARGETS = {"xvit": "motion", "ca2st": "sound"}
FSDP = ["--fsdp", "--fsdp_config", str(EXAMPLES / "accelerate" / "fsdp2.json")]
# What `accelerate launch --config_file examples/accelerate/fsdp2.yaml` tells its processes.
FSDP_VARIABLES = {
    "ACCELERATE_USE_FSDP": "true",
    "FSDP_VERSION": "2",
    "FSDP_AUTO_WRAP_POLICY": "TRANSFORMER_BASED_WRAP",
    "FSDP_STATE_DICT_TYPE": "FULL_STATE_DICT",
    "FSDP_RESHARD_AFTER_FORWARD": "true",
}
TOLERANCE = 1e-4  # relative, of losses: sums over clips are taken in another order, and Adam divides by small numbers
# Two epochs of two steps. Of 6 clips to validate on, two processes take 4 and then the 2 that are left.
SCHEDULE = ["--per_device_eval_batch_size", "2", "--num_train_epochs", "2", "--eval_strategy", "steps"]
SCHEDULE += ["--eval_steps", "2", "--save_strategy", "steps", "--save_steps", "1"]


@pytest.fixture(scope="module")
def arguments(tmp_path_factory) -> dict[str, list[str]]:
    clips = str(rendered(tmp_path_factory))
    return {
        family: ["--model", family, "--recipe", "small", "--data", clips, "--target", target]
        for family, target in TARGETS.items()
    }


@pytest.fixture(scope="module")
def alone(arguments, tmp_path_factory) -> dict[str, Path]:
    """Each family trained by one process, on 8 clips at a time."""
    return {
        family: train(*what, *SCHEDULE, "--per_device_train_batch_size", "8", tmp_path_factory.mktemp(family))
        for family, what in arguments.items()
    }


@pytest.fixture(scope="module")
def together(arguments, tmp_path_factory) -> Path:
    """A folder of runs by two processes, on 4 clips at a time each."""
    folder = tmp_path_factory.mktemp("together")

    def trainer(name: str, family: str, *options: str) -> tuple[str, list[str], dict[str, str]]:
        batch = ["--per_device_train_batch_size", "4", "--output_dir", str(folder / name)]
        return "train", [*arguments[family], *SCHEDULE, *batch, *PLAIN, *options], {}

    def loop(name: str, variables: dict[str, str]) -> tuple[str, list[str], dict[str, str]]:
        batch = ["--batch_size", "4", "--epochs", "2", "--workers", "0", "--output_dir", str(folder / name)]
        return "train_accelerate", [*arguments["ca2st"], *batch], variables

    middle = str(folder / "fsdp" / "checkpoint-3")
    runs = [
        trainer("xvit", "xvit"),
        trainer("ca2st", "ca2st"),
        trainer("checkpointing", "ca2st", "--activation_checkpointing"),
        trainer("resumed", "xvit", "--resume_from_checkpoint", str(folder / "xvit" / "checkpoint-3")),
        loop("loop", {}),
        trainer("fsdp", "ca2st", *FSDP),
        trainer("fsdp-resumed", "ca2st", *FSDP, "--resume_from_checkpoint", middle),
        loop("fsdp-loop", FSDP_VARIABLES),
    ]
    (folder / "runs.json").write_text(json.dumps(runs))
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    command += [str(TESTS / "distributed_runs.py"), str(folder / "runs.json")]
    env = environment(ACCELERATE_USE_CPU="true", PYTHONPATH=str(TESTS))
    process = subprocess.run(command, capture_output=True, text=True, env=env)
    assert process.returncode == 0, process.stderr[-9000:]
    return folder


def assert_alike(run: Path, reference: Path) -> None:
    torch.testing.assert_close(
        torch.tensor(losses_of(run)), torch.tensor(losses_of(reference)), rtol=TOLERANCE, atol=0
    )
    ends, expected = ([entry for entry in log_of(folder) if "eval_top1" in entry] for folder in (run, reference))
    for end, wanted in zip(ends, expected, strict=True):
        assert end["eval_clips"] == 6 and end["eval_top1"] == wanted["eval_top1"]
        assert end["eval_loss"] == pytest.approx(wanted["eval_loss"], rel=TOLERANCE)
    weights, others = load_file(run / "model.safetensors"), load_file(reference / "model.safetensors")
    assert weights.keys() == others.keys()
    for name, tensor in weights.items():
        torch.testing.assert_close(tensor, others[name], rtol=0, atol=1e-3, msg=name)


def assert_loop_alike(run: Path, reference: Path) -> None:
    log = json.loads((run / "results.json").read_text())
    losses = torch.tensor([loss for epoch in log for loss in epoch["losses"]])
    torch.testing.assert_close(losses, torch.tensor(losses_of(reference)), rtol=TOLERANCE, atol=0)
    assert [epoch["eval_clips"] for epoch in log] == [6, 6]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("run", "family"), [("xvit", "xvit"), ("ca2st", "ca2st"), ("checkpointing", "ca2st"), ("fsdp", "ca2st")]
)
def test_two_processes_are_one(together, alone, run, family):
    assert_alike(together / run, alone[family])
    assert (together / run / "checkpoint-4" / "rng_state_1.pth").exists()


@pytest.mark.slow
@pytest.mark.parametrize("run", ["loop", "fsdp-loop"])
def test_so_are_they_in_the_plain_loop(together, alone, run):
    assert_loop_alike(together / run, alone["ca2st"])


@pytest.mark.slow
@pytest.mark.parametrize(("run", "whole"), [("resumed", "xvit"), ("fsdp-resumed", "fsdp")])
def test_resumed_in_the_middle_of_an_epoch(together, run, whole):
    assert_same_weights(together / run, together / whole)


@pytest.mark.slow
def test_fsdp_really_shares_out(together):
    assert (together / "fsdp" / "checkpoint-4" / "pytorch_model_fsdp.bin").exists()
    assert not (together / "ca2st" / "checkpoint-4" / "pytorch_model_fsdp.bin").exists()


def test_fsdp_needs_gpus(arguments, tmp_path, monkeypatch):
    """Of accelerate's own, one would get copies on CPUs and not know."""
    if torch.accelerator.is_available():
        pytest.skip("not run: there is a GPU")
    with pytest.raises(ValueError, match="fsdp only works in distributed training"):
        train(*arguments["xvit"], *SCHEDULE, *FSDP, "--per_device_train_batch_size", "8", tmp_path)
