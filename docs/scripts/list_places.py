"""Write into docs/inside-transformers.md in which files each name is used:   python docs/scripts/list_places.py

Write a row by hand for a new name, and delete the row of a name that is gone. The test of that page names them.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "inside-transformers.md"
sys.path.insert(0, str(ROOT / "tests" / "support"))
from private_names import inner_imports, private_names  # noqa: E402


def main() -> None:
    places = {name: ", ".join(sorted(where)) for name, where in {**private_names(), **inner_imports()}.items()}
    lines = []
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        cells = line.split(" | ")
        names = re.findall(r"`([\w.]+)`", " ".join(cells[:2]))  # of a private name one; of an import, module and name
        if line.startswith("| `") and ".".join(names) in places:
            cells[len(names)] = places[".".join(names)]
        lines.append(" | ".join(cells))
    PAGE.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
