"""Save over an older model, killed at one write after another; print what the folder loads as, as JSON.

python tests/support/kill_while_saving.py FOLDER what

Each save is one of a process of its own (a fork), which an audit hook ends without any cleaning up.
"""

import json
import os
import shutil
import signal
import sys
from pathlib import Path

import torch
from tiny_xvit import tiny
from transformers import AutoModelForVideoClassification, AutoVideoProcessor
from transformers.utils import logging

from holovid import HolovidVideoProcessor, VideoClassificationPipeline

WRITES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "shutil.rmtree")
STRIDE = 2  # writes from one at which a save is killed to the next
OPTIONS = {"one file": {}, "shards": {"max_shard_size": "20kB"}}


def parts(scale: float):
    """A model and a processor that say by a number whose they are."""
    torch.manual_seed(0)
    model = tiny(classifier_dropout=scale)
    torch.nn.init.constant_(model.classifier.bias, scale)
    return model, HolovidVideoProcessor(size={"shortest_edge": 16}, crop_size=16, num_frames=6, image_mean=[scale] * 3)


def save(folder: Path, scale: float, what: str) -> None:
    model, processor = parts(scale)
    if what == "pipeline":
        VideoClassificationPipeline(model=model, video_processor=processor).save_pretrained(folder)
    else:
        old, new = what.split(" over ")[::-1]
        model.save_pretrained(folder, **OPTIONS[new if scale == 0.5 else old])


def loads_as(folder: Path, with_processor: bool) -> list[float] | None:
    """Numbers of weights, configuration and processor; `None` where it does not load."""
    try:
        model, loading = AutoModelForVideoClassification.from_pretrained(folder, output_loading_info=True)
        assert not any(loading.values()), loading
        mean = [AutoVideoProcessor.from_pretrained(folder).image_mean[0]] if with_processor else []
    except (OSError, ValueError):
        return None
    return [*{*model.classifier.bias.tolist()}, model.config.classifier_dropout, *mean]


def kill_at(step: int) -> None:
    """Kill this process at one of its writes."""
    left = step

    def count(event: str, arguments: tuple) -> None:
        nonlocal left
        is_write = event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+")
        if event in WRITES or is_write:
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left -= 1

    sys.addaudithook(count)


def main(work: Path, what: str) -> None:
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    save(work / "old", 0.25, what)
    found, step = [], 0
    while True:
        folder = work / "model"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(work / "old", folder)
        child = os.fork()
        if child == 0:
            kill_at(step)
            save(folder, 0.5, what)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        found.append(loads_as(folder, what == "pipeline"))
        if status == 0:
            break
        step += STRIDE
    save(folder, 0.5, what)
    left = sorted(path.name for path in work.rglob(".*"))
    print(json.dumps({"found": found, "left": left, "at last": loads_as(folder, what == "pipeline")}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
