"""What tests everywhere share."""

import os
from pathlib import Path

import pytest

from orchestration.reports import PUBLISHED
from tests.refresh.conftest import FEEDS, fill
from tests.refresh.small import Small

# Two tests run at a time on two cores: a second thread of each would only wait for the other's.
os.environ.setdefault("ARVO_THREADS", "1")


@pytest.fixture(scope="session")
def refreshed(tmp_path_factory: pytest.TempPathFactory) -> Small:
    """The two readers' publisher, refreshed and published once; not to be changed."""
    made = Small(tmp_path_factory.mktemp("refreshed") / "small", FEEDS)
    fill(made)
    assert made.refresh(tests=False).verdict == PUBLISHED
    return made


@pytest.fixture
def published(refreshed: Small, tmp_path: Path) -> Small:
    """The two readers' publisher after its first refresh, to go on with."""
    return refreshed.copied(tmp_path / "published")
