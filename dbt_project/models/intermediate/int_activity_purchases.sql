{# What counts as active, and what may drive both activity and purchase. #}
{% set activities = {
    'any_visit': 'active_days >= 1',
    'two_active_days': 'active_days >= 2',
    'fifteen_active_days': 'active_days >= 15',
    'logged_in': 'has_logged_in',
    'shared_or_commented': 'has_shared_or_commented',
} %}
{% set stratifications = [
    'block', 'registration', 'channel', 'prior_intent', 'prior_activity', 'prior_device'
] %}

with

customers as (

    select * from {{ ref('int_block_customers') }}

),

-- Few rows for many customers, before each is looked at by every activity and stratum.
alike as (

    select
        block_start_day,
        cast(block_start_day as string) as block,
        registration,
        channel,
        prior_intent,
        prior_activity,
        prior_device,
        {% for activity, condition in activities.items() -%}
        {{ condition }} as {{ activity }},
        {% endfor -%}
        has_purchased,
        count(*) as customer_count
    from customers
    group by
        block_start_day,
        registration,
        channel,
        prior_intent,
        prior_activity,
        prior_device,
        {% for condition in activities.values() -%}
        {{ condition }},
        {% endfor -%}
        has_purchased

),

by_activity as (

    {% for activity in activities -%}
    select
        '{{ activity }}' as activity,
        {{ activity }} as is_exposed,
        alike.*
    from alike
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

by_stratum as (

    {% for stratification in stratifications -%}
    select
        activity,
        '{{ stratification }}' as stratification,
        {{ stratification }} as stratum,
        block_start_day,
        is_exposed,
        has_purchased,
        customer_count
    from by_activity
    where {{ stratification }} is not null
    {{ 'union all' if not loop.last }}
    {% endfor %}
),

counted as (

    select
        activity,
        stratification,
        stratum,
        block_start_day,
        cast(
            coalesce(sum(customer_count) filter (where is_exposed and has_purchased), 0)
            as bigint
        ) as exposed_purchasers,
        cast(
            coalesce(sum(customer_count) filter (where is_exposed), 0) as bigint
        ) as exposed_customers,
        cast(
            coalesce(
                sum(customer_count) filter (where not is_exposed and has_purchased), 0
            ) as bigint
        ) as unexposed_purchasers,
        cast(
            coalesce(sum(customer_count) filter (where not is_exposed), 0) as bigint
        ) as unexposed_customers
    from by_stratum
    group by activity, stratification, stratum, block_start_day

),

asked as (

    {% for activity in activities -%}
    {% set is_last = loop.last -%}
    {% for stratification in stratifications -%}
    select
        '{{ activity }}' as activity,
        '{{ stratification }}' as stratification
    {{ 'union all' if not (loop.last and is_last) }}
    {% endfor -%}
    {% endfor %}
),

final as (

    -- What could not be counted is asked all the same: its stratum is null.
    select
        asked.activity,
        asked.stratification,
        counted.stratum,
        counted.block_start_day,
        counted.exposed_purchasers,
        counted.exposed_customers,
        counted.unexposed_purchasers,
        counted.unexposed_customers
    from asked
    left join counted
        on
            asked.activity = counted.activity
            and asked.stratification = counted.stratification

)

select * from final
