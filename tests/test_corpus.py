"""Damaged, odd and hostile inputs end in the right answer or in a sentence, within bounds: see corpus/runner.py.

One case: .venv/bin/python -m pytest tests/test_corpus.py -k "animated GIF"; tests/corpus/runner.py is quicker.
"""

import pytest
from corpus.runner import GROUPS, RIGHT, Corpus, cases_of

EACH = 20  # every twentieth case of a group is tried by the fast tests, all by the slow ones


@pytest.fixture(scope="module")
def corpus():
    with Corpus() as corpus:
        yield corpus


def parameters():
    for group in GROUPS:
        for number, name in enumerate(cases_of(group)):
            marks = () if number % EACH == 0 else pytest.mark.slow
            yield pytest.param(group, name, id=f"{group}: {name}", marks=marks)


@pytest.mark.parametrize(("group", "name"), list(parameters()))
def test_case(corpus, group, name):
    result = corpus.run(group, name)
    assert result["kind"] in RIGHT, f"{result['kind']}: {result['why']}"


def test_there_are_enough():
    counts = {group: len(cases_of(group)) for group in GROUPS}
    assert min(counts.values()) >= 50 and sum(counts.values()) >= 500
