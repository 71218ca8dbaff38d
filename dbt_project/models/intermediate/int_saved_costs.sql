with

new_customers as (

    select * from {{ ref('int_new_customers') }}

),

costs as (

    select * from {{ ref('int_acquisition_costs') }}

),

customers as (

    select
        month,
        count(*) as acquired_count
    from new_customers
    group by month

),

spent as (

    select
        month,
        sum(acquisition_cost) as acquisition_cost
    from costs
    group by month

),

final as (

    select
        spent.month,
        cast(
            round(
                cast(spent.acquisition_cost as double) / customers.acquired_count, 4
            ) as decimal(18, 4)
        ) as saved_cost
    from spent
    inner join customers on spent.month = customers.month
    -- A month of credit notes says nothing of what a customer costs.
    where spent.acquisition_cost >= 0

)

select * from final
