def model(dbt, session):
    dbt.config(materialized="table")
    from orchestration import estimates_purchases

    return estimates_purchases.curve(
        dbt.ref("int_purchase_counts"),
        dbt.ref("int_purchase_parameters"),
        dbt.source("run", "assumptions"),
    )
