"""The text of a card, section by section.

A section that cannot apply to the model is left out; a fact that was not recorded is said to be unknown.
"""

from transformers import PreTrainedConfig

from holovid.facts import ModelFacts, input_lines
from holovid.families.family import variant_of
from holovid.modeling.tasks import LABEL, Task
from holovid.publishing.card_results import results, results_by_class, results_of_papers
from holovid.publishing.card_snippets import NEEDS
from holovid.publishing.licences import is_non_commercial
from holovid.publishing.markdown import code, section, table
from holovid.publishing.papers import PARITY_BOUND, PARITY_COMMAND
from holovid.publishing.subject import Subject

# what a user must know about the predictions, by kind of task
ANSWERS = {
    "class": "It always predicts one of its classes, whatever the video shows. Its scores are not calibrated.",
    "future": "It always predicts one of its classes, whatever happens next. Its scores are not calibrated.",
    "multi_label": "It scores each class independently, from 0 to 1: several classes can score high, or none. The "
    "scores are not calibrated; choose the threshold on your own data.",
    "score": "It predicts a number for any video. The number may lie outside the range of the training data.",
}
# the first intended use, by kind of task
USES = {
    "class": "Predicting which one of its {} a short clip shows.",
    "future": "Predicting which one of its {} comes next.",
    "multi_label": "Predicting which of its {} a short clip shows.",
    "score": "Predicting how people would rate a short clip.",
}
UNKNOWN = "not recorded"
NAMED_CLASSES = 12


def body(subject: Subject) -> str:
    sections = [
        introduction(subject),
        uses(subject),
        use(subject),
        section("Input", table(("", ""), input_lines(subject.facts.inputs).items())),
        results(subject),
        results_by_class(subject),
        results_of_papers(subject),
        parity(subject),
        size(subject),
        training(subject),
        provenance(subject),
        limitations(subject),
        citation(subject),
    ]
    return "\n\n".join(text for text in sections if text) + "\n"


def introduction(subject: Subject) -> str:
    facts, config = subject.facts, subject.config
    variant = variant_of(config)
    papers = " and ".join(f"[{paper.title}]({paper.address})" for paper in variant.papers)
    inputs = "its frames and its audio" if facts.inputs.sound else "its frames"
    text = (
        f"This {facts.family} model {predicts(facts, config)}, from {inputs}. Architecture: {variant.about}"
        f"{f' ({papers})' if papers else ''}. It has {config.num_hidden_layers} layers of width {config.hidden_size}."
    )
    named = "\n\n".join(filter(None, (class_list(task, config) for task in facts.tasks)))
    picture = f"![Frames of a clip, and what the model predicted for it]({subject.picture})" if subject.picture else ""
    return "\n\n".join(part for part in (f"# {subject.name}", text, named, picture, conversion(subject)) if part)


def plural(task: str) -> str:
    """What the classes of a task are called: "verbs" of "verb"."""
    return "classes" if task == LABEL.name else f"{task}s"


def predicts(facts: ModelFacts, config: PreTrainedConfig) -> str:
    """ "predicts one of 5 classes for a short video clip", for each kind of task."""
    task, count = facts.tasks[0], next(iter(facts.classes.values()))
    if task.kind == "score":
        name = next(iter(task.names(config) or ()), "a number")
        scale = "" if facts.score_range is None else ", on a scale from {:g} to {:g}".format(*facts.score_range)
        return f"predicts {name} for a short video clip{scale}"
    if task.kind == "multi_label":
        return f"predicts which of {count} {plural(task.name)} a short video clip shows, any number of them"
    counts = " and one of ".join(f"{count} {plural(name)}" for name, count in facts.classes.items())
    return f"predicts one of {counts} " + (
        "that comes next in a video" if task.kind == "future" else "for a short video clip"
    )


def class_list(task: Task, config: PreTrainedConfig) -> str:
    """The names of a task's classes, the first ones if there are many."""
    if task.kind == "score":
        return ""
    if (names := task.names(config)) is None:
        return f"The {plural(task.name)} have no names."
    more = f" and {len(names) - NAMED_CLASSES} more" if len(names) > NAMED_CLASSES else ""
    return f"{plural(task.name).capitalize()}: {', '.join(names[:NAMED_CLASSES])}{more}."


def uses(subject: Subject) -> str:
    facts = subject.facts
    asked = USES[facts.tasks[0].kind].format(" and ".join(plural(name) for name in facts.classes))
    trained = (subject.records.training or {}).get("steps") != 0
    points = [
        asked if trained else "Trying how such a model is loaded and trained.",
        "Fine-tuning on your own clips. A few tens of clips per class are enough to start.",
        "Not for decisions about people, such as who is working, paying attention or breaking rules.",
        "Not for long films as they are: cut them into clips, or use `holovid timeline`.",
    ]
    return section("Intended use", "\n".join(f"- {point}" for point in points))


def conversion(subject: Subject) -> str:
    found = subject.records.conversion
    if found is None:
        return ""
    source = f"`{found['source']}` (sha256 `{found['sha256']}`)" if found["source"] else "tensors in memory"
    settings = ", ".join(f"{name} {value}" for name, value in found["settings"].items() if value is not None)
    given = f" The checkpoint does not store these settings, so they were set by hand: {settings}." if settings else ""
    return (
        f"**Converted** by `holovid convert` from {source}, a checkpoint in the format of the released "
        f"{subject.facts.family} code. The tensors were copied and renamed.{given}"
    )


def use(subject: Subject) -> str:
    snippets = subject.snippets
    taught = "scores" if subject.facts.tasks[0].kind == "score" else "classes"
    parts = [
        f"Install what the model needs: `{NEEDS}`. The model's code is part of this repository; "
        "`trust_remote_code=True` allows transformers to run it."
    ]
    if subject.facts.adapters_only:
        parts.append(
            "This repository holds the adapters only. Loading downloads the experts and checks that they are the "
            'right ones. To load them from elsewhere, pass `experts={"space": folder, ...}` to `from_pretrained`.'
        )
    if snippets.label:
        parts.append(code(snippets.label))
    parts += ["Step by step:", code(snippets.classify), f"Fine-tune it on your own {taught}:"]
    command = (
        f"If holovid is installed, `{snippets.train}` does the same with a training recipe that adapts to the number "
        "of clips."
    )
    return section("Use", *parts, code(snippets.fine_tune), command)


def parity(subject: Subject) -> str:
    variant = variant_of(subject.config)
    if subject.records.conversion is None or not variant.parity:
        return ""
    return section(
        "Parity with the released code",
        f"We ran {variant.parity} tiny {variant.title} models with random weights through the released code and "
        f"through holovid. Every logit agrees within {PARITY_BOUND} of the largest logit. To repeat the check, run "
        f"`{PARITY_COMMAND}` in a checkout of holovid. The weights of this repository were not run through the "
        "released code.",
    )


def size(subject: Subject) -> str:
    facts = subject.facts
    share = f"{facts.tuned_parameters:,} ({facts.tuned_parameters / facts.parameters:.0%})"
    rows = [
        ("parameters", f"{facts.parameters:,}"),
        ("trainable parameters", share + (" when the experts are frozen" if facts.experts else "")),
        ("compute per view", f"{facts.gflop:.4g} GFLOP ({facts.gflop / 2:.4g} GMAC)"),
    ]
    if facts.adapters_only:
        rows.insert(1, ("weights in this repository", "the adapters; loading downloads the experts"))
    return section("Size and cost", table(("", ""), rows))


def training(subject: Subject) -> str:
    found = subject.records.training
    if found is None:
        if subject.records.conversion:
            text = (
                "The weights were trained by the authors of the converted checkpoint. The checkpoint does not say "
                "how, on which data, or under which licence of the data."
            )
        else:
            text = f"Training procedure, data, licence of the data and hardware: {UNKNOWN}."
        return section("Training", text)
    if found.get("steps") == 0:
        return section("Training", f"Not trained: the weights are random (seed {found.get('seed', UNKNOWN)}).")
    data = found.get("data") or {}
    source = data.get("source")
    named = " ".join(str(data[key]) for key in ("name", "split") if data.get(key)) or UNKNOWN
    start = found.get("starting_point") or ("the experts below" if subject.origins else "random weights")
    rows = [
        ("started from", start),
        ("data", named + (f" ([{source}](https://huggingface.co/datasets/{source}))" if source else "")),
        ("clips", f"{data['clips']:,}" if data.get("clips") is not None else UNKNOWN),
        ("licence of the data", data.get("licence") or UNKNOWN),
    ]
    names = {
        "recipe": "recipe", "tuned": "trained parameters", "epochs": "epochs", "steps": "steps", "seed": "seed",
        "total_batch_size": "batch size", "learning_rate": "learning rate", "precision": "precision",
    }  # fmt: skip
    rows += [(words, found[key]) for key, words in names.items() if found.get(key) is not None]
    hours, grams = found.get("hours"), found.get("co2_eq_grams")
    rows += [
        ("hardware", found.get("hardware") or UNKNOWN),
        ("hours", f"{hours:g}" if hours is not None else UNKNOWN),
        ("emissions", f"{grams:g} g of CO₂ equivalents" if grams is not None else UNKNOWN),
    ]
    command = found.get("command")
    return section("Training", table(("", ""), rows), code(command, "sh") if command else "")


def provenance(subject: Subject) -> str:
    parts = [f"The weights are licensed under {subject.licence}, the code under apache-2.0."]
    if not subject.origins:
        made = "experts" if subject.facts.experts else "weights"
        parts.append(f"Origin of the {made}: {UNKNOWN}." if subject.records.training is None else "")
        return section("Licence and provenance", *parts)
    rows = [
        (
            origin.part,
            f"[{origin.source}](https://huggingface.co/{origin.source})" if origin.source else UNKNOWN,
            f"`{origin.revision}`" if origin.revision else UNKNOWN,
            f"`{origin.sha256}`" if origin.sha256 else UNKNOWN,
            origin.licence or "unknown",
        )
        for origin in subject.origins
    ]
    bound = [f"the {origin}" for origin in subject.origins if is_non_commercial(origin.licence)]
    if bound:
        parts.append(f"**Not for commercial use**: forbidden by the licence of {' and of '.join(bound)}.")
    if any(origin.licence is None for origin in subject.origins):
        parts.append("Where a licence is unknown here, look it up before you use the model.")
    return section("Licence and provenance", *parts, table(("part", "source", "revision", "sha256", "licence"), rows))


def limitations(subject: Subject) -> str:
    facts, inputs = subject.facts, subject.facts.inputs
    frames = f"{inputs.num_frames} frames" if inputs.num_frames else "a sample of the frames"
    points = [
        ANSWERS[facts.tasks[0].kind],
        f"It looks at {frames} of a clip, however long the clip is, and misses what happens between them. Use it for "
        "clips of one action, not to find actions in long films.",
        "It reproduces the biases of its training data: which people and places appear there, and what they do.",
    ]
    if caveat := variant_of(subject.config).caveat:
        points.insert(0, caveat)
    if inputs.sound:
        points.append(
            f"It listens to {inputs.sound.seconds:g} s of audio; longer clips are cropped. Without audio it predicts "
            "from video alone, less accurately."
        )
    if (subject.records.training or {}).get("steps") == 0:
        points.insert(0, "It has not been trained: its predictions are meaningless.")
    elif not subject.records.evaluations:
        points.append("Its accuracy has not been measured.")
    if facts.adapters_only:
        points.append("It does not load without the experts, which are not in this repository.")
    return section("Limitations", "\n".join(f"- {point}" for point in points))


def citation(subject: Subject) -> str:
    papers = variant_of(subject.config).papers
    return section("Citation", code("\n\n".join(paper.bibtex for paper in papers), "bibtex")) if papers else ""
