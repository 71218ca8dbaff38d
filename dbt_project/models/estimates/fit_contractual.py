def model(dbt, session):
    dbt.config(materialized="table")
    from orchestration import estimates

    return estimates.contractual(dbt.ref("int_renewals"))
