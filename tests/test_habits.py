"""Workflows, issue forms, citation and version: files that no program here reads, held to what the checkout has."""

import ast
import re
import tomllib
from importlib.metadata import version
from itertools import product
from pathlib import Path

import pytest
import yaml
from places import ROOT

import holovid
from holovid.families import families

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
MAKEFILE = (ROOT / "Makefile").read_text()


def read(path: Path) -> dict:
    # YAML 1.1 takes the key `on` for True
    return {"on" if key is True else key: value for key, value in yaml.safe_load(path.read_text()).items()}


def commands_of(workflow: dict) -> list[str]:
    """What its steps run, once for each value of the matrix."""
    found = []
    for job in workflow["jobs"].values():
        matrix = job.get("strategy", {}).get("matrix", {})
        for values in product(*matrix.values()):
            chosen = dict(zip(matrix, values, strict=True))
            for step in job["steps"]:
                run = step.get("run", "")
                found.append(re.sub(r"\$\{\{ matrix\.(\w+) \}\}", lambda place: chosen[place[1]], run))  # noqa: B023
    return [line.strip() for run in found for line in run.splitlines()]


def make_targets() -> set[str]:
    rules = re.findall(r"^([\w. -]+?):(?!=)", MAKEFILE, re.MULTILINE)
    return {name for rule in rules for name in rule.split()} - {".PHONY"}


def test_every_target_of_make_is_phony_and_says_what_it_does():
    phony = set(re.search(r"^\.PHONY:((?:.*\\\n)*.*)$", MAKEFILE, re.MULTILINE)[1].replace("\\\n", " ").split())
    assert phony == make_targets() - {".venv/ready"}


def test_workflows_name_commands_that_there_are():
    assert {path.name for path in WORKFLOWS} == {"test.yml", "nightly.yml", "release.yml"}
    targets = make_targets()
    for path in WORKFLOWS:
        lines = commands_of(read(path))
        assert lines
        for line in lines:
            program, *words = line.split()
            assert program in ("make", "test"), line
            if program == "make":
                target, *variables = words
                assert target in targets, (path.name, line)
                assert all(re.match(r"[A-Z]+=", word) and f"{word.split('=')[0]} ?=" in MAKEFILE for word in variables)
    run = {line.split()[1] for path in WORKFLOWS for line in commands_of(read(path)) if line.startswith("make")}
    assert {"test", "test-all", "main", "newest", "lowest", "package"} <= run


def test_actions_are_pinned_by_major():
    for path in WORKFLOWS:
        steps = [step for job in read(path)["jobs"].values() for step in job["steps"]]
        assert steps and all(("uses" in step) != ("run" in step) for step in steps)
        for step in steps:
            if "uses" in step:
                assert re.fullmatch(r"(actions|pypa)/[\w-]+@(v\d+|release/v\d+)", step["uses"]), step["uses"]


def test_tests_run_on_each_system_and_python():
    (job,) = read(ROOT / ".github" / "workflows" / "test.yml")["jobs"].values()
    matrix = job["strategy"]["matrix"]
    assert matrix == {
        "os": ["ubuntu-latest", "macos-latest", "windows-latest"], "python": ["3.11", "3.13"],
    }  # fmt: skip
    lowest = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    assert lowest == f">={matrix['python'][0]}"


def test_only_a_tag_publishes_and_only_what_was_checked():
    workflow = read(ROOT / ".github" / "workflows" / "release.yml")
    publish = workflow["jobs"]["publish"]
    assert publish["needs"] == "package" and publish["if"] == "${{ startsWith(github.ref, 'refs/tags/') }}"
    assert publish["permissions"] == {"id-token": "write"} and workflow["on"]["push"] == {"tags": ["v*"]}
    for path in WORKFLOWS:
        assert read(path)["permissions"] == {"contents": "read"}
        assert "secrets." not in path.read_text()


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_issue_forms(path):
    form = read(path)
    if path.stem == "config":
        assert form == {"blank_issues_enabled": True}
        return
    assert form["name"] and form["description"] and form["body"]
    fields = [field for field in form["body"] if field["type"] != "markdown"]
    assert len({field["id"] for field in fields}) == len(fields)
    assert all(field["attributes"]["label"] for field in fields)
    assert any(field.get("validations", {}).get("required") for field in fields)


def test_one_source_of_the_version():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert settings["project"]["dynamic"] == ["version"] and "version" not in settings["project"]
    assert settings["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "holovid.__version__"}
    assert version("holovid") == holovid.__version__, "install anew: the package is of another version"
    # what is read as text must be text
    body = ast.parse((ROOT / "src" / "holovid" / "__init__.py").read_text()).body
    values = [node.value for node in body if isinstance(node, ast.Assign) and "__version__" in ast.unparse(node)]
    assert [ast.literal_eval(value) for value in values] == [holovid.__version__]
    assert "version:" not in (ROOT / "CITATION.cff").read_text().replace("cff-version:", "")


def test_citation_has_the_papers_of_all_families():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["cff-version"] == "1.2.0" and {"message", "title", "authors"} <= set(citation)
    papers = {
        paper.address: paper
        for family in families().values()
        for variant in family.variants
        for paper in variant.papers
    }
    references = {reference["url"]: reference for reference in citation["references"]}
    assert set(references) == set(papers) and len(references) == len(citation["references"])
    for address, reference in references.items():
        assert reference["title"] == papers[address].title
        assert f"year={{{reference['year']}}}" in papers[address].bibtex
        assert reference["type"] in ("article", "conference-paper")
        for author in reference["authors"]:
            assert f"{author['family-names']}, {author['given-names']}" in papers[address].bibtex


def test_what_contributing_tells_to_type_is_there():
    text = "".join((ROOT / name).read_text() for name in ("CONTRIBUTING.md", ".github/pull_request_template.md"))
    named = set(re.findall(r"\bmake ([a-z][\w-]+)(?=[\s`])", text)) - {"lock"}
    assert len(named) > 8 and named <= make_targets()
    for path in re.findall(r"(?:tests|docs|src)/[\w/]+\.\w+", text):
        assert (ROOT / path).is_file(), path
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", text):
        assert (ROOT / target).exists(), target
