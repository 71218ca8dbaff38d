def model(dbt, session):
    dbt.config(materialized="table")
    from orchestration import estimates_churn

    return estimates_churn.quality(
        dbt.ref("int_churn_scores"), dbt.ref("fit_churn"), dbt.ref("int_calibration")
    )
