"""What somebody without holovid gets out of a model, and what we get: both compute all that there is to compute."""

import json
import os
import subprocess
import sys
from pathlib import Path

import torch
from transformers import AutoModel, AutoModelForVideoClassification, AutoProcessor, pipeline

HERE = Path(__file__).parent


def report_without_holovid(home: Path, clip: str, loads: list[dict], **environment: str) -> list[dict]:
    """Run tests/support/without_holovid.py away from the repository, with `home` as the Hugging Face cache.

    With as many threads as this process: numbers that are equal to the last bit need that.
    """
    home.mkdir(exist_ok=True)
    done = subprocess.run(
        [sys.executable, HERE / "without_holovid.py", json.dumps({"clip": clip, "loads": loads})],
        env={
            **os.environ,
            "OMP_NUM_THREADS": str(torch.get_num_threads()),
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HOME": str(home),
            **environment,
        },
        cwd=home,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@torch.no_grad()
def computed_here(folder: str, clip: str) -> dict:
    """What the package computes from a folder and a clip, all of it loaded through Auto classes."""
    inputs = AutoProcessor.from_pretrained(folder)(clip, return_tensors="pt")
    return {
        "features": AutoModel.from_pretrained(folder)(**inputs)[0].tolist(),
        "logits": AutoModelForVideoClassification.from_pretrained(folder)(**inputs).logits.tolist(),
        "labels": pipeline("video-classification", model=folder)(clip),
    }


__all__ = ["computed_here", "report_without_holovid"]
