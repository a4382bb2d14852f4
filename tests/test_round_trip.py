"""Published here, used there: a Hub on this machine, and processes that have transformers and not holovid."""

import json

import numpy as np
import pytest
import torch
from hub_server import CLIENT, HubServer
from sounding_clips import write_sounding_clip
from strangers import computed_here, report_without_holovid
from tiny_ca2st import CAVA, tiny
from transformers import Trainer, TrainingArguments
from travelling_files import CA2ST_SOURCE, PROCESSOR_SOURCE, VIDEO_PROCESSOR_SOURCE
from typer.testing import CliRunner

from holovid import CA2STForVideoClassification, HolovidProcessor, VideoClassificationPipeline
from holovid.cli import app
from holovid.publishing.push import publish

# huggingface_hub's own way to send a large file
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")
LABELS = {0: "bark", 1: "knock", 2: "speech", 3: "rain", 4: "bell"}
CLASSES = ["CA2STConfig", "CA2STModel", "CA2STForVideoClassification", "HolovidVideoProcessor", "HolovidProcessor"]
MODEL_FILES = CA2ST_SOURCE | {"config.json", "model.safetensors"}
EVERYTHING = MODEL_FILES | PROCESSOR_SOURCE | {"processor_config.json"}
VIDEO_PROCESSOR_FILES = VIDEO_PROCESSOR_SOURCE | {"video_preprocessor_config.json"}
CREATED = {".gitattributes", "README.md"}


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A model that hears in "folder", the same with other weights in "changed", and a video with sound, "clip.mp4"."""
    work = tmp_path_factory.mktemp("round trip")
    torch.manual_seed(0)
    for name in ("folder", "changed"):
        model = tiny(experts=CAVA, id2label=LABELS)
        model.save_pretrained(work / name)
        HolovidProcessor.for_model(model.config).save_pretrained(work / name)
    sound = np.random.default_rng(0).normal(0, 0.1, (1, 32_000)).astype(np.float32)
    write_sounding_clip(work / "clip.mp4", sound=sound)
    return work


@pytest.fixture(scope="module")
def hub():
    with HubServer() as hub, hub.visited():
        yield hub


def push_in_other_ways(folder, work):
    """All that transformers offers: to "me/pushed", "me/saved-and-pushed", "me/trained" and so on."""
    model = CA2STForVideoClassification.from_pretrained(folder)
    processor = HolovidProcessor.from_pretrained(folder)
    for part in (model, processor):
        part.push_to_hub("pushed")
        # The second way uploads what changed in the folder; here, source is there already from the first save.
        part.save_pretrained(str(work / "saved"))
        part.save_pretrained(str(work / "saved"), push_to_hub=True, repo_id="me/saved-and-pushed")
    model.config.push_to_hub("config-alone")
    VideoClassificationPipeline(model, video_processor=processor.video_processor).push_to_hub("pipeline")
    clip = {name: value[0] for name, value in inputs_of_a_clip(processor).items()} | {"labels": 0}
    options = TrainingArguments(
        work / "trained",
        push_to_hub=True,
        max_steps=1,
        save_steps=1,
        learning_rate=0.0,  # the weights of "folder", so that there is something to compare with
        report_to="none",
        use_cpu=True,
        disable_tqdm=True,
    )
    trainer = Trainer(model, options, train_dataset=[clip] * 2, processing_class=processor)
    trainer.train()
    trainer.push_to_hub()


def inputs_of_a_clip(processor):
    frames = torch.randint(0, 256, (8, 3, 24, 24), dtype=torch.uint8)
    return processor(frames, audio=np.zeros(16_000, np.float32), sampling_rate=16_000, return_tensors="pt")


@pytest.mark.integration
@pytest.mark.slow
def test_what_is_published_is_used_elsewhere(work, hub):
    """One test, as each process that imports transformers costs seconds."""
    folder, changed, clip = (str(work / name) for name in ("folder", "changed", "clip.mp4"))
    first = CliRunner().invoke(app, ["push", folder, "me/published", "--licence", "mit", "--json"])
    assert first.exit_code == 0, first.output
    first = json.loads(first.stdout)
    assert (first["changed"], first["private"], first["max_difference"]) == (True, True, 0.0)
    assert hub.repositories["me/published"].head == first["commit"]
    assert hub.repositories["me/published"].private

    again = publish(folder, "me/published", licence="mit")
    assert (again.changed, again.commit) == (False, first["commit"])
    assert len(hub.repositories["me/published"].commits) == 2  # of which one made the repository

    card = hub.files("me/published")["README.md"]
    CA2STForVideoClassification.from_pretrained(changed).push_to_hub("me/published")
    assert hub.repositories["me/published"].head != first["commit"]
    assert hub.files("me/published")["README.md"] == card
    push_in_other_ways(folder, work)

    pinned = {"source": "me/published", "revision": first["commit"]}
    loads = [
        {"source": "me/published", "task": None},
        pinned,
        {"source": "me/pushed", "task": None},
        {"source": "me/trained"},  # Trainer writes a card that does not tell the task
    ]
    online = {**CLIENT, "HF_ENDPOINT": hub.url}
    reports = report_without_holovid(work / "home", clip, loads, **online)
    offline = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HUB_OFFLINE": "1"}
    reports += report_without_holovid(work / "home", clip, [{"source": "me/published"}], **offline)

    expected = {"folder": computed_here(folder, clip), "changed": computed_here(changed, clip)}
    assert expected["folder"]["logits"] != expected["changed"]["logits"]
    origins = ["changed", "folder", "folder", "folder", "changed"]
    for report, origin in zip(reports, origins, strict=True):
        assert report.pop("classes") == CLASSES
        assert all(module.startswith("transformers_modules.") for module in report.pop("modules"))
        assert report == expected[origin]

    training = {"training_args.bin"}
    assert {name: set(hub.files(name)) for name in hub.repositories} == {
        "me/published": EVERYTHING | CREATED,
        "me/pushed": EVERYTHING | CREATED,
        "me/saved-and-pushed": EVERYTHING | CREATED,
        "me/pipeline": MODEL_FILES | VIDEO_PROCESSOR_FILES | CREATED,
        "me/trained": EVERYTHING | CREATED | training,
        "me/config-alone": CA2ST_SOURCE | {"config.json"} | CREATED,
    }
    assert hub.unknown_requests == []
