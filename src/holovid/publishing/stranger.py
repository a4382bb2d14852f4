"""Load a saved folder as somebody would who has transformers but not holovid; `publishing` runs this before uploading.

As a script, in a process where holovid cannot be imported:

    python -P stranger.py '{"folder": ..., "clip": ..., "outputs": ..., "threads": 1, "attention": "sdpa"}'

loads the model and the processor of `folder` through Auto classes, runs them on `clip` (safetensors: `frames`,
`waveform`) and writes the outputs to `outputs` (safetensors). The last line on stderr says what went wrong.
"""

import json
import sys
from typing import Any

import torch
import transformers
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import AutoConfig, AutoModel, AutoProcessor, PreTrainedConfig, PreTrainedModel
from transformers.dynamic_module_utils import get_class_from_dynamic_module


class Absent:
    """Import finder that hides the package holovid."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> None:
        if name.partition(".")[0] == "holovid":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def random_clip(processor: Any) -> dict[str, Tensor]:
    """The same noise each time: frames (T, C, H, W) uint8 and, for models with audio, two seconds of a waveform."""
    generator = torch.Generator().manual_seed(0)
    frames = torch.randint(0, 256, (processor_of_videos(processor).num_frames + 3, 3, 96, 128), generator=generator)
    clip = {"frames": frames.to(torch.uint8)}
    if processor.feature_extractor is not None:
        clip["waveform"] = torch.randn(2 * processor.feature_extractor.sampling_rate, generator=generator) / 10
    return clip


def processor_of_videos(processor: Any) -> Any:
    return getattr(processor, "video_processor", processor)


@torch.no_grad()
def outputs_of(model: PreTrainedModel, processor: Any, clip: dict[str, Tensor]) -> dict[str, Tensor]:
    """Name -> output of the model, such as `logits`, for one view of a clip that the processor prepares."""
    sound = {}
    if "waveform" in clip:
        sound = {"audio": [clip["waveform"].numpy()], "sampling_rate": processor.feature_extractor.sampling_rate}
    one_view = {"num_views": 1, "num_crops": 1, "do_random_sampling": False}
    inputs = processor([clip["frames"]], **sound, **one_view, return_tensors="pt").to(model.dtype)
    outputs = model(**inputs)
    return {name: value.contiguous() for name, value in outputs.items() if isinstance(value, Tensor)}


def load_as_stranger(folder: str, **options: Any) -> PreTrainedModel:
    """Load a model by the code in its folder. Raises `ValueError` if its class comes from elsewhere."""
    config = AutoConfig.from_pretrained(folder, trust_remote_code=True)
    architecture = config.architectures[0]
    # passed as an object, since one of its fields has the name of an option of loading: experts
    options |= {"config": config, "trust_remote_code": True}
    base, loading = AutoModel.from_pretrained(folder, output_loading_info=True, **options)
    if loading["missing_keys"]:
        raise ValueError(f"AutoModel finds no weights for {', '.join(sorted(loading['missing_keys']))}")
    if type(base).__name__ == architecture:
        model = base
    else:
        if auto_class := auto_class_of(config, architecture):
            cls = getattr(transformers, auto_class)
        else:  # no Auto class fits, for example a model of verbs and nouns
            module = config.auto_map["AutoModel"].rpartition(".")[0]
            cls = get_class_from_dynamic_module(f"{module}.{architecture}", folder)
        model, loading = cls.from_pretrained(folder, output_loading_info=True, **options)
    if loading["missing_keys"]:
        raise ValueError(f"{architecture} finds no weights for {', '.join(sorted(loading['missing_keys']))}")
    if not type(model).__module__.startswith("transformers_modules."):
        raise ValueError(f"{architecture} comes from {type(model).__module__}, not from the folder")
    return model.eval()


def auto_class_of(config: PreTrainedConfig, architecture: str) -> str | None:
    for auto_class, reference in config.auto_map.items():
        if reference.rpartition(".")[2] == architecture:
            return auto_class
    return None


def main(request: dict[str, Any]) -> None:
    torch.set_num_threads(request["threads"])  # the rounding of sums depends on it
    model = load_as_stranger(request["folder"], attn_implementation=request["attention"], **request["options"])
    processor = AutoProcessor.from_pretrained(request["folder"], trust_remote_code=True)
    save_file(outputs_of(model, processor, load_file(request["clip"])), request["outputs"])


if __name__ == "__main__":
    sys.meta_path.insert(0, Absent)
    try:
        main(json.loads(sys.argv[1]))
    except Exception as error:
        sentence = (str(error).strip().splitlines() or ["no reason given"])[0]
        print(f"{type(error).__name__}: {sentence}", file=sys.stderr)
        sys.exit(1)
