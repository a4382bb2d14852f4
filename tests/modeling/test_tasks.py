"""What heads are asked, and what every configuration says of hearing and experts."""

import pytest

from holovid import (
    CA2STConfig,
    CA2STForActionRecognition,
    CA2STForVideoClassification,
    CA2STModel,
    XViTConfig,
    XViTForVideoClassification,
    XViTModel,
)
from holovid.loading import heads_of
from holovid.modeling.tasks import LABEL, Task, tasks_of


def test_heads_say_what_they_are_asked():
    assert XViTForVideoClassification.tasks == CA2STForVideoClassification.tasks == (LABEL,)
    assert [task.name for task in CA2STForActionRecognition.tasks] == ["verb", "noun"]
    assert [task.labels for task in CA2STForActionRecognition.tasks] == ["verb_labels", "noun_labels"]
    assert tasks_of(XViTModel, XViTConfig()) == tasks_of(CA2STModel, CA2STConfig()) == ()
    assert set(heads_of(CA2STConfig())) == {CA2STForVideoClassification, CA2STForActionRecognition}


@pytest.mark.parametrize(
    ("problem_type", "kind"),
    [
        (None, "class"),
        ("single_label_classification", "class"),
        ("multi_label_classification", "multi_label"),
        ("regression", "score"),
    ],
)
def test_the_problem_of_a_configuration_is_that_of_its_classifier_alone(problem_type, kind):
    config = CA2STConfig(problem_type=problem_type)
    assert [task.kind for task in tasks_of(CA2STForVideoClassification, config)] == [kind]
    assert [task.kind for task in tasks_of(CA2STForActionRecognition, config)] == ["class", "class"]


def test_classes_of_a_task():
    config = CA2STConfig(num_verbs=2, id2verb={0: "cut", 1: "wash"}, num_nouns=3, num_labels=4)
    verb, noun = CA2STForActionRecognition.tasks
    assert (verb.count(config), verb.names(config)) == (2, ["cut", "wash"])
    assert (noun.count(config), noun.names(config)) == (3, None)
    assert (LABEL.count(config), LABEL.names(config)) == (4, None)


def test_settings_of_a_task_make_a_configuration_with_its_classes():
    verb, _ = CA2STForActionRecognition.tasks
    config = CA2STConfig(**verb.settings(["cut", "wash"]))
    assert verb.names(config) == ["cut", "wash"]
    config = XViTConfig(**LABEL.settings(["left", "right"]))
    assert LABEL.names(config) == ["left", "right"] and config.problem_type == "single_label_classification"
    number = Task("label", labels="labels", scores="logits", kind="score")
    config = XViTConfig(**number.settings([]))
    assert (config.num_labels, config.problem_type) == (1, "regression")


def test_every_configuration_answers_what_tools_ask(tmp_path):
    sees, hears = XViTConfig(), CA2STConfig.cava_base()
    assert (sees.hears, sees.experts, sees.expert_sources, sees.adapters_only) == (False, (), None, False)
    assert hears.hears and not CA2STConfig.cast_base().hears
    for config in (sees, hears):
        config.save_pretrained(tmp_path)
        assert '"hears"' not in (tmp_path / "config.json").read_text()
    sees.save_pretrained(tmp_path)
    assert '"experts"' not in (tmp_path / "config.json").read_text()
