"""What tests everywhere share."""

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestration.reports import PUBLISHED
from tests.refresh.conftest import FEEDS, fill
from tests.refresh.small import Small

# Two tests run at a time on two cores: a second thread of each would only wait for the other's.
os.environ.setdefault("ARVO_THREADS", "1")
# Looking through dbt's parsed project for garbage at every turn takes a sixth of a build: between
# tests is often enough.
gc.disable()
GARBAGE_AT_ONCE = 2_000_000


GOALS = """
goals:
  - {id: views, title: They read, unit: news, owner: editor, metric: page_views, baseline: 2,
     target: 8, start: 2024-03-01, end: 2024-03-04}
  - {id: revenue, title: They pay, unit: sales, owner: seller, metric: mrr, baseline: 5,
     target: 20, start: 2024-03-01, end: 2024-03-31}
  - {id: ended, title: They paid, unit: sales, owner: seller, metric: mrr, baseline: 5,
     target: 20, start: 2024-02-10, end: 2024-02-20}
  - {id: watches, title: They read on watches, unit: news, owner: editor, metric: page_views,
     segment: {device: watch}, baseline: 0, target: 1, start: 2024-03-01, end: 2024-03-04}
"""
INITIATIVES = """
initiatives:
  - {id: call, title: A call, goal: views, owner: editor, start: 2024-03-01, cost: 1,
     treated: {sql: select customer_id from customers}, control: others, outcome: active}
"""


# A file is one worker's: a long one that comes last leaves the other without work.
LONG_FILES = (
    *("test_faults", "test_any_order", "test_refused", "test_refresh", "test_crashes"),
    *("test_dagster", "test_restatements", "test_real", "test_versions", "test_resources"),
    *(
        "test_formulas",
        "test_marts",
        "test_initiatives",
        "test_metrics",
        "test_churn",
        "test_social",
    ),
    *("test_goals", "test_archives", "test_examiner", "test_models", "test_truths"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts long files first."""
    places = {name: place for place, name in enumerate(LONG_FILES)}
    items.sort(key=lambda item: places.get(item.path.stem, len(LONG_FILES)))


@pytest.fixture(autouse=True)
def garbage() -> Iterator[None]:
    """Collects it after a test, when there may be much."""
    yield
    if gc.get_count()[0] > GARBAGE_AT_ONCE:
        gc.collect()


@pytest.fixture(scope="session")
def refreshed(tmp_path_factory: pytest.TempPathFactory) -> Small:
    """The two readers' publisher, refreshed and published once; not to be changed."""
    made = Small(tmp_path_factory.mktemp("refreshed") / "small", FEEDS)
    made.want(GOALS, INITIATIVES)
    fill(made)
    assert made.refresh(tests=False).verdict == PUBLISHED
    return made


@pytest.fixture
def published(refreshed: Small, tmp_path: Path) -> Small:
    """The two readers' publisher after its first refresh, to go on with."""
    return refreshed.copied(tmp_path / "published")
