"""What valuing a million customers takes: python -m tests.bench.value --customers 1000000.

Run by hand; prints the seconds of every model that the values rest on and the peak memory of the
refresh, which is the command in a process of its own. The customers are drawn at random with known
parameters (tests/estimators/simulate.py) and written as files that name their columns as the
contracts do: single purchases, subscriptions and their bills of two years, page views and
advertising bills of the last 90 days. What becomes of the parameters is printed too. On a machine
that others share only ratios within one run mean something.
"""

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from orchestration import models
from orchestration.settings import Home
from tests.bench.speed import Measured, measure
from tests.estimators import simulate

SEED = 20261123
FIRST_DAY, DAYS, PAGE_VIEW_DAYS = "2024-07-01", 730, 90
# Of the customers; one may be both.
BUYING, SUBSCRIBING = 0.6, 0.3
PAGE_VIEWS = 10
FEEDS = ("events", "accounts", "subscriptions", "payments", "ad_revenue")
ASSUMED = {
    "subscription_margin": 0.6,
    "purchase_margin": 0.3,
    "referral_incremental_share": 0.4,
    "saved_acquisition_cost": 20,
}
# Instants of days counted from the first, as the contracts want them.
AT = f"timestamp '{FIRST_DAY}' + to_days({{day}}::integer) + interval 10 hour"
ACCOUNTS = "select 'c' || n as account_id, " + AT.format(day="0") + " as registered_at from {c}"
PAYMENTS = f"""
select 's' || n || '-' || bill as payment_id, 'c' || n as account_id, 's' || n as subscription_id,
    {AT.format(day="began + 30 * bill")} as paid_at, 9.9 as amount, 'EUR' as currency,
    'subscription' as kind
from contracts, unnest(range(1 + (least(ended, {DAYS}) - 1 - began) // 30)) as u(bill)
union all
select 'b' || row_number() over (order by customer, day), 'c' || customer, null,
    {AT.format(day="day")}, amount, 'EUR', 'purchase'
from purchases
"""
SUBSCRIPTIONS = f"""
select 's' || n as subscription_id, 'c' || n as account_id, 'digital' as plan, 'active' as status,
    {AT.format(day="began")} as started_at, 9.9 as amount, 'EUR' as currency,
    case when ended < {DAYS} then {AT.format(day="ended")} end as ended_at,
    'month' as billing_period
from contracts
"""
# Spread evenly, without luck: view v of a customer on a day that n and v decide.
EVENTS = f"""
select 'e' || n || '-' || v as event_id, 'v' || n as visitor_id, 'page_view' as event_type,
    case when n % 10 < 6 then 'c' || n end as account_id, 'mobile' as device,
    case when v % 3 = 0 then 'front' else 'article' end as placement,
    {AT.format(day=f"{DAYS - PAGE_VIEW_DAYS} + (n * 31 + v * 7) % {PAGE_VIEW_DAYS}")} as occurred_at
from {{c}}, range({PAGE_VIEWS}) as w(v)
"""
AD_REVENUE = f"""
select ({AT.format(day=f"{DAYS - PAGE_VIEW_DAYS} + d")})::date as day, placement, 'EUR' as currency,
    {{customers}} / 1000.0 as revenue, {{customers}} as impressions
from range({PAGE_VIEW_DAYS}) as r(d), (values ('front'), ('article')) as p(placement)
"""


def make(folder: Path, customers: int) -> Path:
    """Writes the files of such a publisher; returns its publisher.yml."""
    rng = np.random.default_rng(SEED)
    with duckdb.connect() as connection:
        connection.register("bought", purchases(rng, round(customers * BUYING)))
        connection.register("signed", contracts(rng, round(customers * SUBSCRIBING)))
        connection.execute("create table purchases as from bought")
        connection.execute("create table contracts as from signed")
        counted = f"range({customers}) as c(n)"
        texts = {
            "accounts": ACCOUNTS.format(c=counted),
            "payments": PAYMENTS,
            "subscriptions": SUBSCRIPTIONS,
            "events": EVENTS.format(c=counted),
            "ad_revenue": AD_REVENUE.format(customers=customers),
        }
        for feed, text in texts.items():
            connection.execute(f"copy ({text}) to '{folder / feed}.parquet' (format parquet)")
    stated = {
        "publisher": "million",
        "time_zone": "Europe/Helsinki",
        "currency": "EUR",
        "feeds": {feed: {"files": f"{feed}.parquet"} for feed in FEEDS},
    }
    # JSON is YAML.
    (folder / "assumptions.yml").write_text(json.dumps(ASSUMED))
    path = folder / "publisher.yml"
    path.write_text(json.dumps(stated))
    return path


def purchases(rng: np.random.Generator, customers: int) -> pa.Table:
    """Purchases of customers as BG/NBD and gamma-gamma have them: customer, day, amount."""
    first = rng.integers(0, DAYS, customers).astype(float)
    rate = rng.gamma(simulate.BG_NBD["r"], 1 / simulate.BG_NBD["alpha"], customers) / 7
    stops = rng.beta(simulate.BG_NBD["a"], simulate.BG_NBD["b"], customers)
    made = [(np.arange(customers), first)]
    buying, at = made[0]
    while buying.size:
        # A rate too small for a number stands for never.
        with np.errstate(divide="ignore"):
            at = at + rng.exponential(1.0, buying.size) / rate[buying]
        seen = at < DAYS
        buying, at = buying[seen], at[seen]
        made.append((buying, at))
        stays = rng.random(buying.size) >= stops[buying]
        buying, at = buying[stays], at[stays]
    customer, day = (np.concatenate(each) for each in zip(*made, strict=True))
    model = simulate.GAMMA_GAMMA
    scale = 1 / rng.gamma(model["q"], 1 / model["gamma"], customers)
    amount = np.round(rng.gamma(model["p"], 1.0, customer.size) * scale[customer], 2)
    return pa.table({"customer": customer, "day": day.astype(int), "amount": amount})


def contracts(rng: np.random.Generator, customers: int) -> pa.Table:
    """Monthly subscriptions with sBG churn: n, began, ended (a day after the last when open)."""
    began = rng.integers(0, DAYS, customers)
    chance = rng.beta(simulate.SBG["alpha"], simulate.SBG["beta"], customers)
    months = np.ceil(np.log(rng.random(customers)) / np.log1p(-chance)).clip(1, 1000)
    ended = began + 30 * months.astype(int)
    return pa.table({"n": np.arange(customers), "began": began, "ended": ended})


def resting_on_values() -> set[str]:
    """Models that values are, or rest on: the marts of the area and what scores a customer."""
    manifest = json.loads(models.manifest_path().read_text())
    found = [
        unique_id
        for unique_id, node in manifest["nodes"].items()
        if node["resource_type"] == "model"
        and ("value" in node["fqn"] or node["name"].endswith("_value"))
    ]
    for unique_id in found:
        found += set(manifest["parent_map"].get(unique_id, ())) - set(found)
    return set(found)


def seconds(home: Home) -> Iterator[tuple[str, float]]:
    """Models that values rest on and how long each took, the longest first."""
    ran = {
        str(each["unique_id"]): float(each["execution_time"])
        for each in models.results(home.build / "dbt")
    }
    wanted = resting_on_values() & set(ran)
    for unique_id in sorted(wanted, key=lambda each: -ran[each]):
        yield unique_id.split(".")[-1], ran[unique_id]


def report(home: Home, done: Measured) -> None:
    """Prints what the refresh took, and what it found of the parameters drawn with."""
    result = done.result
    assert result["verdict"] == "published", result
    steps = ", ".join(f"{name} {s:.1f} s" for name, s in result["steps"].items() if s >= 1)
    print(f"## A refresh of {result['landed_count']:,} rows: {done}\n\n- {steps}")
    told = list(seconds(home))
    print(f"- models that values rest on: {sum(took for _, took in told):.1f} s together\n")
    for name, took in told:
        if took >= 0.1:
            print(f"    {name:32} {took:7.1f} s")
    truth = simulate.BG_NBD | simulate.GAMMA_GAMMA
    with duckdb.connect(str(home.published / "marts.duckdb"), read_only=True) as connection:
        found = connection.execute(
            "select parameter, value, lower_bound, upper_bound from estimates "
            "where sample = 'current' and estimator in ('purchases', 'purchase_mean_value') "
            "and lower_bound is not null order by estimator desc, parameter"
        ).fetchall()
    print()
    for name, value, lower, upper in found:
        print(f"    {name:5} {value:8.3f} ({lower:.3f} to {upper:.3f}), drawn with {truth[name]}")


def main() -> None:
    """Makes the customers, refreshes, reports."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, help="where to work (default: a temporary one)")
    asked = parser.parse_args()
    work = Path(tempfile.mkdtemp(dir=asked.folder))
    try:
        publisher = make(work, asked.customers)
        home = Home(work / "home")
        command = [sys.executable, "-m", "orchestration.cli", "refresh", "--json"]
        done = measure([*command, "--publisher", publisher, "--home", home.root], {})
        report(home, done)
    finally:
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
