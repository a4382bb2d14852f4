"""Three tasks, done from the documentation alone: in an environment that has the wheel, in an empty folder, offline.

Each task is the commands of some sections of docs/, as they stand there; nothing is added but the Hub of the second,
which is a server on this machine.
"""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from hub_server import CLIENT, HubServer
from places import ROOT, TESTS
from strangers import report_without_holovid
from wheel_of_ours import environment_with_wheel

PLUGIN = TESTS / "plugin_family"
FILE = re.compile(r"^`(?P<name>[\w./]+)` [^\n]*:\n\n```\w+\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE)


def section(page: str, heading: str | None = None) -> str:
    """The text below a heading of a page of docs/, up to the next one of its level; without one, what comes first."""
    text = (ROOT / "docs" / page).read_text()
    if heading is None:
        return text.partition("\n## ")[0]
    _, found, after = f"{text}\n".partition(f"\n## {heading}\n")
    assert found, f"docs/{page} has no section {heading!r}"
    return after.partition("\n## ")[0]


def commands(text: str, language: str = "sh") -> list[str]:
    """The command lines of the fenced blocks of this language."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    code = "".join(block for kind, block in blocks if kind == language).replace("\\\n", " ")
    return [line for line in code.splitlines() if line]


class Shell:
    """An environment with the wheel and the extra for training, and an empty folder."""

    def __init__(self, programs: Path, folder: Path):
        self.programs, self.folder = programs, folder
        kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "HF_ENDPOINT")}
        self.environment = kept | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(folder / "home")}

    def __call__(self, line: str) -> str:
        program, *words = shlex.split(line)
        command = [str(self.programs / program), *words]
        if line.startswith("pip install "):  # environments of uv have no pip of their own
            python = str(self.programs / "python")
            command = [str(Path(sys.executable).with_name("uv")), "pip", "install", "--python", python, *words[1:]]
            command += ["--constraints", str(ROOT / "constraints.txt")]
        done = subprocess.run(command, cwd=self.folder, env=self.environment, capture_output=True, text=True)
        assert done.returncode == 0, (line, done.stderr)
        return done.stdout


@pytest.fixture
def shell(tmp_path):
    (tmp_path / "work").mkdir()
    return Shell(environment_with_wheel(tmp_path, extras="train"), tmp_path / "work")


def test_the_package_on_the_page_is_the_package_that_is_tested():
    """And the checklist before it names each of its files."""
    page = (ROOT / "docs" / "families.md").read_text()
    shown = {found["name"]: found["text"] for found in FILE.finditer(page)}
    there = {
        path.relative_to(PLUGIN).as_posix(): path.read_text()
        for path in PLUGIN.rglob("*")
        if path.suffix in (".py", ".pyi", ".toml") and "build" not in path.parts
    }
    assert shown == there, "docs/families.md and tests/plugin_family differ"
    listed = set(re.findall(r"^\| `([\w.]+)` \|", section("families.md", "Checklist"), re.MULTILINE))
    assert {"configuration_framewise.py", "modeling_framewise.py", "family.py", "converting.py"} <= listed
    assert listed <= {Path(name).name for name in there}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_label_a_folder(shell):
    for line in commands(section("label.md")) + commands(section("label.md", "A folder, a table, many files")):
        shell(line)
    (answers,) = shell.folder.glob("answers.*")
    clips = list((shell.folder / "clips" / "val").rglob("*.mp4"))
    text = answers.read_text(encoding="utf-8")
    assert len(clips) == 16 and all(clip.name in text for clip in clips)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_fine_tune_with_audio_and_publish(shell, tmp_path):
    text = section("training.md", "Fine-tune with audio")
    printed = [shell(line) for line in commands(text)]
    assert "Loads without holovid; outputs are " in printed[-1]
    heard, muted = (
        json.loads((shell.folder / place / "results.json").read_text())["metrics"]["top1"]
        for place in ("hearing/evaluation", "muted")
    )
    assert heard > 0.8 and muted < heard - 0.2, (heard, muted)
    (upload,) = (line for line in commands(text, "") if line.startswith("holovid push"))
    with HubServer() as hub:
        shell.environment |= {**CLIENT, "HF_ENDPOINT": hub.url}
        shell(upload)
        assert {"README.md", "model.safetensors", "modeling_ca2st.py"} <= set(hub.files("user/hearing"))
        clip = str(min((shell.folder / "my-clips").rglob("*.mp4")))
        online = {**CLIENT, "HF_ENDPOINT": hub.url}
        [there] = report_without_holovid(tmp_path / "elsewhere", clip, [{"source": "user/hearing"}], **online)
    assert there["classes"][2] == "CA2STForVideoClassification"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_add_a_family(shell):
    for found in FILE.finditer(section("families.md", "A whole package")):
        path = shell.folder / "framewise" / found["name"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(found["text"], encoding="utf-8")
    printed = {line: shell(line) for line in commands(section("families.md", "Try it"))}
    assert "Framewise" in "".join(text for line, text in printed.items() if line.startswith("holovid info"))
    assert "Loads without holovid; outputs are " in printed[next(reversed(printed))]
    assert (shell.folder / "run" / "evaluation" / "results.json").is_file()
