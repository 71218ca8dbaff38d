def model(dbt, session):
    dbt.config(materialized="table")
    from orchestration import estimates_initiatives

    return estimates_initiatives.effects(dbt.ref("int_initiative_outcomes"))
