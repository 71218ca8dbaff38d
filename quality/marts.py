"""What must hold of the marts of a refresh before readers may see them.

Holds the rules that need more than one mart, landing or the last published version: whether a
refresh is believable. What one row or one mart can tell is tested by dbt, beside the mart.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import duckdb
import yaml

from orchestration import settings
from quality import estimates, goals, identifiers, ledger, social
from quality.ledger import AS_OF_DAY
from quality.suite import Builder, Check, Suite, Unbuilt, build, no_rows, rows_due

# Less than half a cent apart is the same to the cent.
HALF_A_CENT = 0.005
# A conversion into the reporting currency is rounded to four decimals.
ROUNDING_OF_A_ROW = 0.00005

# Customers vanish only when a visitor turns out to be an account, or by erasure: few a refresh.
CUSTOMERS_ODDLY_FEWER, CUSTOMERS_SURELY_FEWER = 0.99, 0.9
# A mart may shrink when its inputs are corrected, but not by half.
ROWS_ODDLY_FEWER, ROWS_SURELY_FEWER = 0.9, 0.5
# Closed months change by late bookings and refunds, which are fractions of a percent.
RESTATED_ODDLY, RESTATED_SURELY = 0.001, 0.1

# What customers are expected to bring changes with what they do, a little each day; more changes
# with the assumptions, and much more when an estimate went wrong.
EXPECTED_ODDLY, EXPECTED_SURELY = 0.1, 0.5

# Feeds whose rows, on or before the as-of day, make rows of a mart due.
DUE_FROM = {
    "customers": ("events", "accounts", "subscriptions", "payments"),
    "customer_value": ("events", "accounts", "subscriptions", "payments"),
    "social_value": ("events", "accounts", "subscriptions", "payments"),
    "engagement": ("events",),
    "visitor_value_daily": ("ad_revenue",),
    "customer_value_monthly": ("payments",),
}
ALWAYS_DUE = ("data_assets", "estimate_quality")

# The marts of this area tell about refreshes; they do not grow with the publisher.
OPERATIONS = "operations"
# Marts that are as large as what is configured, or as what changed lately. initiative_effects is
# not among them: what was found is kept when its initiative is taken away.
FREE_TO_SHRINK = (
    "goals",
    "goal_progress",
    "goal_alignment",
    "unit_scorecard",
    "initiatives",
    "metrics",
    "restatements",
)
TOTALS = "totals"
AT_CLOSE = "at close"
EXPECTED = "expected"

# The row of mrr_monthly that counts every plan.
ALL_PLANS = "(all plans)"
# The row of acquisition that counts every channel.
ALL_CHANNELS = "(all)"

# Columns that name who a mart is about.
_IS_ID = re.compile(r"(^|_)(customer|account|visitor)_id$")

_LAST_AS_OF_DAY = (
    "(select arg_max(as_of_day, started_at) from last.main.refreshes where verdict = 'published')"
)


def suites(
    connection: duckdb.DuckDBPyConnection, names: Collection[str] | None = None
) -> list[Suite | Unbuilt]:
    """The suites that judge a candidate.

    Args:
        connection: The candidate, its marts in `main`, with the warehouse attached as
            `warehouse` and the last published version, if there is one, as `last`.
        names: Which of `suite_names`, for whoever asks about one thing; else all.
    """
    _hold_ledger(connection)
    wanted = [each for each in _builders().items() if names is None or each[0] in names]
    return build(connection, wanted)


def _hold_ledger(connection: duckdb.DuckDBPyConnection) -> None:
    """Landing's totals of money, computed once for every check that needs one."""
    totals = {
        "payments": ledger.payments(),
        "billed_revenue": ledger.billed_revenue(),
        "mrr": ledger.mrr(),
        "acquisition_costs": ledger.acquisition_costs(),
    }
    selects = [
        f"select '{name}' as name, coalesce(total, 0) as total, converted_rows from ({query})"
        for name, query in totals.items()
    ]
    connection.execute(f"create or replace temp table gate_ledger as {' union all '.join(selects)}")


def suite_names() -> tuple[str, ...]:
    """Names of the suites, in the order they are judged in."""
    return tuple(_builders())


def _builders() -> dict[str, Builder]:
    return {
        "presence": presence,
        "customer_value": customer_value,
        "customer_equity": customer_equity,
        "mrr_movements": mrr_movements,
        "mrr_monthly": mrr_monthly,
        "mrr_months": mrr_months,
        "visitor_value_daily": visitor_value_daily,
        "social_value": social.social_value,
        "metrics": goals.metrics,
        "goals": goals.goals,
        "initiatives": goals.initiatives,
        "reconciliation": reconciliation,
        "estimates": estimates.estimates,
        "identifiers": direct_identifiers,
        "last_version": last_version,
    }


@cache
def declared() -> dict[str, str]:
    """Area (folder) of every mart the dbt project describes, by the mart's name."""
    root = settings.dbt_project_dir() / "models" / "marts"
    return {
        model["name"]: path.parent.name
        for path in sorted(root.rglob("*.yml"))
        for model in yaml.safe_load(path.read_text(encoding="utf-8")).get("models", [])
    }


def presence(connection: duckdb.DuckDBPyConnection) -> Suite:
    """Every mart is there, and has rows where landing makes rows due."""
    found = {
        name
        for (name,) in connection.execute(
            "select table_name from duckdb_tables() "
            "where database_name = current_database() and schema_name = 'main'"
        ).fetchall()
    }
    counts = [
        f"select '{mart}' as mart, {str(mart in found).lower()} as is_there, "
        f"true as is_declared, {_row_count_sql(mart, found)} as row_count, "
        f"{_due_sql(connection, mart)} as is_due"
        for mart in declared()
    ]
    counts += [
        f"select '{table}' as mart, true as is_there, false as is_declared, 0 as row_count, "
        "false as is_due"
        for table in sorted(found - declared().keys())
    ]
    connection.execute(
        f"create or replace temp table gate_presence as {' union all '.join(counts)}"
    )
    checks = (
        rows_due(1, "A project without marts publishes nothing."),
        no_rows(
            "every_mart_is_there",
            "select mart from {batch} where not is_there",
            "A reader's query on a mart that is gone would fail.",
            expected="every mart the dbt project describes",
        ),
        no_rows(
            "nothing_but_marts",
            "select mart from {batch} where not is_declared",
            "A table that no model describes is nobody's, and was never looked at: what is left "
            "of a model that was deleted goes when build/ is deleted.",
            expected="no table but the marts the dbt project describes",
        ),
        no_rows(
            "rows_where_due",
            "select mart from {batch} where is_due and row_count = 0",
            "Landing holds what this mart counts, so an empty one would read as 'nobody' or "
            "'nothing'.",
            expected="at least one row",
        ),
    )
    return Suite("presence", "select * from gate_presence", checks, key=("mart",))


def _row_count_sql(mart: str, found: set[str]) -> str:
    return f"(select count(*) from main.{mart})" if mart in found else "0"


def _due_sql(connection: duckdb.DuckDBPyConnection, mart: str) -> str:
    if mart in ALWAYS_DUE:
        return "true"
    if mart in ("mrr_movements", "mrr_monthly", "churn_risk"):
        return "(select total > 0 from gate_ledger where name = 'mrr')"
    if mart == "identity_coverage":
        # The days just built tell it nearly always; all others are read only where they do not.
        row = connection.execute(f"select {_has_page_views_sql('events')}").fetchone()
        return "true" if row and row[0] else _has_page_views_sql("all_events")
    feeds = ", ".join(f"'{feed}'" for feed in DUE_FROM.get(mart, ()))
    if not feeds:
        return "false"
    return (
        "exists (select 1 from warehouse.landing.batches where landed_rows > 0 "
        f"and feed in ({feeds}) and first_day <= {AS_OF_DAY})"
    )


def _has_page_views_sql(events: str) -> str:
    # Counted to the end: DuckDB 2.0 may wait for ever when it may stop early over a union.
    return (
        f"(select count(*) > 0 from warehouse.landing.{events} "
        f"where event_type = 'page_view' and day <= {AS_OF_DAY})"
    )


def customer_value(connection: duckdb.DuckDBPyConnection) -> Suite:
    """The components of every customer's value add up to the cent, in time and in sum."""
    connection.execute(
        f"""
        create or replace temp table gate_customer_value as
        with by_month as (
            select
                customer_id,
                sum(economic_past_value) as economic_past_value,
                sum(visitor_value) as visitor_value
            from main.customer_value_monthly
            -- A customer of a closed month who has nothing of it any more may be gone.
            where coalesce(economic_past_value, 0) <> 0 or coalesce(visitor_value, 0) <> 0
            group by customer_id
        )
        select
            coalesce(value.customer_id, customers.customer_id, by_month.customer_id)
                as customer_id,
            customers.customer_id is null
                or value.customer_id is null as is_in_one_mart_only,
            {
            _differ_sql(
                "value.observed_value",
                _sum_of_known(
                    "value.economic_past_value",
                    "value.visitor_value",
                    "value.social_value_observed",
                ),
            )
        } as is_observed_value_off,
            {
            _differ_sql(
                "value.engagement_value",
                "value.economic_past_value + value.economic_future_value "
                "+ value.visitor_value + value.social_value",
            )
        } as is_engagement_value_off,
            abs(coalesce(value.economic_past_value, 0)
                - coalesce(by_month.economic_past_value, 0)) >= {HALF_A_CENT}
            or abs(coalesce(value.visitor_value, 0)
                - coalesce(by_month.visitor_value, 0)) >= {HALF_A_CENT} as is_month_off
        from main.customer_value as value
        full join main.customers as customers on value.customer_id = customers.customer_id
        full join by_month on value.customer_id = by_month.customer_id
        """
    )
    checks = (
        _as_many_rows_as_due(connection, "customer_value"),
        no_rows(
            "observed_value",
            "select customer_id from {batch} where is_observed_value_off",
            "The observed value is the sum of what has been observed of him.",
        ),
        no_rows(
            "engagement_value",
            "select customer_id from {batch} where is_engagement_value_off",
            "The engagement value is the sum of all components, and unknown while one of them is.",
        ),
        no_rows(
            "months",
            "select customer_id from {batch} where is_month_off",
            "A customer's months add up to his value.",
        ),
        no_rows(
            "every_customer",
            "select customer_id from {batch} where is_in_one_mart_only",
            "Every customer has a value, and nobody else has.",
        ),
    )
    return Suite(
        "customer_value", "select * from gate_customer_value", checks, key=("customer_id",)
    )


def customer_equity(connection: duckdb.DuckDBPyConnection) -> Suite:
    """The running month's equity is what its customers have brought and are expected to bring."""
    connection.execute(
        f"""
        create or replace temp table gate_customer_equity as
        select
            running.month,
            running.customer_equity,
            value.own_value,
            {_differ_sql("running.customer_equity", "value.own_value")} as is_off
        from (select * from main.customer_equity qualify row_number() over (
            order by month desc) = 1) as running
        cross join (
            select
                sum(economic_past_value) + sum(visitor_value) + sum(economic_future_value)
                    as own_value
            from main.customer_value
        ) as value
        """
    )
    checks = (
        rows_due(1, "The running month has a row, whatever happened in it."),
        no_rows(
            "equity_is_its_customers",
            "select month from {batch} where is_off",
            "The company's equity is its customers' own value, each of them once.",
            observed="select coalesce(customer_equity::varchar, 'unknown') || ' of the company, ' "
            "|| coalesce(own_value::varchar, 'unknown') || ' of its customers' from {batch}",
            expected="the same to the cent",
        ),
    )
    return Suite("customer_equity", "select * from gate_customer_equity", checks, key=("month",))


def _sum_of_known(*columns: str) -> str:
    """The sum of the known columns, unknown when none is known."""
    known = " + ".join(f"coalesce({column}, 0)" for column in columns)
    return f"case when coalesce({', '.join(columns)}) is not null then {known} end"


def _differ_sql(left: str, right: str) -> str:
    """Whether two amounts differ by half a cent or more, or only one of them is known."""
    return (
        f"(({left}) is null) <> (({right}) is null) "
        f"or coalesce(abs(({left}) - ({right})) >= {HALF_A_CENT}, false)"
    )


def _as_many_rows_as_due(connection: duckdb.DuckDBPyConnection, mart: str) -> Check:
    row = connection.execute(f"select {_due_sql(connection, mart)}").fetchone()
    if row and row[0]:
        return rows_due(1, f"Landing holds what {mart} counts: none of it may be lost.")
    return rows_due(0, f"Nothing in landing makes a row of {mart} due.")


def mrr_movements(connection: duckdb.DuckDBPyConnection) -> Suite:
    """Every customer's month ends where it began plus what moved."""
    return _bridge(
        connection,
        "mrr_movements",
        ("customer_id", "month"),
        ("new_mrr", "reactivation_mrr", "expansion_mrr", "contraction_mrr", "churn_mrr"),
    )


def mrr_monthly(connection: duckdb.DuckDBPyConnection) -> Suite:
    """Every plan's month ends where it began plus what moved, switches between plans included."""
    return _bridge(
        connection,
        "mrr_monthly",
        ("month", "plan"),
        (
            "new_mrr",
            "reactivation_mrr",
            "expansion_mrr",
            "contraction_mrr",
            "churn_mrr",
            "switched_in_mrr",
            "switched_out_mrr",
        ),
    )


def mrr_months(connection: duckdb.DuckDBPyConnection) -> Suite:
    """Month by month, the company is its customers and its plans, and begins where it ended."""
    columns = (
        "start_mrr",
        "fx_effect",
        "new_mrr",
        "reactivation_mrr",
        "expansion_mrr",
        "contraction_mrr",
        "churn_mrr",
        "end_mrr",
    )
    sums = ", ".join(f"sum({column}) as {column}" for column in columns)
    connection.execute(
        f"""
        create or replace temp table gate_mrr_months as
        with company as (
            select * from main.mrr_monthly where plan = '{ALL_PLANS}'
        ),
        customers as (
            select month, {sums} from main.mrr_movements group by month
        ),
        plans as (
            select month, {sums} from main.mrr_monthly where plan <> '{ALL_PLANS}' group by month
        )
        select
            coalesce(company.month, customers.month, plans.month) as month,
            {_any_apart_sql("company", "customers", columns)} as is_not_customers,
            {_any_apart_sql("company", "plans", ("start_mrr", "end_mrr"))} as is_not_plans,
            abs(coalesce(company.start_mrr, 0) - lag(coalesce(company.end_mrr, 0), 1, 0) over (
                order by coalesce(company.month, customers.month, plans.month)
            )) >= {HALF_A_CENT} as is_not_the_last_end
        from company
        full join customers on company.month = customers.month
        full join plans on company.month = plans.month
        """
    )
    checks = (
        _as_many_rows_as_due(connection, "mrr_monthly"),
        no_rows(
            "company_is_customers",
            "select month from {batch} where is_not_customers",
            "The company's start, movements and end are its customers' added up.",
            expected="the same to the cent in every month",
        ),
        no_rows(
            "company_is_plans",
            "select month from {batch} where is_not_plans",
            "What the plans begin and end with adds up to the company's.",
            expected="the same to the cent in every month",
        ),
        no_rows(
            "months_follow",
            "select month from {batch} where is_not_the_last_end",
            "A month begins with what the month before ended with, or MRR moved unseen.",
            expected="each start the end before, to the cent",
        ),
    )
    return Suite("mrr_months", "select * from gate_mrr_months", checks, key=("month",))


def _any_apart_sql(left: str, right: str, columns: tuple[str, ...]) -> str:
    """Whether one of the columns differs by half a cent or more; nothing there is nothing."""
    return " or ".join(
        f"abs(coalesce({left}.{column}, 0) - coalesce({right}.{column}, 0)) >= {HALF_A_CENT}"
        for column in columns
    )


def visitor_value_daily(connection: duckdb.DuckDBPyConnection) -> Suite:
    """Every bill is allocated or shown as unallocated."""
    checks = (
        _as_many_rows_as_due(connection, "visitor_value_daily"),
        no_rows(
            "parts_are_the_bill",
            "select day, placement, device from {batch} where coalesce("
            f"abs(allocated_revenue + unallocated_revenue - billed_revenue) >= {HALF_A_CENT}, "
            "true)",
            "What is allocated to visitors and what is not add up to the bill, to the cent.",
        ),
    )
    return Suite(
        "visitor_value_daily",
        "select * from main.visitor_value_daily",
        checks,
        key=("day", "placement", "device"),
    )


def _bridge(
    connection: duckdb.DuckDBPyConnection,
    mart: str,
    key: tuple[str, ...],
    movements: tuple[str, ...],
) -> Suite:
    moved = " + ".join(("start_mrr", "fx_effect", *movements))
    checks = (
        _as_many_rows_as_due(connection, mart),
        no_rows(
            "bridge",
            f"select {', '.join(key)} from {{batch}} "
            f"where coalesce(abs({moved} - end_mrr) >= {HALF_A_CENT}, true)",
            "Start, effect of the rate and movements add up to the end, to the cent.",
        ),
        no_rows(
            "losses_are_negative",
            f"select {', '.join(key)} from {{batch}} where contraction_mrr > 0 or churn_mrr > 0 "
            "or new_mrr < 0 or reactivation_mrr < 0 or expansion_mrr < 0",
            "A movement with the wrong sign would turn a loss into growth.",
            expected="losses at most 0, gains at least 0",
        ),
    )
    return Suite(mart, f"select * from main.{mart}", checks, key=key)


@dataclass(frozen=True)
class _Reconciliation:
    """A total of the marts, the total of gate_ledger it must equal, and why."""

    name: str
    in_marts: str
    in_ledger: str
    reason: str


def _reconciliations() -> tuple[_Reconciliation, ...]:
    month = f"cast(date_trunc('month', {AS_OF_DAY}) as date)"
    moved = "new_mrr + reactivation_mrr + expansion_mrr + contraction_mrr + churn_mrr + fx_effect"
    return (
        _Reconciliation(
            "past_value_is_payments",
            "select sum(economic_past_value) from main.customer_value",
            "payments",
            "What customers have paid is what the payments ledger says was paid.",
        ),
        _Reconciliation(
            "equity_is_payments",
            "select sum(economic_past_value) from main.customer_equity",
            "payments",
            "What customers brought, month by month, is what the payments ledger says.",
        ),
        _Reconciliation(
            "equity_is_bills",
            "select sum(visitor_value + unallocated_revenue) from main.customer_equity",
            "billed_revenue",
            "What advertising brought, month by month, is what was billed.",
        ),
        _Reconciliation(
            "mrr_is_subscriptions",
            f"select sum(end_mrr) from main.mrr_movements where month = {month}",
            "mrr",
            "The customers' MRR is that of the subscriptions active at the end of the as-of day.",
        ),
        _Reconciliation(
            "movements_lead_to_mrr",
            f"select sum({moved}) from main.mrr_movements",
            "mrr",
            "All that ever moved adds up to the MRR of the subscriptions.",
        ),
        _Reconciliation(
            "monthly_mrr_is_subscriptions",
            f"select sum(end_mrr) from main.mrr_monthly "
            f"where month = {month} and plan = '{ALL_PLANS}'",
            "mrr",
            "The company's MRR is that of the subscriptions active at the end of the as-of day.",
        ),
        _Reconciliation(
            "plans_are_subscriptions",
            f"select sum(end_mrr) from main.mrr_monthly "
            f"where month = {month} and plan <> '{ALL_PLANS}'",
            "mrr",
            "The plans' MRR adds up to that of the subscriptions.",
        ),
        _Reconciliation(
            "churn_risk_covers_mrr",
            "select sum(mrr) from main.churn_risk",
            "mrr",
            "Everybody who pays has a churn risk, and his whole MRR stands beside it.",
        ),
        _Reconciliation(
            "billed_revenue_is_bills",
            "select sum(billed_revenue) from main.visitor_value_daily",
            "billed_revenue",
            "Advertising revenue is what was billed.",
        ),
        _Reconciliation(
            "allocation_is_bills",
            "select sum(allocated_revenue + unallocated_revenue) from main.visitor_value_daily",
            "billed_revenue",
            "What is billed is either some customer's or shown as unallocated, never dropped.",
        ),
        _Reconciliation(
            "visitor_value_is_bills",
            "select (select coalesce(sum(visitor_value), 0) from main.customer_value) "
            "+ coalesce(sum(unallocated_revenue), 0) from main.visitor_value_daily",
            "billed_revenue",
            "Customers' visitor value and the unallocated rest add up to what was billed.",
        ),
        _Reconciliation(
            "channels_costs_are_costs",
            f"select sum(acquisition_cost) from main.acquisition where channel <> '{ALL_CHANNELS}'",
            "acquisition_costs",
            "The channels' acquisition costs add up to what was spent.",
        ),
        _Reconciliation(
            "acquisition_costs_are_costs",
            f"select sum(acquisition_cost) from main.acquisition where channel = '{ALL_CHANNELS}'",
            "acquisition_costs",
            "The acquisition cost of all channels is what was spent.",
        ),
    )


def reconciliation(connection: duckdb.DuckDBPyConnection) -> Suite:
    """Totals of the marts against totals computed from landing, past the models."""
    stated = _reconciliations()
    selects = [
        f"select '{one.name}' as name, coalesce(({one.in_marts}), 0) as in_marts, "
        "total as in_landing, converted_rows from gate_ledger "
        f"where name = '{one.in_ledger}'"
        for one in stated
    ]
    connection.execute(
        f"create or replace temp table gate_reconciliation as {' union all '.join(selects)}"
    )
    checks = [rows_due(len(stated), "Every total is compared, or none is believed.")]
    checks += [
        no_rows(
            one.name,
            f"select in_marts - in_landing as difference from {{batch}} "
            f"where name = '{one.name}' and abs(in_marts - in_landing) "
            f">= {HALF_A_CENT} + {ROUNDING_OF_A_ROW} * converted_rows",
            one.reason,
            observed="select in_marts || ' in the marts, ' || in_landing || ' in landing' "
            f"from {{batch}} where name = '{one.name}'",
            expected="the same to the cent",
        )
        for one in stated
    ]
    return Suite(
        "reconciliation", "select * from gate_reconciliation", tuple(checks), key=("name",)
    )


def direct_identifiers(connection: duckdb.DuckDBPyConnection) -> Suite:
    """No text of any mart holds what identifies a person, and every id is a pseudonym."""
    columns = connection.execute(
        """
        select table_name, column_name from duckdb_columns()
        where
            database_name = current_database() and schema_name = 'main'
            and not regexp_matches(
                data_type,
                '^(U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|DECIMAL.*|DOUBLE|FLOAT|BOOLEAN|DATE|TIME.*)$'
            )
        order by table_name, column_index
        """
    ).fetchall()
    patterns = {**identifiers.DIRECT_IDENTIFIERS, "dialled_digits": identifiers.DIALLED_DIGITS}
    connection.execute(
        f"create or replace temp table gate_identifiers as {_search_sql(columns, patterns)}"
    )
    reasons = {
        "email_address": "E-mail addresses never reach a reader.",
        "phone_number": "Telephone numbers never reach a reader.",
        "ip_address": "Addresses of computers never reach a reader.",
        "dialled_digits": "The digits read like a telephone number as it is dialled; they may "
        "be a zero-padded id.",
        "not_pseudonym": "Whoever a mart is about is named by a pseudonym: 64 hexadecimal digits.",
    }
    checks = [rows_due(1, "Some column of the marts holds text: an id, if nothing else.")]
    checks += [
        no_rows(
            f"no_{name}" if name in patterns else "ids_are_pseudonyms",
            f"select mart || '.' || column_name || ': ' || {name}_count || ' rows' "
            f"from {{batch}} where {name}_count > 0",
            reason,
            severity="warning" if name == "dialled_digits" else "critical",
            observed=f"select coalesce(sum({name}_count), 0)::bigint || ' values in ' "
            f"|| count(*) || ' columns' from {{batch}}",
            expected="none in any column",
        )
        for name, reason in reasons.items()
    ]
    return Suite(
        "identifiers",
        "select * from gate_identifiers",
        tuple(checks),
        key=("mart", "column_name"),
    )


def _search_sql(columns: Sequence[tuple[str, str]], patterns: Mapping[str, str]) -> str:
    """One row a column of a mart: how many of its values match each pattern.

    Texts are read once a mart, each row turned into one a column: an expression a column and
    pattern would take longer to plan than a small publisher's marts to search. Ids are many and
    long, so those that are pseudonyms are passed over where they are read.
    """
    texts: dict[str, list[str]] = {}
    ids = []
    for number, (mart, column) in enumerate(columns):
        text = f'cast("{column}" as varchar)'
        if _IS_ID.search(column):
            ids.append(
                f'select {number} as number, true as is_id, {text} as text from main."{mart}" '
                f"where not regexp_full_match({text}, '{identifiers.PSEUDONYM}')"
            )
        else:
            texts.setdefault(mart, []).append(
                f"{{'number': {number}, 'is_id': false, 'text': {text}}}"
            )
    reads = [
        f'select unnest([{", ".join(structs)}], recursive := true) from main."{mart}"'
        for mart, structs in texts.items()
    ]
    nothing = "select 0 as number, false as is_id, '' as text where false"
    counts = [
        f"count(*) filter (where regexp_matches(text, '{pattern}')) as {name}_count"
        for name, pattern in patterns.items()
    ]
    listed = ", ".join(f"({n}, '{mart}', '{name}')" for n, (mart, name) in enumerate(columns))
    zeros = ", ".join(f"coalesce({n}_count, 0) as {n}_count" for n in (*patterns, "not_pseudonym"))
    return f"""
        with suspected as (
            -- Most values need but one look.
            select * from ({" union all ".join(reads) or nothing})
            where regexp_matches(text, '{identifiers.SUSPECT}')
            union all
            {" union all ".join(ids) or nothing}
        ),
        counted as (
            select
                number,
                {", ".join(counts)},
                count(*) filter (where is_id) as not_pseudonym_count
            from suspected
            group by number
        )
        select mart, column_name, {zeros}
        from (values {listed}) as searched(number, mart, column_name)
        left join counted using (number)
        """


def last_version(connection: duckdb.DuckDBPyConnection) -> Suite:
    """Counts and totals against the version that readers have now.

    Without such a version, or when the as-of day lies before that version's, nothing is
    comparable, and the suite says so.
    """
    told = _not_comparable(connection)
    if told:
        connection.execute(
            "create or replace temp table gate_last_version as select "
            "'' as name, '' as area, 0.0 as before, 0.0 as now where false"
        )
        return Suite("last_version", "select * from gate_last_version", (rows_due(0, told),))
    selects = [
        *_row_comparisons(connection),
        *_total_comparisons(),
        *_value_comparisons(connection),
    ]
    connection.execute(
        "create or replace temp table gate_last_version as select *, now / nullif(before, 0) as "
        f"ratio from ({' union all '.join(selects)})"
    )
    return Suite(
        "last_version",
        "select * from gate_last_version",
        (rows_due(1, "Something of the last version is compared."), *_last_version_checks()),
        key=("name",),
    )


def _not_comparable(connection: duckdb.DuckDBPyConnection) -> str | None:
    attached = connection.execute(
        "select count(*) from duckdb_databases() where database_name = 'last'"
    ).fetchone()
    if not attached or not attached[0]:
        return "No version is published yet, so there is nothing to compare with."
    row = connection.execute(
        f"select {AS_OF_DAY}, {_LAST_AS_OF_DAY}, {AS_OF_DAY} >= {_LAST_AS_OF_DAY}"
    ).fetchone()
    if row and row[2]:
        return None
    day, before = (row[0], row[1]) if row else (None, None)
    return (
        f"The as-of day {day} is not on or after the last version's ({before}): the two are not "
        "comparable and were not compared."
    )


def _row_comparisons(connection: duckdb.DuckDBPyConnection) -> list[str]:
    tables = {
        database: {
            name
            for (name,) in connection.execute(
                "select table_name from duckdb_tables() "
                f"where database_name = {database} and schema_name = 'main'"
            ).fetchall()
        }
        for database in ("'last'", "current_database()")
    }
    now = tables["current_database()"]
    return [
        f"select '{mart}' as name, '{area}' as area, "
        f"(select count(*) from last.main.{mart})::double as before, "
        f"{_row_count_sql(mart, now)}::double as now"
        for mart, area in declared().items()
        if mart in tables["'last'"] and mart not in FREE_TO_SHRINK
    ]


def _total_comparisons() -> list[str]:
    """Totals of months that were closed when the last version was published."""
    closed = f"month < cast(date_trunc('month', {_LAST_AS_OF_DAY}) as date)"
    totals = {
        "economic_past_value": "select sum(economic_past_value) from {}.customer_value_monthly "
        f"where {closed}",
        "visitor_value": "select sum(visitor_value) from {}.customer_value_monthly "
        f"where {closed}",
        "end_mrr": f"select sum(end_mrr) from {{}}.mrr_monthly where {closed} "
        f"and plan = '{ALL_PLANS}'",
    }
    return [
        f"select '{name}' as name, '{TOTALS}' as area, "
        f"coalesce(({query.format('last.main')}), 0)::double as before, "
        f"coalesce(({query.format('main')}), 0)::double as now"
        for name, query in totals.items()
    ]


def _value_comparisons(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """What may not change once published, and what may not change much: values."""
    held = connection.execute(
        "select table_name || '.' || column_name from duckdb_columns() "
        "where database_name = 'last' and schema_name = 'main'"
    ).fetchall()
    before = {column for (column,) in held}
    totals = []
    # A version of an older arvo lacks the columns.
    if "customer_value_monthly.closed_on" in before:
        kept = (
            "select sum(coalesce(economic_past_value_at_close, 0) "
            "+ coalesce(visitor_value_at_close, 0)) from {}.customer_value_monthly where month in "
            "(select distinct month from last.main.customer_value_monthly "
            "where closed_on is not null)"
        )
        totals.append(("value_at_close", AT_CLOSE, kept))
    if "customer_equity.economic_future_value" in before:
        expected = (
            "select arg_max(economic_future_value, month) from {}.customer_equity "
            "where economic_future_value is not null"
        )
        totals.append(("economic_future_value", EXPECTED, expected))
    return [
        f"select '{name}' as name, '{area}' as area, "
        f"coalesce(({query.format('last.main')}), 0)::double as before, "
        f"coalesce(({query.format('main')}), 0)::double as now"
        for name, area, query in totals
    ]


def _last_version_checks() -> list[Check]:
    told = "select name || ': ' || before || ' before, ' || now || ' now' from {batch} where "
    not_rows = f"'{TOTALS}', '{AT_CLOSE}', '{EXPECTED}'"
    rows = f"area not in ('{OPERATIONS}', {not_rows})"
    totals = f"area = '{TOTALS}'"

    def check(name: str, failing: str, reason: str, severity: str, expected: str) -> Check:
        return no_rows(name, told + failing, reason, severity=severity, expected=expected)

    return [
        check(
            "rows_collapsed",
            f"{rows} and ratio < {ROWS_SURELY_FEWER}",
            "A mart that loses half its rows from one version to the next lost its input.",
            "critical",
            f"at least {ROWS_SURELY_FEWER:.0%} of each mart's rows",
        ),
        check(
            "rows_fewer",
            f"area not in ({not_rows}) and ratio < {ROWS_ODDLY_FEWER}",
            "Marts grow with time; one that shrinks was corrected, or lost something.",
            "warning",
            f"at least {ROWS_ODDLY_FEWER:.0%} of each mart's rows",
        ),
        check(
            "customers_collapsed",
            f"name = 'customers' and ratio < {CUSTOMERS_SURELY_FEWER}",
            "Customers leave the marts only by erasure or by turning out to be one: never a "
            "tenth of them at once.",
            "critical",
            f"at least {CUSTOMERS_SURELY_FEWER:.0%} of the customers",
        ),
        check(
            "customers_fewer",
            f"name = 'customers' and ratio < {CUSTOMERS_ODDLY_FEWER}",
            "New customers usually outnumber those that erasure or a login takes away.",
            "warning",
            f"at least {CUSTOMERS_ODDLY_FEWER:.0%} of the customers",
        ),
        check(
            "closed_months_changed",
            f"{totals} and abs(ratio - 1) > {RESTATED_SURELY}",
            "The closed months' total changed by more than a tenth: history was lost, doubled "
            "or converted anew.",
            "critical",
            f"within {RESTATED_SURELY:.1%} of the last version",
        ),
        check(
            "closed_months_restated",
            f"{totals} and abs(ratio - 1) > {RESTATED_ODDLY}",
            "Late bookings restate closed months by a fraction of a percent, seldom more.",
            "warning",
            f"within {RESTATED_ODDLY:.1%} of the last version",
        ),
        check(
            "values_at_close_kept",
            f"area = '{AT_CLOSE}' and abs(now - before) >= {HALF_A_CENT}",
            "What a closed month was published with stays as it was published.",
            "critical",
            "the same to the cent",
        ),
        check(
            "expected_value_changed",
            f"area = '{EXPECTED}' and abs(ratio - 1) > {EXPECTED_SURELY}",
            "What customers are expected to bring changed by half: an estimate went wrong, or the "
            "assumptions are others.",
            "critical",
            f"within {EXPECTED_SURELY:.0%} of the last version",
        ),
        check(
            "expected_value_moved",
            f"area = '{EXPECTED}' and abs(ratio - 1) > {EXPECTED_ODDLY}",
            "What customers are expected to bring changes by little from day to day.",
            "warning",
            f"within {EXPECTED_ODDLY:.0%} of the last version",
        ),
    ]
