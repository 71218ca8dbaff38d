with

bought as (

    select * from {{ ref('int_first_purchases') }}

),

actions as (

    select * from {{ ref('int_visitor_actions') }}
    where event_type in ('checkout', 'paywall') and content_id is not null

),

account_visitors as (

    select * from {{ ref('int_account_visitors') }}

),

steps as (

    select
        {{ customer_of('actions', by='id') }} as customer_id,
        actions.day,
        actions.content_id,
        actions.event_type,
        actions.last_at
    from actions
    left join account_visitors
        on actions.visitor_id = account_visitors.visitor_id

),

ranked as (

    select
        bought.customer_id,
        bought.day,
        steps.content_id,
        row_number() over (
            partition by bought.customer_id
            -- The last step at the checkout, else the last one that met the paywall.
            order by
                steps.event_type, steps.last_at desc, steps.content_id
        ) as place
    from bought
    inner join steps
        on
            bought.customer_id = steps.customer_id
            and bought.day >= steps.day
            and {{ add_days('bought.day', -7) }} < steps.day

),

final as (

    select
        bought.customer_id,
        bought.day,
        ranked.content_id
    from bought
    left join ranked
        on bought.customer_id = ranked.customer_id and ranked.place = 1

)

select * from final
