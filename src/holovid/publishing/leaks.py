"""What must not be published: secrets, local paths and the user's name.

`forget_places` removes paths that libraries write into JSON by themselves; `find_leaks` lists what is left, for a
person to judge.
"""

import getpass
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

SECRETS = {
    "a token of Hugging Face": re.compile(r"\bhf_[A-Za-z0-9]{20,}"),
    "a key of AWS": re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
    "a private key": re.compile(r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY"),
    "a token of GitHub": re.compile(r"\b(?:gh[opsur]_[A-Za-z0-9]{30,}|github_pat_\w{30,})"),
    "a key of an API": re.compile(r"\b(?:sk-[A-Za-z0-9_-]{20,}|xox[abprs]-[A-Za-z0-9-]{10,}|AIza[A-Za-z0-9_-]{35})"),
    "a password in an address": re.compile(r"://[^\s/:@]+:[^\s/:@]+@"),
    "a web token": re.compile(r"\beyJ[\w-]{10,}\.[\w-]{10,}\."),
    # only a value of one word without dots, quoted or in a URL: code and names of weights contain "token" too
    "a secret": re.compile(
        r"""(?i)(?:token|secret|passw(?:or)?d|api_?key|access_?key)["']?\s*"""
        r"""(?:[:=]\s*["'][\w!@#$%^&*/+=-]{8,}["']|=[\w-]{16,})"""
    ),
}
# /a/b, C:\a, ~/a, file:///a; not the end of a URL (https://a/b) or of a relative path (a/b)
PLACE = re.compile(r"(?<![\w.:/~$%}*-])(?:file://)?(?:(?:/[\w.@+%=-]+){2,}|[A-Za-z]:\\+\w[\w\\.-]*|~[\w.-]*/[\w.-]+)")
# common roots of paths; not `/m/0k4j`, which is a class of AudioSet
ROOTS = (
    *("/home", "/Users", "/root", "/tmp", "/var", "/etc", "/usr", "/opt", "/mnt", "/media"),
    *("/data", "/scratch", "/workspace", "/content", "/kaggle"),
)
SCANNED = {".json", ".md", ".py", ".txt", ".yaml", ".yml", ".csv", ".svg", ""}
WITH_PLACES = {".json", ".md", ".txt", ".yaml", ".yml", ".csv"}
# paths that transformers and training scripts write, and models do not need
NOTED_PLACES = {"_name_or_path", "name_or_path", "output_dir", "logging_dir", "cache_dir"}
SOURCE = "source"  # where an expert was read from; without it, the hash still identifies the expert


def forget_places(path: Path) -> None:
    """Remove entries that name a local folder, such as `_name_or_path`, from a JSON file.

    A local `source` becomes null.
    """
    settings = json.loads(path.read_text(encoding="utf-8"))
    if (public := without_places(settings)) != settings:
        text = json.dumps(public, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
        path.write_text(text, encoding="utf-8")


def without_places(settings: Any) -> Any:
    if isinstance(settings, list):
        return [without_places(value) for value in settings]
    if not isinstance(settings, dict):
        return settings
    places_here = {name for name, value in settings.items() if isinstance(value, str) and is_place(value)}
    return {
        name: None if name == SOURCE and name in places_here else without_places(value)
        for name, value in settings.items()
        if not (name in NOTED_PLACES and name in places_here)
    }


def is_place(value: str) -> bool:
    """Whether a setting names a local folder rather than something on the Hub."""
    path = Path(value).expanduser()
    return path.is_absolute() or value.startswith((".", "~")) or "\\" in value or path.exists()


def find_leaks(folder: Path, repo_id: str) -> list[str]:
    """ "README.md, line 3: the path /home/anna/clips" for each line of a text file that should not be published.

    Secrets are searched in all text files and not quoted; paths and the user's name are searched in JSON and prose.
    The user's name is allowed as part of `repo_id`.
    """
    found = []
    for path in sorted(file for file in folder.rglob("*") if file.is_file() and file.suffix in SCANNED):
        name = path.relative_to(folder).as_posix()
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
            leaks = list(secrets(line))
            if path.suffix in WITH_PLACES:
                leaks += places(line) or user_names(line.replace(repo_id, ""))
            found += [f"{name}, line {number}: {leak}" for leak in leaks]
    return found


def secrets(line: str) -> Iterator[str]:
    """The kind of secret in a line, at most one, since the last kind covers others."""
    yield from [kind for kind, pattern in SECRETS.items() if pattern.search(line)][:1]


def places(line: str) -> list[str]:
    """ "the path ..." for each absolute path that can exist on a machine."""
    return [f"the path {match[0].rstrip('.')}" for match in PLACE.finditer(line) if is_on_a_disk(match[0])]


def is_on_a_disk(place: str) -> bool:
    if not place.startswith("/"):
        return True
    root = "/" + place.split("/")[1]
    return root in ROOTS or Path(root).is_dir()


def user_names(line: str) -> list[str]:
    """ "the user name ..." if it is part of a path or of user@machine; elsewhere it may be an ordinary word."""
    user = user_name()
    if not user:
        return []
    # https://.../anna is a public page
    line = re.sub(r"\w+://\S+", "", line)
    part = re.compile(rf"(?:[\\/]{re.escape(user)}[\\/]|\b{re.escape(user)}@\w)")
    return [f"the user name {user}"] if part.search(line) else []


@cache
def user_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # the user of a container may have no name
        return ""
