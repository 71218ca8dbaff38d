"""A metric is two files: with them it is in every mart that tells of metrics."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestration import settings, warehouse
from tests.refresh import small as small_publisher
from tests.refresh.small import Small, page_view

SQL = """
with

views as (

    select * from {{ ref('int_daily_traffic') }}

),

final as (

    {{ by_segments(
        'views',
        numerator='100 * sum(page_views)',
        n='sum(page_views)',
        segments=['device']
    ) }}

)

select * from final
"""
YML = """
models:
  - name: page_view_points
    description: A hundred points for every page view.
    config:
      meta:
        label: Page view points
        unit: points
        direction: up
        kind: flow
        grain: day
        measures: volume
        owner: editor
        segment_types: [device]
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the dbt project, which everything reads instead."""
    copy = tmp_path / "dbt_project"
    shutil.copytree(settings.dbt_project_dir(), copy, ignore=shutil.ignore_patterns("target"))
    monkeypatch.setattr(settings, "dbt_project_dir", lambda: copy)
    small_publisher.parsed_project.cache_clear()
    yield copy
    small_publisher.parsed_project.cache_clear()


def test_a_metric_more_is_two_files_and_nothing_else(project: Path, tmp_path: Path) -> None:
    (project / "models" / "metrics" / "page_view_points.sql").write_text(SQL)
    (project / "models" / "metrics" / "page_view_points.yml").write_text(YML)
    publisher = Small(tmp_path / "small", ["events"], time_zone="UTC")
    publisher.want(
        "goals: [{id: points, title: Points, unit: news, owner: editor, metric: page_view_points, "
        "baseline: 0, target: 900, start: 2024-03-01, end: 2024-03-03}]"
    )
    days = ("2024-03-01", "2024-03-01", "2024-03-02")
    publisher.add(
        "events", *(page_view(f"{n}", "v", f"{d}T1{n}:00:00Z") for n, d in enumerate(days))
    )
    publisher.build("+metrics +metric_values +goal_progress")
    with warehouse.connect(publisher.home, read_only=True) as connection:
        assert connection.execute(
            "select label, unit, feeds from marts.metrics where metric = 'page_view_points'"
        ).fetchall() == [("Page view points", "points", "events")]
        assert connection.execute(
            "select period, period_start::varchar, segment, value from marts.metric_values "
            "where metric = 'page_view_points' and period in ('day', 'year') order by all"
        ).fetchall() == [
            ("day", "2024-03-01", "(all)", 200),
            ("day", "2024-03-01", "mobile", 200),
            ("day", "2024-03-02", "(all)", 100),
            ("day", "2024-03-02", "mobile", 100),
            ("year", "2024-01-01", "(all)", 300),
            ("year", "2024-01-01", "mobile", 300),
        ]
        # Events that name no account and tell of no share, for two days: of all other metrics
        # nothing is known, and nothing said.
        assert connection.execute(
            "select distinct metric from marts.metric_values order by metric"
        ).fetchall() == [
            ("identified_share",),
            ("page_view_points",),
            ("page_views",),
            ("stitched_share",),
            ("visits",),
        ]
        # 300 in two of three days, where the pace asks for 600.
        assert connection.execute(
            "select so_far, expected from marts.goal_progress where day = date '2024-03-02'"
        ).fetchall() == [(300, 600)]
