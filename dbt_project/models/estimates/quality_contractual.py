def model(dbt, session):
    dbt.config(materialized="table")
    from orchestration import estimates_contractual

    return estimates_contractual.quality(
        dbt.ref("fit_contractual"),
        dbt.ref("int_renewals"),
        dbt.ref("int_contract_holdout"),
        dbt.ref("int_calibration"),
    )
