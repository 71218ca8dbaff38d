"""A metric is two files; what is wrong with them is told."""

from pathlib import Path

import pytest
import yaml

from orchestration import metrics
from orchestration.errors import ConfigurationError

META = {
    "label": "Views",
    "unit": "page views",
    "direction": "up",
    "kind": "flow",
    "grain": "day",
    "measures": "volume",
    "owner": "editor",
}


def write(folder: Path, name: str = "views", **meta: object) -> None:
    """The two files of a metric."""
    stated = {k: v for k, v in {**META, **meta}.items() if v is not None}
    model = {"name": "views", "description": "Views.", "config": {"meta": stated}}
    (folder / f"{name}.sql").write_text("select 1")
    (folder / f"{name}.yml").write_text(yaml.safe_dump({"models": [model]}))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(metrics, "folder", lambda: tmp_path)
    return tmp_path


def test_a_metric_is_what_its_two_files_say(folder: Path) -> None:
    write(folder, segment_types=["device"], minimum_n=30, range=[0, None])
    (metric,) = metrics.metrics().values()
    assert (metric.name, metric.label, metric.meaning) == ("views", "Views", "Views.")
    assert (metric.minimum_n, metric.segment_types, metric.deprecated) == (30, ("device",), "")
    assert (metric.lowest, metric.highest) == (0, None)


def test_there_are_metrics_of_all_that_readers_are_worth_and_get() -> None:
    found = metrics.metrics()
    assert len(found) >= 30
    assert {metric.kind for metric in found.values()} == set(metrics.KINDS)
    # Most of them look at what customers are worth or get; volume is marked as such.
    assert {n for n, m in found.items() if m.measures == "volume"} == {
        "engaged_minutes",
        "page_views",
        "trial_starts",
        "visits",
    }


@pytest.mark.parametrize(
    ("meta", "told"),
    [
        ({"direction": "sideways"}, "direction is 'sideways'; it is one of up, down."),
        (
            {"range": [1, 0]},
            "range is [1, 0]; it is [lowest, highest], null for an end that is open",
        ),
        ({"range": 3}, "range is 3; it is [lowest, highest]"),
        ({"kind": "rate"}, "kind is 'rate'; it is one of stock, flow, ratio."),
        ({"grain": "hour"}, "grain is 'hour'; it is one of day, month."),
        ({"measures": "fun"}, "measures is 'fun'; it is one of value, volume."),
        ({"owner": None}, "states no owner under config.meta."),
        ({"colour": "red"}, "has no 'colour' under config.meta; it may have label,"),
    ],
)
def test_a_mistake_names_the_file_and_what_is_possible(
    folder: Path, meta: dict[str, object], told: str
) -> None:
    write(folder, **meta)
    with pytest.raises(ConfigurationError, match="views.yml") as raised:
        metrics.metrics()
    assert told in str(raised.value)


def test_one_file_of_two_is_not_a_metric(folder: Path) -> None:
    write(folder)
    (folder / "views.yml").unlink()
    with pytest.raises(ConfigurationError, match="but views.yml is missing"):
        metrics.metrics()
    write(folder)
    (folder / "views.sql").unlink()
    metrics._read.cache_clear()
    with pytest.raises(ConfigurationError, match="but views.sql is missing"):
        metrics.metrics()


def test_a_metric_has_the_name_of_its_files(folder: Path) -> None:
    write(folder, name="visits")
    with pytest.raises(ConfigurationError, match="states 'views'; a metric's files and its name"):
        metrics.metrics()
