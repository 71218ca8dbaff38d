"""What must hold of social value before readers may see it.

Holds the rules that need landing or the warehouse: every recommendation is counted for whoever
made it, and nobody is credited more than the recommended brought. What one row can tell is tested
by dbt, beside the mart.
"""

import duckdb

from quality import ledger
from quality.suite import Suite, no_rows, rows_due

# Less than half a cent apart is the same to the cent.
HALF_A_CENT = 0.005

# A count of the mart, and the outcome of the referrals that it counts.
COUNTS = {
    "returning_click_count": "click",
    "registration_referral_count": "registration",
    "subscription_referral_count": "subscription",
}
# A credit of the mart, and the model and column of the warehouse that it is the sum of.
CREDITS = {
    "click_value": ("int_click_credits", "click_value"),
    "referral_value_low": ("int_referral_credits", "credit_low"),
    "referral_value_base": ("int_referral_credits", "credit_base"),
    "referral_value_high": ("int_referral_credits", "credit_high"),
    "referral_value_observed": ("int_referral_credits", "credit_observed"),
}
PARTS = ("click_value", "referral_value", "complaint_value", "detractor_value")
BOUNDS = ("low", "base", "high")


def social_value(connection: duckdb.DuckDBPyConnection) -> Suite:
    """Recommendations are counted, credits are those of the warehouse, and the parts add up.

    Args:
        connection: The candidate, its marts in `main`, with the warehouse attached.
    """
    connection.execute(f"create or replace temp table gate_social_value as {_compared_sql()}")
    checks = (
        rows_due(_fewest(connection), "Every customer has a row, if there is any customer."),
        no_rows(
            "every_customer",
            "select customer_id from {batch} where is_in_one_mart_only",
            "Every customer has a social value, if an unknown one, and nobody else has.",
        ),
        no_rows(
            "referrals_are_counted",
            "select customer_id from {batch} where is_count_off",
            "Whoever recommended has as many clicks, registrations and subscriptions as the "
            "referrals say: none is lost, doubled or somebody else's.",
            expected="the landed referrals of every customer",
        ),
        no_rows(
            "credits_are_the_warehouses",
            "select customer_id from {batch} where is_credit_off",
            "What a customer is credited is what his clicks and those he brought were worth.",
            expected="the same to the cent",
        ),
        no_rows(
            "parts_add_up",
            "select customer_id from {batch} where is_sum_off",
            "Social value is the sum of its known parts, and of what is observed and assumed.",
            expected="the same to the cent",
        ),
        no_rows(
            "clicks_credit_visits",
            "select total from (select coalesce(sum(click_value), 0) as total from {batch}) "
            f"where total >= {HALF_A_CENT} + ({_clicked_value_sql()})",
            "Clicks credit no more than the advertising value of the visits they brought.",
            expected="at most the visitor value of the visitors' days with a click",
        ),
    )
    return Suite("social_value", "select * from gate_social_value", checks, key=("customer_id",))


def _fewest(connection: duckdb.DuckDBPyConnection) -> int:
    row = connection.execute("select count(*) from main.customers").fetchone()
    return 1 if row and row[0] else 0


def _compared_sql() -> str:
    """One row a customer: his click value, and which of his numbers are off."""
    counts = ", ".join(
        f"count(*) filter (where outcome = '{outcome}') as {column}"
        for column, outcome in COUNTS.items()
    )
    is_count_off = " or ".join(
        f"coalesce(mart.{column}, 0) <> coalesce(told.{column}, 0)" for column in COUNTS
    )
    credits = " union all by name ".join(
        # Unknown while one of those it sums is.
        f"select customer_id, case when count(*) = count({own}) then sum({own}) end as {column} "
        f"from warehouse.intermediate.{model} group by customer_id"
        for column, (model, own) in CREDITS.items()
    )
    known = ", ".join(f"max({column}) as {column}" for column in CREDITS)
    is_credit_off = " or ".join(
        f"coalesce(abs(mart.{column} - coalesce(credits.{column}, 0)) >= {HALF_A_CENT}, "
        # Without the feeds that tell it, it is unknown, and nothing.
        f"coalesce(credits.{column}, 0) <> 0)"
        for column in CREDITS
    )
    is_sum_off = " or ".join([*(_sum_off_sql(bound) for bound in BOUNDS), _observed_off_sql()])
    return f"""
        with told as (
            select referrer_account_id as customer_id, {counts}
            from ({ledger.referrals()})
            group by referrer_account_id
        ),
        credits as (
            select customer_id, {known} from ({credits}) group by customer_id
        )
        select
            coalesce(mart.customer_id, customers.customer_id) as customer_id,
            mart.click_value,
            mart.customer_id is null or customers.customer_id is null as is_in_one_mart_only,
            coalesce({is_count_off}, false) as is_count_off,
            coalesce({is_credit_off}, false) as is_credit_off,
            coalesce({is_sum_off}, false) as is_sum_off
        from main.social_value as mart
        full join main.customers as customers on mart.customer_id = customers.customer_id
        left join told on coalesce(mart.customer_id, customers.customer_id) = told.customer_id
        left join credits on mart.customer_id = credits.customer_id
        """


def _sum_off_sql(bound: str) -> str:
    """Whether the sum is off; a part that is null is another feed's, or makes the sum unknown."""
    columns = [part if part == "click_value" else f"{part}_{bound}" for part in PARTS]
    parts = " + ".join(f"coalesce(mart.{column}, 0)" for column in columns)
    known = " and ".join(f"mart.{column} is not null" for column in columns)
    return (
        f"abs(mart.social_value_{bound} - ({parts})) >= {HALF_A_CENT} "
        f"or (mart.social_value_{bound} is null and {known})"
    )


def _observed_off_sql() -> str:
    return (
        "abs(mart.social_value_base - mart.social_value_observed - mart.social_value_assumed) "
        f">= {HALF_A_CENT}"
    )


def _clicked_value_sql() -> str:
    """The visitor value of every visitor's day on which a recommendation of him was clicked."""
    return f"""
        select coalesce(sum(greatest(visitor_value, 0)), 0)
        from warehouse.intermediate.int_visitor_value_days
        -- Not exists, for which DuckDB groups all visits by who, when and worth what.
        where (visitor_id, day) in (
            select (referred_visitor_id, day) from ({ledger.referrals()}) where outcome = 'click'
        )
        """
