def model(dbt, session):
    dbt.config(materialized="table")
    from orchestration import estimates_purchases

    return estimates_purchases.fit(dbt.ref("int_purchase_counts"), dbt.ref("int_purchase_spend"))
