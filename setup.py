"""Build the package. Every fact about it is in settings.ini; this file only passes them on."""

from configparser import ConfigParser
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).resolve().parent
settings = ConfigParser(delimiters=["="], interpolation=None)
settings.read(HERE / "settings.ini", encoding="utf-8")
metadata = settings["metadata"]


def lines(text):
    """The non-empty lines of a many-line setting."""
    return [line.strip() for line in text.splitlines() if line.strip()]


setup(
    name=metadata["name"],
    version=metadata["version"],
    description=metadata["description"],
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    author=metadata["author"],
    license=metadata["license"],
    license_files=["LICENSE"],
    keywords=metadata["keywords"],
    classifiers=lines(metadata["classifiers"]),
    python_requires=">=" + metadata["min_python"],
    install_requires=lines(settings["requirements"]["package"]),
    extras_require={extra: lines(text) for extra, text in settings["extras"].items()},
    packages=find_packages(include=["dezero", "dezero.*"]),
    package_data={"": ["*.pyi"], "dezero": ["py.typed", "data/*"]},
    zip_safe=False,
)
