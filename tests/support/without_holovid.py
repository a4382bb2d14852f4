"""Load models where holovid cannot be imported; tests run this in a process of its own.

    python without_holovid.py '{"clip": path, "loads": [{"source": folder or Hub id, options of report()}, ...]}'

Each source is loaded through every Auto class and the stock pipeline, with `trust_remote_code=True`. The last line of
the output is JSON: a list of what `report` returns for each.
"""

import json
import sys


class Absent:
    """Import finder: there is no package of this name."""

    def __init__(self, package: str):
        self.package = package

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == self.package:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


sys.meta_path.insert(0, Absent("holovid"))

import torch  # noqa: E402
from transformers import (  # noqa: E402
    AutoConfig,
    AutoModel,
    AutoModelForVideoClassification,
    AutoProcessor,
    AutoVideoProcessor,
    pipeline,
)


@torch.no_grad()
def report(
    clip: str,
    source: str,
    revision: str = "main",
    task: str | None = "video-classification",
    save_again: str | None = None,
) -> dict:
    """Class names, what the base model and the head compute from the clip, and the pipeline's answer.

    Without a `task`, pipeline() has to find it out. `save_again` is where model and processor are saved once more.
    """
    options = {"trust_remote_code": True, "revision": revision}
    auto_classes = (AutoConfig, AutoModel, AutoModelForVideoClassification, AutoVideoProcessor, AutoProcessor)
    loaded = [auto_class.from_pretrained(source, **options) for auto_class in auto_classes]
    _, base, model, _, processor = loaded
    inputs = processor(clip, return_tensors="pt")
    if save_again:
        model.save_pretrained(save_again)
        processor.save_pretrained(save_again)
    return {
        "classes": [type(part).__name__ for part in loaded],
        "modules": [type(part).__module__ for part in loaded],
        "features": base(**inputs)[0].tolist(),
        "logits": model(**inputs).logits.tolist(),
        "labels": pipeline(task, model=source, **options)(clip),
    }


if __name__ == "__main__":
    arguments = json.loads(sys.argv[1])
    print(json.dumps([report(arguments["clip"], **load) for load in arguments["loads"]]))
