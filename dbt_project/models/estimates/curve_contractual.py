def model(dbt, session):
    dbt.config(materialized="table")
    from orchestration import estimates_contractual

    return estimates_contractual.curves(
        dbt.ref("fit_contractual"),
        dbt.ref("int_contract_segments"),
        dbt.source("run", "assumptions"),
    )
