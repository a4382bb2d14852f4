"""What a stranger pastes from a card: nothing of it imports holovid. Tests run every snippet against a folder."""

from dataclasses import dataclass

from holovid.facts import ModelFacts

NEEDS = 'pip install "transformers>=5.23,<6" torchvision av accelerate datasets'

PIPELINE = """\
from transformers import pipeline

classify = pipeline("video-classification", model="{name}", trust_remote_code=True)
print(classify("clip.mp4", top_k=3))
"""

CLASSIFY = """\
import torch
from transformers import {auto_model}, {auto_processor}

processor = {auto_processor}.from_pretrained("{name}", trust_remote_code=True)
model = {auto_model}.from_pretrained("{name}", trust_remote_code=True)
inputs = processor("clip.mp4", return_tensors="pt"){with_sound}
with torch.no_grad():
    logits = model(**inputs).logits
print(model.config.id2label[logits.argmax(-1).item()])
"""

# verbs and nouns have no Auto class
CLASSIFY_ACTIONS = """\
import torch
from transformers import {auto_processor}
from transformers.dynamic_module_utils import get_class_from_dynamic_module

model_class = get_class_from_dynamic_module("{module}.{model_class}", "{name}")
processor = {auto_processor}.from_pretrained("{name}", trust_remote_code=True)
model = model_class.from_pretrained("{name}")
inputs = processor("clip.mp4", return_tensors="pt"){with_sound}
with torch.no_grad():
    outputs = model(**inputs)
print("verb", outputs.verb_logits.argmax(-1).item(), "noun", outputs.noun_logits.argmax(-1).item())
"""

OTHER_SOUND = """
waveform = torch.zeros(2, 48_000)  # sound from elsewhere: (channels, samples), here a second of silence
inputs = processor("clip.mp4", audio=waveform, sampling_rate=48_000, return_tensors="pt")
with torch.no_grad():
    print(model(**inputs).{logits})
"""

FINE_TUNE = """\
from datasets import Dataset
from transformers import {imports}, Trainer, TrainingArguments
{dynamic_import}
{clips}

processor = {auto_processor}.from_pretrained("{name}", trust_remote_code=True)
{model}


def read(rows):
    inputs = processor(rows["video"], do_random_sampling=True, return_tensors="pt")
    return {{**inputs, {labels}}}


trainer = Trainer(
    model,
    TrainingArguments(
        "fine-tuned",
        per_device_train_batch_size=2,
        num_train_epochs=1,{label_names}
        remove_unused_columns=False,  # the column is a path; the model's inputs are made of it
        report_to="none",
    ),
    train_dataset=clips.with_transform(read),
    processing_class=processor,
)
trainer.train()
trainer.save_model()
"""

CLIPS = """\
names = ["left", "right"]
clips = Dataset.from_dict({"video": ["left.mp4", "right.mp4"], "label": [0, 1]})"""

CLIPS_OF_ACTIONS = """\
clips = Dataset.from_dict({"video": ["left.mp4", "right.mp4"], "verb": [0, 1], "noun": [1, 0]})"""

NEW_CLASSES = """\
model = {auto_model}.from_pretrained(
    "{name}",
    trust_remote_code=True,
    id2label=dict(enumerate(names)),
    label2id={{name: index for index, name in enumerate(names)}},
    ignore_mismatched_sizes=True,  # the classifier is new
)"""

NEW_ACTIONS = """\
model_class = get_class_from_dynamic_module("{module}.{model_class}", "{name}")
model = model_class.from_pretrained("{name}", num_verbs=2, num_nouns=2, ignore_mismatched_sizes=True)"""

FREEZE = "\nmodel.freeze_experts()  # train what joins the experts, as the paper does"


@dataclass(frozen=True)
class Snippets:
    """Python to paste; `label` is `None` where no pipeline fits."""

    label: str | None
    classify: str
    fine_tune: str


def write_snippets(facts: ModelFacts, name: str, module: str, auto_processor: str) -> Snippets:
    """
    Args:
        facts: of the model.
        name: what it is loaded by, a Hub id or a folder.
        module: the file of its class, without ".py".
        auto_processor: the Auto class of the processor that is saved with it.
    """
    hears, of_actions = facts.inputs.sound is not None, "verb" in facts.classes
    words = {
        "name": name,
        "module": module,
        "model_class": facts.model_class,
        "auto_model": "AutoModelForVideoClassification",
        "auto_processor": auto_processor,
        "with_sound": "  # the sound comes out of the file" if hears else "",
        "logits": "verb_logits" if of_actions else "logits",
    }
    other_sound = OTHER_SOUND.format(**words) if hears else ""
    model = (NEW_ACTIONS if of_actions else NEW_CLASSES).format(**words) + (FREEZE if facts.experts else "")
    targets = ("verb", "noun") if of_actions else ("label",)
    keys = [f"{target}_labels" if of_actions else "labels" for target in targets]
    dynamic = "from transformers.dynamic_module_utils import get_class_from_dynamic_module\n" if of_actions else ""
    fine_tune = FINE_TUNE.format(
        imports=auto_processor if of_actions else f"{words['auto_model']}, {auto_processor}",
        dynamic_import=dynamic,
        clips=CLIPS_OF_ACTIONS if of_actions else CLIPS,
        model=model,
        labels=", ".join(f'"{key}": rows["{target}"]' for key, target in zip(keys, targets, strict=True)),
        label_names='\n        label_names=["verb_labels", "noun_labels"],' if of_actions else "",
        **words,
    )
    return Snippets(
        label=None if of_actions else PIPELINE.format(**words),
        classify=(CLASSIFY_ACTIONS if of_actions else CLASSIFY).format(**words) + other_sound,
        fine_tune=fine_tune,
    )
