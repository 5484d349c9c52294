"""Fixtures of the bridge's tests."""

import os

import pytest
from host.rig import Rig

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before any test imports NumPy, as cli.py does it


@pytest.fixture
def rig(tmp_path):
    """Bridge, scripted board and broker in one folder; whatever was started is ended."""
    rig = Rig(tmp_path)
    yield rig
    rig.close()
