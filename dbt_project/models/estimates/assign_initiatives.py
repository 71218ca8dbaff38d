def model(dbt, session):
    dbt.config(materialized="table")
    from orchestration import estimates_initiatives

    # The marts that a publisher's query may name.
    marts = {
        "churn_risk": dbt.ref("churn_risk"),
        "customer_value": dbt.ref("customer_value"),
        "customer_value_monthly": dbt.ref("customer_value_monthly"),
        "customers": dbt.ref("customers"),
        "engagement": dbt.ref("engagement"),
        "mrr_movements": dbt.ref("mrr_movements"),
        "social_value": dbt.ref("social_value"),
    }
    return estimates_initiatives.members(
        session,
        dbt.source("run", "initiatives"),
        dbt.ref("stg_initiative_members"),
        {name: f"marts.{name}" for name in marts},
    )
