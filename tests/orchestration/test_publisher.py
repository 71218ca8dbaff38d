"""Every mistake in publisher.yml gets a paragraph of its own: what, where, what to do."""

from pathlib import Path

import pytest

from orchestration import cli, publisher
from orchestration.errors import ConfigurationError


def problems(folder: Path, text: str) -> str:
    path = folder / "publisher.yml"
    path.write_text(text)
    with pytest.raises(ConfigurationError) as raised:
        publisher.load(path)
    return str(raised.value)


HEAD = "publisher: small\ntime_zone: Europe/Helsinki\ncurrency: EUR\n"
EVENTS = "feeds:\n  events:\n    files: data/*.csv\n"


@pytest.mark.parametrize(
    ("text", "named", "remedy"),
    [
        (HEAD + "feeds:\n  evnts:\n    files: a.csv\n", "evnts", "events"),
        (HEAD + EVENTS + "    columns:\n      ocurred_at: a\n", "ocurred_at", "occurred_at"),
        (HEAD + EVENTS + "    columns:\n      event_id: a +\n", "event_id", "does not parse"),
        (HEAD + "feeds:\n  events:\n    files: ${NOT_SET_ANYWHERE}/a\n", "NOT_SET", "export"),
        (HEAD.replace("Helsinki", "Helsinky") + EVENTS, "Helsinky", "Europe/Helsinki"),
        (HEAD.replace("EUR", "Euro") + EVENTS, "Euro", "ISO 4217"),
        (HEAD + EVENTS + "    database: postgresql://x\n", "database", "files"),
        ("- a\n- b\n", "publisher.yml", "mapping"),
        (HEAD + "feeds:\n  events: [a\n", "line", "YAML"),
        (HEAD + EVENTS + "    tolerated_bad_share: 3\n", "tolerated_bad_share", "0"),
        (HEAD + EVENTS + EVENTS.removeprefix("feeds:\n"), "events", "twice"),
        (HEAD + "colour: red\n" + EVENTS, "colour", "publisher"),
        (HEAD, "feeds", "feed"),
    ],
)
def test_a_mistake_is_named_with_its_place_and_remedy(
    tmp_path: Path, text: str, named: str, remedy: str
) -> None:
    told = problems(tmp_path, text)
    assert named in told
    assert remedy in told
    assert "publisher.yml" in told


def test_check_reports_ten_mistakes_at_once_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "payments.csv").write_text("payment_id,who,paid_at,amount\n1,a,2024-01-01,10\n")
    (tmp_path / "publisher.yml").write_text(
        """
publisher: small
time_zone: Europe/Helsinky
currency: euro
refresh_at: "25:99"
colour: red
feeds:
  evnts:
    files: a.csv
  accounts:
    files: ${NOT_SET_ANYWHERE}/accounts.csv
  subscriptions:
    files: subscriptions.csv
    columns:
      subscripton_id: id
      amount: price +
  content:
    files: nothing-*.csv
  payments:
    files: payments.csv
    columns:
      account_id: customer
      currency: "'EUR'"
      kind: "'purchase'"
"""
    )
    before = sorted(tmp_path.iterdir())
    code = cli.main(["check", "--publisher", str(tmp_path / "publisher.yml")])
    assert code == 2
    told = " ".join(capsys.readouterr().err.split())
    for mistake in (
        "Helsinky",
        "euro",
        "25:99",
        "colour",
        "evnts",
        "NOT_SET_ANYWHERE",
        "subscripton_id",
        "price +",
        "nothing-*.csv",
        "the source has no column 'customer'",
    ):
        assert mistake in told, mistake
    assert sorted(tmp_path.iterdir()) == before


def test_check_shows_three_mapped_rows_of_a_good_configuration(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = "".join(f"{n},who{n},2024-01-0{n},{n}0\n" for n in range(1, 6))
    (tmp_path / "payments.csv").write_text("payment_id,account_id,paid_at,amount\n" + rows)
    (tmp_path / "publisher.yml").write_text(
        HEAD
        + "feeds:\n  payments:\n    files: payments.csv\n    columns:\n"
        + "      currency: \"'EUR'\"\n      kind: \"'purchase'\"\n"
    )
    before = sorted(tmp_path.rglob("*"))
    assert cli.main(["check", "--publisher", str(tmp_path / "publisher.yml")]) == 0
    told = capsys.readouterr().out
    assert told.count("payment_id=") == 3
    assert "paid_at=2024-01-01 00:00:00" in told
    assert sorted(tmp_path.rglob("*")) == before
