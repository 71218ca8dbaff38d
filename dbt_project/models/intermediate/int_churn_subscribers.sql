{#
  All subscribers are scored; so many of them, at most, teach the score and judge it. With thirteen
  covariates and a year of periods, tens of thousands of examples tell what hundreds of thousands
  would, and what a longer history costs stays bounded.
#}
{% set most_teachers = 8000 %}

with

moments as (

    select * from {{ ref('int_churn_moments') }}

),

taught as (

    select
        min(moment_at) as first_at,
        max(moment_at) as last_at
    from moments
    where sample <> 'scoring'

),

subscribers as (

    select
        subscriptions.account_id as customer_id,
        -- Who left years ago, or pays nothing, is no example and takes nobody's place.
        coalesce(
            bool_or(
                subscriptions.amount > 0
                and subscriptions.started_at < taught.last_at
                and (
                    subscriptions.ended_at is null
                    or subscriptions.ended_at >= taught.first_at
                )
            ),
            false
        ) as can_teach
    from {{ ref('stg_subscriptions') }} as subscriptions
    cross join taught
    where subscriptions.status in ('active', 'past_due')
    group by subscriptions.account_id

),

ranked as (

    select
        customer_id,
        can_teach,
        -- A number takes a tenth of the room of a pseudonym, and is grouped by in a
        -- third of the time.
        row_number() over (order by customer_id) as subscriber,
        -- By all but the digit that decides on the fold: of each fold as many.
        row_number() over (
            partition by can_teach order by substr(customer_id, 2), customer_id
        ) as teacher_rank
    from subscribers

),

final as (

    select
        customer_id,
        {{ surrogate_key('customer_id') }} as customer_key,
        subscriber,
        can_teach and teacher_rank <= {{ most_teachers }} as is_teacher,
        -- A fifth of the customers, by the first digit of the pseudonym.
        cast(
            position(lower(substr(customer_id, 1, 1)) in '0123456789abcdef') % 5
            as integer
        ) as fold
    from ranked

)

select * from final
