"""The known answers of the definitions: dbt's unit tests, beside the models they are about."""

from pathlib import Path

import pytest
from dbt.cli.main import dbtRunner

from orchestration import models, settings
from orchestration.settings import Home
from tests.refresh.small import Small, invoke, payment

# Models whose formulas have a known answer, published or worked out by hand.
WITH_FORMULAS = {
    "acquisition",
    "activity_purchase_lift",
    "churn_risk",
    "customer_equity",
    "customer_value",
    "engagement",
    "identity_coverage",
    "initiative_effects",
    "int_block_customers",
    "int_calibration",
    "int_churn_activity",
    "int_churn_examples",
    "int_churn_moments",
    "int_churn_reasons",
    "int_churn_risks",
    "int_churn_scores",
    "int_churn_speed",
    "int_churn_subscribers",
    "int_click_credits",
    "int_contract_holdout",
    "int_contract_segments",
    "int_contracts",
    "int_contractual_value",
    "int_contributions",
    "int_conversions",
    "int_daily_customers",
    "int_daily_traffic",
    "int_first_purchases",
    "int_identity",
    "int_initiative_outcomes",
    "int_lost_customers",
    "int_month_readers",
    "int_monthly_rates",
    "int_mrr",
    "int_mrr_changes",
    "int_mrr_customers",
    "int_mrr_plans",
    "int_new_customers",
    "int_own_value",
    "int_purchase_counts",
    "int_purchase_history",
    "int_purchase_parameters",
    "int_purchase_spend",
    "int_purchase_value",
    "int_referral_credits",
    "int_referred_customers",
    "int_renewals",
    "int_retention_counts",
    "int_saved_costs",
    "int_sessions",
    "int_social_losses",
    "int_subscriber_use",
    "int_visitor_accounts",
    "int_visitor_days",
    "int_visitor_owners",
    "int_visitor_value_days",
    "mrr_monthly",
    "social_value",
    "trial_conversion",
    "visitor_value_daily",
}


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Small:
    """A warehouse with every model, hardly a row: unit tests take the columns' types from it."""
    small = Small(tmp_path_factory.mktemp("empty") / "small", ["payments"])
    small.add("payments", payment("p1", "liisa", "2024-02-10T00:00:00Z", 10))
    small.build()
    return small


def test_every_formula_gives_its_known_answer(empty: Small, tmp_path: Path) -> None:
    passed = invoke(empty.home, ["test", "--select", "test_type:unit"], tmp_path)
    assert passed, models.message(tmp_path, tmp_path / "dbt.log")
    results = models.results(tmp_path)
    assert {each["status"] for each in results} == {"pass"}
    assert {each["unique_id"].split(".")[2] for each in results} == WITH_FORMULAS


def test_the_project_parses_without_a_warning(tmp_path: Path) -> None:
    settings.export(models.environment(Home(tmp_path)))
    project = str(settings.dbt_project_dir())
    where = ["--project-dir", project, "--profiles-dir", project, "--target-path", str(tmp_path)]
    done = dbtRunner().invoke(["--warn-error", "parse", "--quiet", *where])
    assert done.success, done.exception
