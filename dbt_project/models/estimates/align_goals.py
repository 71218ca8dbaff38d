def model(dbt, session):
    dbt.config(materialized="table")
    from orchestration import estimates_goals

    return estimates_goals.alignment(dbt.ref("int_goal_values"))
