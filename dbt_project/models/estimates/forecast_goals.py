def model(dbt, session):
    dbt.config(materialized="table")
    from orchestration import estimates_goals

    return estimates_goals.forecasts(dbt.ref("int_goal_days"))
