def model(dbt, session):
    dbt.config(materialized="table")
    from orchestration import estimates_lift

    return estimates_lift.associations(dbt.ref("int_activity_purchases"))
