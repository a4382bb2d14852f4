"""What a card says of how well the model answers: what was measured, class by class, and what papers report."""

from collections.abc import Mapping, Sequence
from typing import Any

from holovid.evaluation.metric_names import metrics_in_order, shown, title_of
from holovid.publishing.markdown import code, section, table
from holovid.publishing.papers import reported
from holovid.publishing.subject import Subject

MEASURED = {
    "class": "Accuracies in percent",
    "future": "Accuracies in percent",
    "multi_label": "In percent: mAP, the mean over classes of their average precision, and top-k, the share of clips "
    "of which one class is among the k with the highest scores",
    "score": "MAE and RMSE in the unit of the number; the correlations of Pearson (PLCC), Spearman (SROCC) and "
    "Kendall (KROCC) from -1 to 1, the last column after a logistic curve of four parameters was fitted to the clips",
}
# what others report of such a model
REPORTED = {"class": "accuracy in %", "future": "accuracy in %", "multi_label": "in %", "score": "correlation"}
# what evaluations take away, as the column of a table says it
INTERVENTIONS = {"shuffle_frames": "frames shuffled", "hold_still": "one frame held", "mute": "muted"}
# how well a class is found
OF_CLASS = {"top1": "found, %", "average_precision": "average precision, %"}
MOST_CLASSES = 20  # in a table
MOST_PAIRS = 5


def views(protocol: Mapping[str, Any]) -> str:
    flips = " x 2 flips" if protocol.get("flips") else ""
    return f"{protocol['views']} x {protocol['crops']}{flips} views"


def by_whether_fused(
    evaluations: Sequence[Mapping[str, Any]],
) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]]:
    """Evaluations of a model alone, and those of several that answered together."""
    alone = [each for each in evaluations if "fused" not in each["protocol"]]
    return alone, [each for each in evaluations if "fused" in each["protocol"]]


def results(subject: Subject) -> str:
    """Only what `holovid evaluate` has measured."""
    found = subject.records.evaluations
    title = "Results, measured"
    if not found:
        return section(title, "None: this model has not been evaluated.")
    alone, fused = by_whether_fused(found)
    names = metrics_in_order(name for each in found for name in each["metrics"])
    rows = []
    for each in alone:
        protocol, counts = each["protocol"], each["counts"]
        taken = [INTERVENTIONS.get(name, name.replace("_", " ")) for name in protocol["intervention"]]
        data = name_of_data(each)
        scores = [shown(name, each["metrics"].get(name)) for name in names]
        how = f"{protocol['frames'] or 'all'} {protocol['sampling']}"
        asked = (views(protocol), how, protocol["ensemble"], ", ".join(taken) or "nothing")
        rows.append((data, counts["evaluated"], counts["broken"], *asked, *scores))
    head = ("data", "clips", "broken", "time x space", "frames", "averaged", "taken away")
    means = []
    for sets, values in subject.records.means.items():
        told = ", ".join(f"{title_of(name)} {shown(name, value)}" for name, value in values.items())
        means.append(f"Harmonic mean of {sets}: {told}.")
    together = [
        (
            each["model"]["name"],
            each["counts"]["evaluated"],
            each["counts"]["broken"],
            *(shown(name, each["metrics"].get(name)) for name in names),
        )
        for each in fused
    ]
    commands = dict.fromkeys(each["command"] for each in found if each.get("command"))
    return section(
        title,
        f"{MEASURED[subject.facts.tasks[0].kind]}, by `holovid evaluate`, of the weights in this repository."
        if alone
        else "Not measured alone.",
        table((*head, *map(title_of, names)), rows) if alone else "",
        *means,
        "Probabilities of several models, each times its weight, added up by `holovid evaluate --fuse`:"
        if fused
        else "",
        table(("models", "clips", "broken", *map(title_of, names)), together) if fused else "",
        code("\n".join(commands), "sh") if commands else "",
    )


def name_of_data(evaluation: Mapping[str, Any]) -> str:
    """Of which clips an evaluation is, such as "ssv2 validation"."""
    return " ".join(filter(None, (evaluation["dataset"]["name"], evaluation["dataset"]["split"])))


def results_by_class(subject: Subject) -> str:
    """How well each class is found, what is taken for what, and pictures: of evaluations that took nothing away."""
    found = [each for each in by_whether_fused(subject.records.evaluations)[0] if not each["protocol"]["intervention"]]
    parts = []
    for each in found:
        for task, classes in each.get("per_class", {}).items():
            if classes:
                asked = f", {task}" if len(each["per_class"]) > 1 else ""
                parts += [f"### {name_of_data(each)}{asked}", class_table(classes), confused(each, task)]
    pictures = [f"![{about}]({path})" for path, about in subject.records.pictures.items()]
    return section("Results by class", *parts, *pictures) if parts or pictures else ""


def class_table(classes: Mapping[str, Mapping[str, Any]]) -> str:
    """Clips of each class and how well they are found; of many classes those that are found least."""
    (measure,) = OF_CLASS.keys() & next(iter(classes.values()))
    worst = sorted(classes, key=lambda name: classes[name][measure])
    listed = [*classes] if len(classes) <= MOST_CLASSES else worst[:MOST_CLASSES]
    rows = [(name, classes[name]["clips"], f"{100 * classes[name][measure]:.2f}") for name in listed]
    told = table(("class", "clips", OF_CLASS[measure]), rows)
    return (
        told if len(rows) == len(classes) else f"The {len(rows)} of {len(classes)} classes that are worst:\n\n{told}"
    )


def confused(evaluation: Mapping[str, Any], task: str) -> str:
    """The pairs of classes that are confused most often."""
    pairs = evaluation.get("most_confused", {}).get(task, [])[:MOST_PAIRS]
    told = [f"{pair['label']} is taken for {pair['prediction']} ({pair['clips']} clips)" for pair in pairs]
    return f"Confused most often: {', '.join(told)}." if told else ""


def results_of_papers(subject: Subject) -> str:
    """What papers report of such a model, if it was converted from one."""
    config = subject.config
    if subject.records.conversion is None:
        return ""
    found = reported(subject.facts, config)
    if not found:
        return ""
    return section(
        "Results, published",
        "Reported by others of a released model of this kind and size with as many classes and frames; not measured "
        "here, and whether with this file cannot be told from it.",
        table(
            ("data", REPORTED[subject.facts.tasks[0].kind], "time x space", "source"),
            [(figure.dataset, figure.accuracy, figure.views, figure.source) for figure in found],
        ),
    )
