"""Real data that nobody here wrote, through the configurations in publishers/.

The data lies beside the project, not in it: where it is absent these tests skip and say so.
"""

from pathlib import Path

import pytest

from orchestration import settings
from orchestration.reports import PUBLISHED
from orchestration.settings import Home
from tests.refresh.small import Small

DATA = settings.project_root().parent / "shared" / "data"

pytestmark = pytest.mark.skipif(not DATA.exists(), reason=f"the real data is not at {DATA}")


class Real(Small):
    """A publisher of publishers/, in a home of its own."""

    def __init__(self, name: str, folder: Path) -> None:
        """Reads what is there; writes nothing but the home."""
        self.path = settings.project_root() / "publishers" / name / "publisher.yml"
        self.home = Home(folder / "home")


@pytest.fixture(autouse=True)
def data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARVO_DATA", str(DATA))


def refreshed(name: str, folder: Path) -> Small:
    real = Real(name, folder)
    assert real.refresh(tests=False).verdict == PUBLISHED
    return real


def test_deskdrop_gives_its_customers_and_sessions(tmp_path: Path) -> None:
    # 64,054 rows, of which 9 repeat another one exactly and so are one event with it: they take
    # no customer and no session away.
    real = refreshed("deskdrop", tmp_path)
    assert real.rows("select row_count from data_assets where feed = 'events'") == [(64054,)]
    assert real.rows("select count(*), sum(session_count) from customers") == [(1792, 33056)]
    built = real.built()["staging.stg_events"]
    assert len(built) == 64054 - 9


def test_cdnow_gives_its_ledger(tmp_path: Path) -> None:
    real = refreshed("cdnow", tmp_path)
    assert real.rows(
        "select count(*), cast(sum(economic_past_value) as varchar) from customer_value"
    ) == [(2357, "244091.9400")]


def test_ebnerd_gives_its_readers_and_their_reading(tmp_path: Path) -> None:
    real = refreshed("ebnerd", tmp_path)
    assert real.rows(
        """
        select segment, count(*), sum(page_views_30d), sum(engaged_seconds_30d)
        from customers inner join engagement using (customer_id)
        group by segment order by segment
        """
    ) == [("registered", 23, 384, 21912), ("subscriber", 15, 662, 23804)]
    assert real.rows(
        "select sum(identified_page_views), sum(page_views) from identity_coverage"
    ) == [(1046, 1046)]


def test_telco_gives_its_survival_and_values_who_is_left(tmp_path: Path) -> None:
    # The data's README: 7,043 customers, of whom 1,869 churned, and the survival of all.
    real = refreshed("telco", tmp_path)
    assert real.rows("select row_count from data_assets where feed = 'subscriptions'") == [(7043,)]
    assert real.rows("select count(*) from customers") == [(7043,)]
    curve = "from retention where cohort is null and plan = '(all plans)'"
    assert real.rows(f"select sum(churned) {curve}") == [(1869,)]
    survival = real.rows(
        f"select tenure, round(survival, 4) {curve} and tenure in (12, 24, 36, 48, 60) "
        "order by tenure"
    )
    assert survival == [(12, 0.8432), (24, 0.7887), (36, 0.7485), (48, 0.7088), (60, 0.6644)]
