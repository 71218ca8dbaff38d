def model(dbt, session):
    dbt.config(materialized="table")
    from orchestration import estimates_purchases

    return estimates_purchases.quality(
        dbt.ref("int_purchase_counts"),
        dbt.ref("int_purchase_spend"),
        dbt.ref("fit_purchases"),
        dbt.ref("int_calibration"),
    )
