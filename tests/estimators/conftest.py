"""What the estimators' tests share: the real data, which lies beside the project."""

import os
from pathlib import Path

import pytest

from orchestration import settings


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of the real data, ARVO_DATA; without it a test skips and says so."""
    beside = settings.project_root().parent / "shared" / "data"
    data = Path(os.environ.get("ARVO_DATA") or beside)
    if not data.exists():
        pytest.skip(f"the real data is not at {data}")
    return data
