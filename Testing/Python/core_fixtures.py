"""An empty scene of Slicer's core, for tests that need no panel."""

from collections.abc import Iterator

import pytest

from Testing.Slicer import core


@pytest.fixture
def a_core() -> Iterator[core.Core]:
    running = core.start()
    yield running
    running.reset()
