"""Two processes (gloo, CPU) take the steps of one with twice the batch, as copies (DDP) and shared out (FSDP2)."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from places import SUPPORT
from safetensors.torch import load_file
from training_runs import EXAMPLES, PLAIN, assert_same_weights, environment, log_of, losses_of, rendered, train

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


def trainer(folder: Path, name: str, arguments: list[str], *options: str) -> tuple[str, list[str], dict[str, str]]:
    """A run of each of two processes on 4 clips at a time."""
    batch = ["--per_device_train_batch_size", "4", "--output_dir", str(folder / name)]
    return "train", [*arguments, *SCHEDULE, *batch, *PLAIN, *options], {}


def loop(folder: Path, arguments: list[str], **variables: str) -> tuple[str, list[str], dict[str, str]]:
    batch = ["--batch_size", "4", "--epochs", "2", "--workers", "0", "--output_dir", str(folder / "loop")]
    return "train_accelerate", [*arguments, *batch], variables


def in_two_processes(folder: Path, runs: list[tuple[str, list[str], dict[str, str]]]) -> Path:
    (folder / "runs.json").write_text(json.dumps(runs))
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    command += [str(SUPPORT / "distributed_runs.py"), str(folder / "runs.json")]
    env = environment(ACCELERATE_USE_CPU="true", PYTHONPATH=str(SUPPORT))
    process = subprocess.run(command, capture_output=True, text=True, env=env, timeout=240)
    assert process.returncode == 0, process.stderr[-9000:]
    return folder


@pytest.fixture(scope="module")
def copies(arguments, tmp_path_factory) -> Path:
    """A folder of runs with DDP."""
    folder = tmp_path_factory.mktemp("copies")
    shutil.copytree(rendered(tmp_path_factory), folder / "clips")
    broken = sorted((folder / "clips" / "val").glob("*/*.mp4"))[2]  # which the second process reads
    broken.write_bytes(b"no video")
    best = ["--load_best_model_at_end", "true", "--metric_for_best_model", "loss", "--learning_rate", "0.3"]
    best += ["--save_steps", "2", "--ema_decay", "0.01", "--on_broken", "skip"]
    of_broken = ["--model", "xvit", "--recipe", "small", "--data", str(folder / "clips"), "--target", "motion"]
    return in_two_processes(
        folder,
        [
            trainer(folder, "best", of_broken, *best),
            trainer(folder, "xvit", arguments["xvit"]),
            trainer(folder, "ca2st", arguments["ca2st"]),
            trainer(folder, "checkpointing", arguments["ca2st"], "--activation_checkpointing"),
            trainer(folder, "resumed", arguments["xvit"], "--resume_from_checkpoint", f"{folder}/xvit/checkpoint-3"),
            loop(folder, arguments["ca2st"]),
        ],
    )


@pytest.fixture(scope="module")
def shares(arguments, tmp_path_factory) -> Path:
    """A folder of runs with FSDP2."""
    folder = tmp_path_factory.mktemp("shares")
    middle = ["--resume_from_checkpoint", f"{folder}/ca2st/checkpoint-3"]
    return in_two_processes(
        folder,
        [
            trainer(folder, "ca2st", arguments["ca2st"], *FSDP),
            trainer(folder, "resumed", arguments["ca2st"], *FSDP, *middle),
            loop(folder, arguments["ca2st"], **FSDP_VARIABLES),
        ],
    )


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
    log = json.loads((run / "log.json").read_text())
    losses = torch.tensor([loss for epoch in log for loss in epoch["losses"]])
    torch.testing.assert_close(losses, torch.tensor(losses_of(reference)), rtol=TOLERANCE, atol=0)
    assert [epoch["eval_clips"] for epoch in log] == [6, 6]


@pytest.mark.slow
@pytest.mark.parametrize(("run", "family"), [("xvit", "xvit"), ("ca2st", "ca2st"), ("checkpointing", "ca2st")])
def test_copies_take_the_same_steps(copies, alone, run, family):
    assert_alike(copies / run, alone[family])


@pytest.mark.slow
def test_the_best_checkpoint_comes_back_to_all_copies(copies):
    results = json.loads((copies / "best" / "all_results.json").read_text())
    losses = [entry["eval_loss"] for entry in log_of(copies / "best") if "eval_loss" in entry]
    assert len(losses) == 2 and losses[0] < losses[1]
    assert results["eval_loss"] == pytest.approx(losses[0], rel=1e-6)
    assert (results["eval_clips"], results["eval_left_out"], results["eval_broken_clips"]) == (5, 1, 1)


@pytest.mark.slow
def test_the_command_starts_as_a_module(arguments, alone, tmp_path):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    _, words, _ = trainer(tmp_path, "run", arguments["xvit"])
    process = subprocess.run(
        [*command, "-m", "holovid", "train", *words], capture_output=True, text=True, timeout=240, env=environment()
    )
    assert process.returncode == 0, process.stderr[-9000:]
    assert process.stdout.count("Now try: holovid classify ") == 1
    assert_alike(tmp_path / "run", alone["xvit"])


@pytest.mark.slow
def test_so_do_they_in_the_plain_loop(copies, alone):
    assert_loop_alike(copies / "loop", alone["ca2st"])


@pytest.mark.slow
def test_copies_resumed_in_the_middle_of_an_epoch(copies):
    assert (copies / "xvit" / "checkpoint-4" / "rng_state_1.pth").exists()
    assert_same_weights(copies / "resumed", copies / "xvit")


@pytest.mark.slow
def test_a_model_shared_out_takes_the_same_steps(shares, alone):
    assert_alike(shares / "ca2st", alone["ca2st"])
    assert (shares / "ca2st" / "checkpoint-4" / "pytorch_model_fsdp.bin").exists()  # it was shared out indeed


@pytest.mark.slow
def test_so_does_it_in_the_plain_loop(shares, alone):
    assert_loop_alike(shares / "loop", alone["ca2st"])


@pytest.mark.slow
def test_a_model_shared_out_resumed_in_the_middle_of_an_epoch(shares):
    assert_same_weights(shares / "resumed", shares / "ca2st")


def test_fsdp_needs_gpus(arguments, tmp_path, monkeypatch):
    """Of accelerate's own, one would get copies on CPUs and not know."""
    if torch.accelerator.is_available():
        pytest.skip("not run: there is a GPU")
    with pytest.raises(ValueError, match="fsdp only works in distributed training"):
        train(*arguments["xvit"], *SCHEDULE, *FSDP, "--per_device_train_batch_size", "8", tmp_path)
