def model(dbt, session):
    dbt.config(materialized="table")
    from orchestration import estimates_churn

    return estimates_churn.fit(dbt.ref("int_churn_examples"))
