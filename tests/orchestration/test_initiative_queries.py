"""A query of initiatives.yml reads the marts alone, and the same of them every time."""

import ast

import duckdb
import pytest

from orchestration import initiative_queries, settings

NOT_THE_SAME = "which depends on more than the data. The same data must always give the same marts"
IN_NO_ORDER = "keeps the first rows of an order that it does not give."


def read(text: str) -> initiative_queries.Query:
    """What is read of a query."""
    with duckdb.connect() as parser:
        return initiative_queries.read(text, parser)


@pytest.mark.parametrize(
    ("text", "alone", "marts"),
    [
        ("select customer_id from customers", "select customer_id from customers", ["customers"]),
        ("from Customers;", "from Customers", ["customers"]),
        ("from engagement; -- those é;\n;", "from engagement", ["engagement"]),
        ("; from customers -- those;", "from customers -- those;", ["customers"]),
        ("select 'å;' as customer_id /* ; */;", "select 'å;' as customer_id /* ; */", []),
        (
            "with few as (from customers) select customer_id from Few join churn_risk using (x)",
            "with few as (from customers) select customer_id from Few join churn_risk using (x)",
            ["churn_risk", "customers"],
        ),
        (
            "from customers qualify row_number() over (order by customer_id) <= 9",
            "from customers qualify row_number() over (order by customer_id) <= 9",
            ["customers"],
        ),
    ],
)
def test_a_query_is_read_without_the_semicolons_at_its_ends(
    text: str, alone: str, marts: list[str]
) -> None:
    assert read(text) == initiative_queries.Query(alone, tuple(marts), "")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("from read_text('/etc/passwd')", "calls read_text, a function that makes a table. It may"),
        ("from query_table('landing.accounts')", "calls query_table, a function that makes a tab"),
        (
            "from customers where exists (from query('from landing.accounts'))",
            "calls query, a function that makes a table.",
        ),
        ("select customer_id from 'ids.csv'", "reads ids.csv, which it may not. It may read these"),
        ("from staging.stg_accounts", "reads staging.stg_accounts, which it may not."),
        ("from warehouse.marts.customers", "reads warehouse.marts.customers, which it may not."),
        ("from marts.customers", "marts and nothing else: churn_risk, customer_value, customer_v"),
        ("select * from (from retention)", "reads retention, which it may not. It may read these"),
        ("with r as (from retention) from r", "reads retention, which it may not."),
        ("describe customers", "describes a table. Write one select with a column customer_id"),
        ("show tables", "describes a table."),
        ("with gone as (delete from x returning *) from gone", "changes something (delete)."),
        ("from customers where random() < 0.5", f"calls random, {NOT_THE_SAME}"),
        ("select main.uuid() as customer_id", "calls uuid, which depends"),
        ("from customers where registered_at < now()", "calls now, which depends"),
        ("from customers where registered_at < Current_Date", "calls current_date, which depends"),
        ("from customers where localtimestamp is null", "calls localtimestamp, which depends"),
        ("from customers where age(registered_at) > x", "calls age, which depends"),
        ("select nextval('s') as customer_id", "calls nextval, which depends"),
        ("select list_transform([1], lambda x: random())", "calls random, which depends"),
        ("select current_setting('threads')", "calls current_setting, which depends"),
        ("from customers using sample 5 rows", "takes a sample, which is another one every time."),
        ("from customers tablesample 10%", "takes a sample, which is another one every time."),
        ("from customers limit 5", IN_NO_ORDER),
        ("select distinct on (country) customer_id from customers", IN_NO_ORDER),
        ("from customers qualify row_number() over (partition by kind) = 1", IN_NO_ORDER),
        ("from customers where country = $1", "leaves a value open ($1). Write the value."),
        ("-- nothing", "cannot be run (it holds no statements). Write one select"),
        ("select 1; select 2", "cannot be run (it holds 2 statements). Write one select"),
        ("select " + "+".join("1" * 2_000), "cannot be run (Max expression depth"),
    ],
)
def test_what_reads_more_than_the_marts_or_says_another_thing_each_time_is_refused(
    text: str, told: str
) -> None:
    assert told in read(text).problem


def test_two_instants_have_one_age_whenever_it_is_asked() -> None:
    assert read("from customers where age(registered_at, first_seen_at) > x").problem == ""


def test_the_marts_a_query_may_read_are_those_that_its_model_waits_for() -> None:
    path = settings.dbt_project_dir() / "models" / "estimates" / "assign_initiatives.py"
    (given,) = (
        node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Dict)
    )
    names = [ast.literal_eval(key) for key in given.keys if key]
    awaited = [ast.unparse(value) for value in given.values]
    assert tuple(names) == initiative_queries.MARTS
    assert awaited == [f"dbt.ref('{name}')" for name in names]
