{% set valued = 'own_value.customer_key is not null' %}

with

customers as (

    select * from {{ ref('customers') }}

),

new_customers as (

    select * from {{ ref('int_new_customers') }}

),

costs as (

    select * from {{ ref('int_acquisition_costs') }}

),

own_value as (

    select * from {{ ref('int_own_value') }}

),

contributions as (

    select * from {{ ref('int_contributions') }}

),

futures as (

    select count(*) as future_count from {{ ref('int_future_value') }}

),

feeds as (

    select * from {{ ref('int_known_feeds') }}

),

members as (

    -- Everybody counts twice: in his channel, and in all of them.
    select
        new_customers.customer_id,
        new_customers.month,
        coalesce(customers.acquisition_channel, '(unknown)') as channel
    from new_customers
    left join customers on new_customers.customer_id = customers.customer_id

    union all

    select
        customer_id,
        month,
        '(all)' as channel
    from new_customers

),

spent as (

    select
        month,
        channel,
        acquisition_cost
    from costs

    union all

    select
        month,
        '(all)' as channel,
        sum(acquisition_cost) as acquisition_cost
    from costs
    group by month

),

spent_months as (

    select
        min(month) as first_month,
        max(month) as last_month
    from costs

),

cohorts as (

    select
        members.channel,
        members.month,
        count(*) as acquired_count,
        coalesce(sum(own_value.own_value_observed), 0) as observed_value,
        {{ sum_if_known('own_value.own_value_low', valued) }} as expected_value_low,
        {{ sum_if_known('own_value.own_value_base', valued) }} as expected_value_base,
        {{ sum_if_known('own_value.own_value_high', valued) }} as expected_value_high
    from members
    left join own_value
        on {{ surrogate_key('members.customer_id') }} = own_value.customer_key
    group by members.channel, members.month

),

months as (

    select
        channel,
        month
    from cohorts

    union

    select
        channel,
        month
    from spent

),

margins as (

    -- What customers contribute from the month in which they were acquired.
    select
        members.channel,
        members.month,
        contributions.month as contributed_month,
        {{ sum_if_known('contributions.contribution_margin') }} as contribution_margin
    from members
    inner join contributions
        on
            members.customer_id = contributions.customer_id
            and members.month <= contributions.month
    group by members.channel, members.month, contributions.month

),

running as (

    select
        channel,
        month,
        contributed_month,
        case
            when
                count(*) over so_far = count(contribution_margin) over so_far
                then sum(contribution_margin) over so_far
        end as contribution_margin
    from margins
    window
        so_far as (
            partition by channel, month
            order by contributed_month
            rows between unbounded preceding and current row
        )

),

costed as (

    -- Between the first month and the last with costs, a channel without any cost
    -- nothing; before and after them nobody knows.
    select
        months.channel,
        months.month,
        case
            when
                feeds.has_costs
                and months.month
                between spent_months.first_month and spent_months.last_month
                then coalesce(spent.acquisition_cost, 0)
        end as acquisition_cost
    from months
    cross join feeds
    cross join spent_months
    left join spent
        on months.channel = spent.channel and months.month = spent.month

),

contributed as (

    select
        channel,
        month,
        {{ sum_if_known('contribution_margin') }} as contribution_margin
    from margins
    group by channel, month

),

paid_back as (

    select
        costed.channel,
        costed.month,
        min(running.contributed_month) as payback_month
    from costed
    inner join running
        on
            costed.channel = running.channel
            and costed.month = running.month
            and costed.acquisition_cost <= running.contribution_margin
    group by costed.channel, costed.month

),

joined as (

    select
        costed.channel,
        costed.month,
        costed.acquisition_cost,
        coalesce(cohorts.acquired_count, 0) as acquired_customers,
        case
            when feeds.has_payments or feeds.has_visitor_value
                then coalesce(cohorts.observed_value, 0)
        end as observed_value,
        case
            when feeds.has_payments or feeds.has_visitor_value
                then case
                        when cohorts.channel is null or contributed.channel is null
                            then 0
                        else contributed.contribution_margin
                    end
        end as contribution_margin,
        case
            when futures.future_count > 0 and cohorts.channel is null then 0
            when futures.future_count > 0 then cohorts.expected_value_low
        end as expected_value_low,
        case
            when futures.future_count > 0 and cohorts.channel is null then 0
            when futures.future_count > 0 then cohorts.expected_value_base
        end as expected_value_base,
        case
            when futures.future_count > 0 and cohorts.channel is null then 0
            when futures.future_count > 0 then cohorts.expected_value_high
        end as expected_value_high,
        paid_back.payback_month
    from costed
    cross join feeds
    cross join futures
    left join cohorts
        on costed.channel = cohorts.channel and costed.month = cohorts.month
    left join contributed
        on costed.channel = contributed.channel and costed.month = contributed.month
    left join paid_back
        on costed.channel = paid_back.channel and costed.month = paid_back.month

),

final as (

    select
        channel,
        month,
        cast(acquisition_cost as decimal(18, 4)) as acquisition_cost,
        cast(acquired_customers as bigint) as acquired_customers,
        -- Money and customers whose channels nobody knows need not belong together.
        case
            when channel <> '(unknown)'
                then cast(acquisition_cost as double) / nullif(acquired_customers, 0)
        end as cac,
        cast(observed_value as decimal(18, 4)) as observed_value,
        cast(observed_value as double) / nullif(acquired_customers, 0)
            as observed_value_per_customer,
        cast(contribution_margin as decimal(18, 4)) as contribution_margin,
        cast(expected_value_low as decimal(18, 4)) as expected_value_low,
        cast(expected_value_base as decimal(18, 4)) as expected_value_base,
        cast(expected_value_high as decimal(18, 4)) as expected_value_high,
        cast(expected_value_base as double) / nullif(acquired_customers, 0) as clv,
        case
            when channel <> '(unknown)' and acquired_customers > 0
                then cast(
                        12 * (
                            extract(year from payback_month) - extract(year from month)
                        )
                        + extract(month from payback_month) - extract(month from month)
                        as bigint
                    )
        end as payback_months
    from joined

)

select * from final
