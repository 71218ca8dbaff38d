{#
  All subscribers are scored; so many of them, at most, teach the score and judge it. With thirteen
  covariates and a year of periods, tens of thousands of examples tell what hundreds of thousands
  would, and what a longer history costs stays bounded.
#}
{% set most_teachers = 8000 %}

with

subscribers as (

    select distinct account_id as customer_id
    from {{ ref('stg_subscriptions') }}
    where status in ('active', 'past_due')

),

ranked as (

    select
        customer_id,
        -- By all but the digit that decides on the fold: of each fold as many.
        row_number() over (order by substr(customer_id, 2), customer_id)
            as teacher_rank
    from subscribers

),

final as (

    select
        customer_id,
        {{ surrogate_key('customer_id') }} as customer_key,
        -- A number takes a tenth of the room of a pseudonym, and is grouped by in a
        -- third of the time.
        teacher_rank as subscriber,
        teacher_rank <= {{ most_teachers }} as is_teacher,
        -- A fifth of the customers, by the first digit of the pseudonym.
        cast(
            position(lower(substr(customer_id, 1, 1)) in '0123456789abcdef') % 5
            as integer
        ) as fold
    from ranked

)

select * from final
