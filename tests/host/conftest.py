"""Fixtures of the bridge's tests."""

import os

import pytest
from host.rig import Rig

from fluksometer.storage.tmpo import tree

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before any test imports NumPy, as cli.py does it


@pytest.fixture(autouse=True)
def no_wait_for_the_disk(monkeypatch):
    """A sync of the whole file system takes as long as what else runs on this machine has to write."""
    monkeypatch.setattr(tree, "_sync", lambda folder: None)


@pytest.fixture
def rig(tmp_path):
    """Bridge, scripted board and broker in one folder; whatever was started is ended."""
    rig = Rig(tmp_path)
    yield rig
    rig.close()
