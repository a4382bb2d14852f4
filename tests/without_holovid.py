"""Load models where holovid cannot be imported; tests/test_hub.py runs this in a process of its own.

    python without_holovid.py '{"sources": [folder or Hub id, ...], "clip": path, "save_again": folder or null}'

Each source is loaded through every Auto class and the stock pipeline, with `trust_remote_code=True`. The last line of
the output is JSON: source -> what came out, `Report` below. `save_again` is where the first source is saved once more.
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
def report(source: str, clip: str, save_again: str | None) -> dict:
    """Class names, what the base model and the head compute from the clip, and the pipeline's answer."""
    config = AutoConfig.from_pretrained(source, trust_remote_code=True)
    base = AutoModel.from_pretrained(source, trust_remote_code=True)
    model = AutoModelForVideoClassification.from_pretrained(source, trust_remote_code=True)
    processor = AutoVideoProcessor.from_pretrained(source, trust_remote_code=True)
    loaded = [config, base, model, processor, AutoProcessor.from_pretrained(source, trust_remote_code=True)]
    inputs = processor(clip, return_tensors="pt")
    if save_again:
        model.save_pretrained(save_again)
        processor.save_pretrained(save_again)
    return {
        "classes": [type(part).__name__ for part in loaded],
        "modules": [type(part).__module__ for part in loaded],
        "features": base(**inputs).pooler_output.tolist(),
        "logits": model(**inputs).logits.tolist(),
        "labels": pipeline("video-classification", model=source, trust_remote_code=True)(clip),
    }


if __name__ == "__main__":
    arguments = json.loads(sys.argv[1])
    reports = {}
    for source in arguments["sources"]:
        reports[source] = report(source, arguments["clip"], arguments.pop("save_again", None))
    print(json.dumps(reports))
