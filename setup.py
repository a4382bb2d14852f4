"""Which packages there are: found, not listed. All else is in pyproject.toml.

configuration/, modeling/ and processing/ stand at the root and are imported as holovid.configuration, ...
"""

from setuptools import find_packages, setup

TRAVELLING = ("configuration", "modeling", "processing")

setup(
    packages=find_packages("src") + [f"holovid.{name}" for name in TRAVELLING],
    package_dir={"": "src"} | {f"holovid.{name}": name for name in TRAVELLING},
    package_data={"holovid": ["py.typed"], "": ["*.pyi"]},
)
