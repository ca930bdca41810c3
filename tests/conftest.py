"""What tests share. Nothing heavy is imported here, so `pytest tests/test_engine.py` is quick."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def root() -> Path:
    """The top of the checkout."""
    return Path(__file__).resolve().parent.parent
