def model(dbt, session):
    dbt.config(materialized="table")
    from orchestration import estimates_contractual

    return estimates_contractual.fits(
        dbt.ref("int_renewals"), dbt.ref("int_contract_segments"), dbt.ref("int_contract_holdout")
    )
