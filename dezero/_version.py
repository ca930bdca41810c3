"""Made by `make export` from settings.ini."""

__version__ = "0.1.0"
