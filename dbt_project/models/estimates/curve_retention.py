def model(dbt, session):
    dbt.config(materialized="table")
    from orchestration import estimates_contractual

    return estimates_contractual.retention(
        dbt.ref("int_retention_counts"), dbt.ref("fit_contractual")
    )
