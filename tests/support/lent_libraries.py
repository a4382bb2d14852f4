"""FFmpeg for torchcodec where there is none: the libraries inside PyAV's wheel, under the names that it asks for.

The wheel calls them libavutil-5809ad29.so.60.26.102 and the like; torchcodec asks for libavutil.so.60. Where the
loader looks for them is settled when a process starts, so pytest starts anew once; its workers inherit the place.
"""

import importlib.util
import os
import re
import sys
from pathlib import Path

NAME = re.compile(r"(lib(?:av|sw)[a-z]+)-[0-9a-f]+(\.so\.\d+)")
PLACES = "LD_LIBRARY_PATH"


def lend_libraries() -> str | None:
    """Link the libraries below the environment's folder; returns what `LD_LIBRARY_PATH` should be, if it is not."""
    wheel = importlib.util.find_spec("av")
    libraries = Path(wheel.origin).parent.parent / "av.libs" if wheel and wheel.origin else None
    if libraries is None or not libraries.is_dir() or importlib.util.find_spec("torchcodec") is None:
        return None
    links = Path(sys.prefix) / "ffmpeg-of-pyav"
    links.mkdir(exist_ok=True)
    for library in libraries.iterdir():
        if name := NAME.match(library.name):
            link = links / "".join(name.groups())
            if not link.exists() or link.resolve() != library:
                new = links / f"{os.getpid()}-{link.name}"
                new.symlink_to(library)
                new.replace(link)  # at once, as other processes may do the same
    places = [str(links), str(libraries)]
    given = [place for place in os.environ.get(PLACES, "").split(os.pathsep) if place]
    return None if given[:2] == places else os.pathsep.join(places + [place for place in given if place not in places])


def start_anew(config) -> None:
    """Start pytest once more with the libraries in place, if this process is pytest itself and they are missing."""
    main = sys.modules["__main__"]
    is_pytest = getattr(main.__spec__, "name", None) == "pytest.__main__" or Path(sys.argv[0]).name == "pytest"
    if is_pytest and sys.platform == "linux" and (places := lend_libraries()) is not None:
        config.pluginmanager.getplugin("capturemanager").stop_global_capturing()
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], os.environ | {PLACES: places})
