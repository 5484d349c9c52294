"""Fixtures of the bridge's tests."""

import pytest
from host.rig import Rig


@pytest.fixture
def rig(tmp_path):
    """Bridge, scripted board and broker in one folder; whatever was started is ended."""
    rig = Rig(tmp_path)
    yield rig
    rig.close()
