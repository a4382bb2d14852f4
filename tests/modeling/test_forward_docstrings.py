"""Docstrings of `forward`: of each public head what it returns, and an example that runs."""

import doctest
import inspect

import pytest
from toy_models import toy

import holovid
from holovid.families import variants

# what answers: heads and backbones, not the models inside of them
HEADS = sorted(name for name in holovid.__all__ if ("For" in name or name.endswith("Backbone")) and name[0].isupper())


@pytest.mark.parametrize("name", HEADS)
def test_an_example_runs(name):
    forward = getattr(holovid, name).forward
    text = inspect.getdoc(forward)
    assert "\nReturns:\n    [`" in text and text.index("\nReturns:") < text.index("\nExample:")
    example = doctest.DocTestParser().get_doctest(text, {}, name, inspect.getsourcefile(inspect.unwrap(forward)), 0)
    assert name in text and len(example.examples) >= 4
    assert doctest.DocTestRunner().run(example).failed == 0


def test_all_heads_are_there():
    assert len(HEADS) == 9


def test_the_processor_speaks_of_videos():
    text = inspect.getdoc(holovid.HolovidVideoProcessor.__call__)
    assert "videos" in text and "image" not in text


@pytest.mark.parametrize("name", ["xvit", "cast", "videoswin"])
def test_maps_are_those_of_eager_attention(name):
    """Under SDPA there are none, and nothing is switched; docs/concepts.md says so."""
    model, inputs = toy(variants()[name])
    assert model.config._attn_implementation == "sdpa"
    assert model(**inputs, output_attentions=True).attentions == ()
    model.set_attn_implementation("eager")
    assert len(model(**inputs, output_attentions=True).attentions) > 0
