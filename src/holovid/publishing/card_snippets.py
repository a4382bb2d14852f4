"""The code that a card shows. It needs transformers, not holovid; tests run every snippet against a saved model."""

import json
import shlex
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
    {logits} = model(**inputs).{logits}
{say}
"""

SAY = {
    "class": "print(model.config.id2label[logits.argmax(-1).item()])",
    "multi_label": "scores = logits[0].sigmoid()  # each from 0 to 1\n"
    "print([label for number, label in model.config.id2label.items() if scores[number] > 0.5])",
    "score": "print(logits.item())",
}
SAY["future"] = SAY["class"]

# models with several heads, such as verbs and nouns, have no Auto class
CLASSIFY_SEVERAL = """\
import torch
from transformers import {auto_processor}
from transformers.dynamic_module_utils import get_class_from_dynamic_module

model_class = get_class_from_dynamic_module("{module}.{model_class}", "{name}")
processor = {auto_processor}.from_pretrained("{name}", trust_remote_code=True)
model = model_class.from_pretrained("{name}")
inputs = processor("clip.mp4", return_tensors="pt"){with_sound}
with torch.no_grad():
    outputs = model(**inputs)
print({answers})
"""

OTHER_SOUND = """
waveform = torch.zeros(2, 48_000)  # or give the audio yourself: (channels, samples), here a second of silence
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
        remove_unused_columns=False,  # keeps the column of paths, which `read` needs
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

CLIPS_OF_KINDS = {
    "class": CLIPS,
    "future": CLIPS,
    "multi_label": CLIPS.replace("[0, 1]", "[[1.0, 0.0], [1.0, 1.0]]"),
    "score": CLIPS.partition("\n")[2].replace("[0, 1]", "[0.5, 2.5]"),
}

CLIPS_OF_SEVERAL = """\
clips = Dataset.from_dict({{"video": ["left.mp4", "right.mp4"], {answers}}})"""

NEW_CLASSES = """\
model = {auto_model}.from_pretrained(
    "{name}",
    trust_remote_code=True,
    id2label=dict(enumerate(names)),
    label2id={{name: index for index, name in enumerate(names)}},
    ignore_mismatched_sizes=True,  # the classification layer is new
)"""

SAME_NUMBER = """\
model = {auto_model}.from_pretrained("{name}", trust_remote_code=True)"""

NEW_SEVERAL = """\
model_class = get_class_from_dynamic_module("{module}.{model_class}", "{name}")
model = model_class.from_pretrained("{name}", {counts}, ignore_mismatched_sizes=True)"""

FREEZE = "\nmodel.freeze_experts()  # trains only the layers that join the experts, as the paper does"


@dataclass(frozen=True)
class Snippets:
    """Python to paste, and a command; `label` is `None` if no pipeline of transformers fits the model."""

    label: str | None
    classify: str
    fine_tune: str
    train: str


def write_snippets(facts: ModelFacts, name: str, module: str, auto_processor: str) -> Snippets:
    """
    Args:
        facts: facts of the model.
        name: Hub id or folder to load it from.
        module: file of its class, without ".py".
        auto_processor: Auto class of the processor that is saved with it.
    """
    hears, tasks, several = facts.inputs.sound is not None, facts.tasks, len(facts.tasks) > 1
    words = {
        "name": json.dumps(name, ensure_ascii=False)[1:-1],  # in quotes: folders have any name
        "module": module,
        "model_class": facts.model_class,
        "auto_model": "AutoModelForVideoClassification",
        "auto_processor": auto_processor,
        "with_sound": "  # reads the audio track too, aligned with the sampled frames" if hears else "",
        "logits": tasks[0].scores,
    }
    other_sound = OTHER_SOUND.format(**words) if hears else ""
    freeze = FREEZE if facts.experts else ""
    target = f" --target {' '.join(task.name for task in tasks)}" if several else ""
    train = f"holovid train clips --model {shlex.quote(name)}{target} --output fine-tuned"
    labels = ", ".join(f'"{task.labels}": rows["{task.name}"]' for task in tasks)
    if not several:
        task, kind = tasks[0], tasks[0].kind
        clips = CLIPS_OF_KINDS[kind].replace('"label"', f'"{task.name}"')
        if facts.score_range is not None:
            clips = clips.replace("[0.5, 2.5]", str([*facts.score_range]))
        fine_tune = FINE_TUNE.format(
            imports=f"{words['auto_model']}, {auto_processor}",
            dynamic_import="",
            clips=clips,
            model=(SAME_NUMBER if kind == "score" else NEW_CLASSES).format(**words) + freeze,
            labels=labels,
            label_names="",
            **words,
        )
        # the pipeline of transformers reads every output as a class
        pipeline = PIPELINE.format(**words) if task.has_fields else None
        say = SAY[kind].replace("logits", task.scores)
        return Snippets(pipeline, CLASSIFY.format(**words, say=say) + other_sound, fine_tune, train)
    best = ", ".join(f'"{task.name}", outputs.{task.scores}.argmax(-1).item()' for task in tasks)
    answers = ", ".join(f'"{task.name}": [{place % 2}, {1 - place % 2}]' for place, task in enumerate(tasks))
    names = ", ".join(f'"{task.labels}"' for task in tasks)
    fine_tune = FINE_TUNE.format(
        imports=auto_processor,
        dynamic_import="from transformers.dynamic_module_utils import get_class_from_dynamic_module\n",
        clips=CLIPS_OF_SEVERAL.format(answers=answers),
        model=NEW_SEVERAL.format(**words, counts=", ".join(f"{task.count_field}=2" for task in tasks)) + freeze,
        labels=labels,
        label_names=f"\n        label_names=[{names}],",
        **words,
    )
    return Snippets(None, CLASSIFY_SEVERAL.format(**words, answers=best) + other_sound, fine_tune, train)
