"""What the estimators' tests share: the real data, which lies beside the project."""

from pathlib import Path

import pytest

from orchestration import settings


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of the real data; without it a test skips and says so."""
    data = settings.project_root().parent / "shared" / "data"
    if not data.exists():
        pytest.skip(f"the real data is not at {data}")
    return data
