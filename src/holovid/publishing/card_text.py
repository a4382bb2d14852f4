"""The text of a card, section by section. What is not known is said to be unknown; what cannot apply is left out."""

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

ANSWERS = {
    "class": "It answers with one of its classes whatever the video shows, and its scores are not calibrated.",
    "future": "It answers with one of its classes whatever will happen, and its scores are not calibrated.",
    "multi_label": "It scores each class by itself, from 0 to 1: several may be high, or none. The scores are not "
    "calibrated, and from which one on a class counts as seen has to be chosen.",
    "score": "It gives a number whatever the video shows, which may lie outside of those it was trained on.",
}
# what somebody wants to know of videos who takes such a model
WANTED = {
    "class": "want to know which one of its {} a short clip shows",
    "future": "want to know which one of its {} comes next",
    "multi_label": "want to know which of its {} a short clip shows",
    "score": "want to know how people would rate a short clip",
}
UNKNOWN = "not recorded"
NAMED_CLASSES = 12


def body(subject: Subject) -> str:
    """All sections, ready to be published."""
    sections = [
        introduction(subject),
        readers(subject),
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
    does = "sees and hears" if facts.inputs.sound else "sees"
    text = (
        f"A {facts.family} that {does} a short video and {says(facts, config)}: {variant.about}"
        f"{f' ({papers})' if papers else ''}. {config.num_hidden_layers} layers of width {config.hidden_size}."
    )
    named = "\n\n".join(filter(None, (class_list(task, config) for task in facts.tasks)))
    picture = f"![What the model saw of a clip, and what it answered]({subject.picture})" if subject.picture else ""
    return "\n\n".join(part for part in (f"# {subject.name}", text, named, picture, conversion(subject)) if part)


def readers(subject: Subject) -> str:
    """For whom the model is, and for whom not."""
    facts = subject.facts
    asked = WANTED[facts.tasks[0].kind].format(" and ".join(f"{name}s" for name in facts.classes))
    trained = (subject.records.training or {}).get("steps") != 0
    points = [f"People who {asked}." if trained else "People who want to see how such a model is loaded and trained."]
    points.append("People who fine-tune it on clips of their own; some tens a class are a start.")
    points.append("Not for decisions about people, such as who works, pays attention or does wrong.")
    points.append("Not for long films as they are: cut them, or use `holovid timeline`.")
    return section("Who this is for", "\n".join(f"- {point}" for point in points))


def says(facts: ModelFacts, config: PreTrainedConfig) -> str:
    """What it answers."""
    task, count = facts.tasks[0], next(iter(facts.classes.values()))
    if task.kind == "score":
        names = task.names(config)
        scale = "" if facts.score_range is None else " on a scale from {:g} to {:g}".format(*facts.score_range)
        return f"gives a number for it, its {names[0]}{scale}" if names else "gives a number for it"
    if task.kind == "multi_label":
        return f"says which of {count} {task.name}s it shows, any number of them"
    counts = " and one of ".join(f"{count} {name}s" for name, count in facts.classes.items())
    return f"says which one of {counts} {'will come' if task.kind == 'future' else 'it shows'}"


def class_list(task: Task, config: PreTrainedConfig) -> str:
    """What the classes of a task are called."""
    if task.kind == "score":
        return ""
    classes = "classes" if task.name == LABEL.name else f"{task.name}s"
    if (names := task.names(config)) is None:
        return f"Its {classes} have no names."
    more = f" and {len(names) - NAMED_CLASSES} more" if len(names) > NAMED_CLASSES else ""
    return f"Its {classes}: {', '.join(names[:NAMED_CLASSES])}{more}."


def conversion(subject: Subject) -> str:
    found = subject.records.conversion
    if found is None:
        return ""
    source = f"`{found['source']}` (sha256 `{found['sha256']}`)" if found["source"] else "tensors out of memory"
    settings = ", ".join(f"{name} {value}" for name, value in found["settings"].items() if value is not None)
    given = f" Given beside it, as the file does not tell: {settings}." if settings else ""
    return (
        f"**Converted** by `holovid convert` from {source}, a checkpoint as the released {subject.facts.family} code "
        f"writes them. Its tensors are copied under other names.{given}"
    )


def use(subject: Subject) -> str:
    snippets = subject.snippets
    taught = "numbers" if subject.facts.tasks[0].kind == "score" else "classes"
    parts = [f"The repository carries the code of the model, which `trust_remote_code=True` runs. `{NEEDS}`, then:"]
    if subject.facts.adapters_only:
        parts.append(
            "These are the adapters only: loading fetches the experts and checks that they are the same. To take them "
            'from elsewhere, add `experts={"space": folder, ...}` to `from_pretrained`.'
        )
    if snippets.label:
        parts.append(code(snippets.label))
    parts += ["Step by step:", code(snippets.classify), f"Fine-tune it on {taught} of your own:"]
    command = f"Where holovid is installed, `{snippets.train}` does it, by the recipe for few clips or many."
    return section("Use", *parts, code(snippets.fine_tune), command)


def parity(subject: Subject) -> str:
    variant = variant_of(subject.config)
    if subject.records.conversion is None or not variant.parity:
        return ""
    return section(
        "Equal to the released code",
        f"In {variant.parity} tiny {variant.title} models with random weights, no logit differs from what the "
        f"released code computed by more than {PARITY_BOUND} of the largest; `{PARITY_COMMAND}` in a checkout of "
        "holovid compares them. This file itself was not run through the released code.",
    )


def size(subject: Subject) -> str:
    facts = subject.facts
    share = f"{facts.tuned_parameters:,} ({facts.tuned_parameters / facts.parameters:.0%})"
    rows = [
        ("parameters", f"{facts.parameters:,}"),
        ("of which training tunes", share + (" when the experts are frozen" if facts.experts else "")),
        ("one view", f"{facts.gflop:.4g} GFLOP, which are {facts.gflop / 2:.4g} GMAC"),
    ]
    if facts.adapters_only:
        rows.insert(1, ("in this repository", "the adapters; the experts are fetched"))
    return section("Size and cost", table(("", ""), rows))


def training(subject: Subject) -> str:
    found = subject.records.training
    if found is None:
        if subject.records.conversion:
            text = "By the makers of the converted file; how, on what data and under which licence of it is not in it."
        else:
            text = f"How, on what data, under which licence of the data and on what hardware: {UNKNOWN}."
        return section("Training", text)
    if found.get("steps") == 0:
        return section(
            "Training", f"None: the weights are as they were drawn, with seed {found.get('seed', UNKNOWN)}."
        )
    data = found.get("data") or {}
    source = data.get("source")
    named = " ".join(str(data[key]) for key in ("name", "split") if data.get(key)) or UNKNOWN
    rows = [
        ("started from", found.get("starting_point") or ("the experts below" if subject.origins else "new weights")),
        ("data", named + (f" ([{source}](https://huggingface.co/datasets/{source}))" if source else "")),
        ("clips", f"{data['clips']:,}" if data.get("clips") is not None else UNKNOWN),
        ("licence of the data", data.get("licence") or UNKNOWN),
    ]
    names = {
        "recipe": "recipe", "tuned": "tuned", "epochs": "epochs", "steps": "steps", "seed": "seed",
        "total_batch_size": "clips a step", "learning_rate": "learning rate", "precision": "precision",
    }  # fmt: skip
    rows += [(words, found[key]) for key, words in names.items() if found.get(key) is not None]
    hours, grams = found.get("hours"), found.get("co2_eq_grams")
    rows += [
        ("hardware", found.get("hardware") or UNKNOWN),
        ("hours", f"{hours:g}" if hours is not None else UNKNOWN),
        ("carbon", f"{grams:g} g of CO₂ equivalents" if grams is not None else UNKNOWN),
    ]
    command = found.get("command")
    return section("Training", table(("", ""), rows), code(command, "sh") if command else "")


def provenance(subject: Subject) -> str:
    """Licence, and whose weights these are."""
    parts = [f"The model is under {subject.licence}; its code under apache-2.0."]
    if not subject.origins:
        made = "experts" if subject.facts.experts else "weights"
        parts.append(f"Where its {made} come from: {UNKNOWN}." if subject.records.training is None else "")
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
        parts.append(f"**Not for commercial use**, because of {' and '.join(bound)}.")
    if any(origin.licence is None for origin in subject.origins):
        parts.append("Licences that are unknown here have to be looked up before the model is used.")
    return section("Licence and provenance", *parts, table(("part", "from", "revision", "sha256", "licence"), rows))


def limitations(subject: Subject) -> str:
    facts, inputs = subject.facts, subject.facts.inputs
    points = [
        ANSWERS[facts.tasks[0].kind],
        "It sees "
        + (f"{inputs.num_frames} frames" if inputs.num_frames else "some frames")
        + " of a video, however long that is: what happens between them is not seen. It is for clips of one action, "
        "not for finding actions in long films.",
        "It repeats what its data got wrong: who is seen in them, where, and doing what.",
    ]
    if caveat := variant_of(subject.config).caveat:
        points.insert(0, caveat)
    if inputs.sound:
        points.append(
            f"It hears {inputs.sound.seconds:g} seconds of a clip, of a longer one a part. It is told where there is "
            "no sound, and then knows less."
        )
    if (subject.records.training or {}).get("steps") == 0:
        points.insert(0, "It has not been trained: its answers mean nothing.")
    elif not subject.records.evaluations:
        points.append("How well it works has not been measured.")
    if facts.adapters_only:
        points.append("It does not load without the experts that it names.")
    return section("Limitations", "\n".join(f"- {point}" for point in points))


def citation(subject: Subject) -> str:
    papers = variant_of(subject.config).papers
    return section("Citation", code("\n\n".join(paper.bibtex for paper in papers), "bibtex")) if papers else ""
