"""Training through `accelerate launch` with the files of examples/accelerate, in 16 bits, on one GPU."""

import importlib.util
import json
import subprocess
import sys

import pytest
from training_runs import EXAMPLES, environment, rendered

pytestmark = [pytest.mark.gpu, pytest.mark.slow]


@pytest.mark.parametrize("family", ["xvit", "ca2st"])
@pytest.mark.parametrize("way", ["ddp.yaml", "fsdp2.yaml"])
def test_steps_are_taken(family, way, tmp_path, tmp_path_factory):
    pytest.importorskip("timm")
    clips = str(rendered(tmp_path_factory))
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(EXAMPLES / "accelerate" / way)]
    launch += ["--num_processes", "1", str(EXAMPLES / "train_accelerate.py")]
    target = {"xvit": "motion", "ca2st": "sound"}[family]
    run = ["--model", family, "--recipe", "small", "--data", clips, "--target", target, "--mixed_precision", "bf16"]
    run += ["--epochs", "1", "--workers", "0", "--output_dir", str(tmp_path / "run")]
    process = subprocess.run([*launch, *run], capture_output=True, text=True, env=environment(), timeout=240)
    assert process.returncode == 0, process.stderr[-4000:]
    results = json.loads((tmp_path / "run" / "all_results.json").read_text())
    assert all(value >= 0 for name, value in results.items() if "accuracy" in name)


@pytest.mark.skipif(importlib.util.find_spec("deepspeed") is None, reason="not run: deepspeed is not installed")
def test_deepspeed_shares_out(tmp_path, tmp_path_factory):
    pytest.importorskip("timm")
    clips = str(rendered(tmp_path_factory))
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "1"]
    run = [str(EXAMPLES / "train.py"), "--model", "xvit", "--recipe", "small", "--data", clips, "--target", "motion"]
    run += ["--deepspeed", str(EXAMPLES / "accelerate" / "deepspeed_zero2.json"), "--bf16"]
    run += ["--num_train_epochs", "1", "--output_dir", str(tmp_path / "run")]
    process = subprocess.run([*launch, *run], capture_output=True, text=True, env=environment(), timeout=240)
    assert process.returncode == 0, process.stderr[-4000:]
