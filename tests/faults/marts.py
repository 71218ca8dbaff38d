"""Faults of the marts, the gate and the way to publishing: nothing of it reaches a reader."""

import duckdb

import quality.landing
import quality.marts
from orchestration import versions
from quality.suite import Suite, Unbuilt, no_rows, rows_due
from tests.faults.fault import REFUSED, Chapter
from tests.faults.site import GATE_IN, PUBLISH, Site

MARTS = Chapter("Marts", PUBLISH)
GATE = Chapter("The gate itself", PUBLISH)

SOME_CUSTOMER = "(select min(customer_id) from marts.customer_value where kind = 'account')"


@MARTS.fault(
    "a mart made empty",
    "engagement",
    REFUSED,
    "presence, rows_where_due: Landing holds what this mart counts … For example: engagement",
)
def empty_mart(site: Site) -> None:
    site.warehouse("delete from marts.engagement")


@MARTS.fault(
    "a mart that is gone",
    "identity_coverage",
    REFUSED,
    "presence, every_mart_is_there: A reader's query on a mart that is gone would fail",
)
def missing_mart(site: Site) -> None:
    site.warehouse("drop table marts.identity_coverage")


@MARTS.fault(
    "a table among the marts that no model describes",
    "the schema of the marts",
    REFUSED,
    "presence, nothing_but_marts: … For example: raw_accounts",
)
def stray_table(site: Site) -> None:
    site.warehouse("create table marts.raw_accounts as select 1 as one")


@MARTS.fault(
    "a row deleted from a mart",
    "customers",
    REFUSED,
    "customer_value, every_customer: Every customer has a value, and nobody else has",
)
def deleted_row(site: Site) -> None:
    site.warehouse(f"delete from marts.customers where customer_id = {SOME_CUSTOMER}")


@MARTS.fault(
    "a row twice in a mart",
    "customer_value",
    REFUSED,
    "reconciliation, past_value_is_payments: What customers have paid is what the payments ledger",
)
def doubled_row(site: Site) -> None:
    site.warehouse(
        "insert into marts.customer_value select * from marts.customer_value "
        "where economic_past_value > 0 limit 1"
    )


@MARTS.fault(
    "a payment lost, and all that adds up to it lowered by as much",
    "customer_value_monthly, customer_value, customer_equity",
    REFUSED,
    "reconciliation, past_value_is_payments: What customers have paid is what the payments ledger",
)
def lost_payment(site: Site) -> None:
    site.warehouse(
        """
        create temp table lost as
        select customer_id, month, economic_past_value as paid from marts.customer_value_monthly
        where economic_past_value > 0 order by all limit 1;
        delete from marts.customer_value_monthly as monthly using lost
        where monthly.customer_id = lost.customer_id and monthly.month = lost.month;
        update marts.customer_value as value set
            economic_past_value = economic_past_value - paid,
            observed_value = observed_value - paid,
            engagement_value = engagement_value - paid
        from lost where value.customer_id = lost.customer_id;
        update marts.customer_equity as equity set
            economic_past_value = economic_past_value - if(equity.month = lost.month, paid, 0),
            economic_past_value_to_date = economic_past_value_to_date - paid,
            customer_equity = customer_equity - paid
        from lost where equity.month >= lost.month
        """
    )


@MARTS.fault(
    "a row of the advertising bill lost",
    "visitor_value_daily",
    REFUSED,
    "reconciliation, billed_revenue_is_bills: Advertising revenue is what was billed",
)
def lost_bill(site: Site) -> None:
    site.warehouse(
        "delete from marts.visitor_value_daily where (day, placement, device) = (select "
        "(day, placement, device) from marts.visitor_value_daily where billed_revenue > 0 "
        "order by all limit 1)"
    )


@MARTS.fault(
    "a referral lost",
    "social_value",
    REFUSED,
    "social_value, referrals_are_counted: Whoever recommended has as many clicks, registrations",
)
def lost_referral(site: Site) -> None:
    site.warehouse(
        "update marts.social_value set returning_click_count = returning_click_count - 1 "
        "where customer_id = (select min(customer_id) from marts.social_value "
        "where returning_click_count > 0)"
    )


@MARTS.fault(
    "a metric off by a cent",
    "metric_values",
    REFUSED,
    "metrics, metrics_are_the_marts: A metric says what the marts say that it summarises",
)
def metric_off_by_a_cent(site: Site) -> None:
    site.warehouse(
        "update marts.metric_values set numerator = numerator + 0.01 "
        "where metric = 'net_revenue' and segment_type = 'all' and period_start = '2026-01-01'"
    )


@MARTS.fault(
    "a goal that stands elsewhere than its metric",
    "goal_progress",
    REFUSED,
    "goals, goals_are_the_metrics: A goal stands where its metric does … For example: "
    "recurring_revenue:",
)
def goal_off_its_metric(site: Site) -> None:
    site.warehouse(
        "update marts.goal_progress set numerator = numerator + 1 "
        "where goal_id = 'recurring_revenue'"
    )


@MARTS.fault(
    "what an initiative did told otherwise afterwards",
    "initiative_effects",
    REFUSED,
    "initiatives, what_was_told_stays: What an initiative was found to have done is told later as",
)
def effect_told_otherwise(site: Site) -> None:
    # As of the next day what was told so far is history.
    site.warehouse("update landing.refresh set as_of_day = as_of_day + 1")
    site.warehouse("update marts.initiative_effects set verdict = 'shown', reason = null")


@MARTS.fault(
    "a total off by a cent",
    "customer_value",
    REFUSED,
    "reconciliation, past_value_is_payments: What customers have paid is what the payments ledger",
)
def total_off_by_a_cent(site: Site) -> None:
    site.warehouse(
        "update marts.customer_value set economic_past_value = economic_past_value + 0.01, "
        f"observed_value = observed_value + 0.01 where customer_id = {SOME_CUSTOMER}"
    )


@MARTS.fault(
    "a bill off by a cent",
    "visitor_value_daily",
    REFUSED,
    "visitor_value_daily, parts_are_the_bill: What is allocated to visitors and what is not add up",
)
def bill_off_by_a_cent(site: Site) -> None:
    site.warehouse(
        "update marts.visitor_value_daily set unallocated_revenue = unallocated_revenue + 0.01 "
        "where day = '2026-06-28'"
    )


@MARTS.fault(
    "a customer's MRR that does not follow from its movements",
    "mrr_movements",
    REFUSED,
    "mrr_movements, bridge: Start, effect of the rate and movements add up to the end",
)
def broken_bridge(site: Site) -> None:
    site.warehouse(
        "update marts.mrr_movements set end_mrr = end_mrr + 1 where month = '2026-06-01'"
    )


@MARTS.fault(
    "an e-mail address in a text column of a mart",
    "customers",
    REFUSED,
    "identifiers, no_email_address: … For example: customers.acquisition_channel: 1 rows",
)
def address_in_mart(site: Site) -> None:
    site.warehouse(
        "update marts.customers set acquisition_channel = 'liisa@example.fi' "
        f"where customer_id = {SOME_CUSTOMER}"
    )


@MARTS.fault(
    "a telephone number in a text column of a mart",
    "customers",
    REFUSED,
    "identifiers, no_phone_number: … For example: customers.country: 1 rows",
)
def number_in_mart(site: Site) -> None:
    site.warehouse(
        "update marts.customers set country = '+358 40 123 4567' "
        f"where customer_id = {SOME_CUSTOMER}"
    )


@MARTS.fault(
    "a customer named by a raw id",
    "engagement",
    REFUSED,
    "identifiers, ids_are_pseudonyms: Whoever a mart is about is named by a pseudonym",
)
def raw_id(site: Site) -> None:
    site.warehouse(
        "update marts.engagement set customer_id = 'reader 7' "
        "where customer_id = (select min(customer_id) from marts.engagement)"
    )


@MARTS.fault(
    "a mart that lost more than half of its rows",
    "engagement",
    REFUSED,
    "last_version, rows_collapsed: A mart that loses half its rows … engagement:",
)
def halved_mart(site: Site) -> None:
    site.warehouse("delete from marts.engagement where hash(customer_id) % 3 > 0")


@MARTS.fault(
    "a ledger delivered twice under other booking numbers",
    "customer_value_monthly",
    REFUSED,
    "last_version, closed_months_changed: The closed months' total changed by more than a tenth",
)
def doubled_ledger(site: Site) -> None:
    site.warehouse(
        "update marts.customer_value_monthly set economic_past_value = 2 * economic_past_value"
    )


# The gate itself


def _suite(site: Site, *checks: object) -> None:
    """One more suite among those that judge the marts."""
    stated = quality.marts.suites
    suite = Suite("seeded", "select 1 as one", tuple(checks))  # type: ignore[arg-type]

    def suites(connection: duckdb.DuckDBPyConnection) -> list[Suite | Unbuilt]:
        return [*stated(connection), suite]

    site.patch.setattr(quality.marts, "suites", suites)


DUE = rows_due(1, "A suite says how many rows it needs.")


@GATE.fault(
    "an expectation that raises",
    "a suite of quality/marts.py",
    REFUSED,
    "seeded, raises: … The check could not be judged: … no_such_column",
)
def raising_expectation(site: Site) -> None:
    query = "select no_such_column from {batch}"
    _suite(site, DUE, no_rows("raises", query, "What cannot run has not passed."))


@GATE.fault(
    "an empty suite",
    "a suite of quality/marts.py",
    REFUSED,
    "seeded, (suite): What cannot be judged is not published: The suite is empty.",
)
def empty_suite(site: Site) -> None:
    _suite(site)


@GATE.fault(
    "a suite that does not say how many rows are due",
    "a suite of quality/marts.py",
    REFUSED,
    "seeded, (suite): What cannot be judged is not published: The suite does not say how many rows",
)
def suite_without_rows(site: Site) -> None:
    _suite(site, no_rows("none", "select one from {batch} where one > 1", "Nothing is one."))


@GATE.fault(
    "a suite that is missing",
    "quality/marts.py",
    REFUSED,
    "reconciliation, (suite): What cannot be judged is not published",
)
def missing_suite(site: Site) -> None:
    stated = quality.marts.suites

    def suites(connection: duckdb.DuckDBPyConnection) -> list[Suite | Unbuilt]:
        return [suite for suite in stated(connection) if suite.name != "reconciliation"]

    site.patch.setattr(quality.marts, "suites", suites)


@GATE.fault(
    "no suite at all",
    "quality/landing.py",
    REFUSED,
    "(suite): What cannot be judged is not published: There is no suite to judge by",
    until=GATE_IN,
)
def no_suite(site: Site) -> None:
    site.patch.setattr(quality.landing, "suites", lambda connection: [])


@GATE.fault(
    "models of which only some were built",
    "the stamp of the build",
    REFUSED,
    "the models of these inputs were not built completely with every test passed",
)
def half_built(site: Site) -> None:
    site.warehouse("update state.build set is_complete = false")


@GATE.fault(
    "marts built from other batches than landing holds now",
    "the stamp of the build",
    REFUSED,
    "the models of these inputs were not built completely with every test passed",
)
def built_from_others(site: Site) -> None:
    site.warehouse("update state.build set build_key = 'of yesterday'")


@GATE.fault(
    "a disk that returns other bytes than were written",
    "the file on its way to the readers",
    REFUSED,
    "read back differs from what was written, so it was not published. The disk or its controller",
    code=3,
)
def failing_disk(site: Site) -> None:
    moved = versions._move_in

    def move_in(candidate: object, path: object) -> None:
        moved(candidate, path)  # type: ignore[arg-type]
        path.chmod(0o644)  # type: ignore[attr-defined]
        with duckdb.connect(str(path)) as connection:
            connection.execute("delete from customers")

    site.patch.setattr(versions, "_move_in", move_in)
