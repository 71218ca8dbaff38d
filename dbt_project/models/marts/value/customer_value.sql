with

customers as (

    select * from {{ ref('customers') }}

),

monthly as (

    select * from {{ ref('customer_value_monthly') }}

),

futures as (

    select * from {{ ref('int_future_value') }}

),

social as (

    select * from {{ ref('social_value') }}

),

engagement as (

    select * from {{ ref('engagement') }}

),

feeds as (

    select * from {{ ref('int_known_feeds') }}

),

summed as (

    select
        customer_id,
        sum(economic_past_value) as economic_past_value,
        sum(visitor_value) as visitor_value
    from monthly
    group by customer_id

),

components as (

    -- Unknown where the feed is not configured; a known zero where it is and has
    -- nothing of him.
    select
        customers.customer_id,
        customers.kind,
        customers.segment,
        engagement.activity_band,
        case
            when feeds.has_payments
                then cast(coalesce(summed.economic_past_value, 0) as decimal(18, 4))
        end as economic_past_value,
        case
            when futures.customer_id is not null then futures.future_value_low
            when feeds.has_purchases then cast(0 as decimal(18, 4))
        end as economic_future_value_low,
        case
            when futures.customer_id is not null then futures.future_value_base
            when feeds.has_purchases then cast(0 as decimal(18, 4))
        end as economic_future_value,
        case
            when futures.customer_id is not null then futures.future_value_high
            when feeds.has_purchases then cast(0 as decimal(18, 4))
        end as economic_future_value_high,
        futures.method as economic_future_method,
        case
            when feeds.has_visitor_value
                then cast(coalesce(summed.visitor_value, 0) as decimal(18, 4))
        end as visitor_value,
        social.social_value_low,
        social.social_value_base as social_value,
        social.social_value_high,
        social.social_value_observed,
        social.social_value_assumed
    from customers
    cross join feeds
    left join summed on customers.customer_id = summed.customer_id
    left join futures on customers.customer_id = futures.customer_id
    left join social on customers.customer_id = social.customer_id
    left join engagement on customers.customer_id = engagement.customer_id

),

ranked as (

    -- Share of the other customers of his kind who are below him.
    select
        *,
        {{ share_below('economic_past_value', 'kind') }} as economic_past_percentile,
        {{ share_below('economic_future_value', 'kind') }}
            as economic_future_percentile,
        {{ share_below('visitor_value', 'kind') }} as visitor_percentile,
        {{ share_below('social_value', 'kind') }} as social_percentile
    from components

),

comparable as (

    -- What those who are alike and bring something of it bring on average: customers
    -- of the same kind who came as often of late.
    select
        kind,
        coalesce(activity_band, '') as activity_band,
        {{ mean_where_positive('economic_future_value') }} as usual_economic_value,
        {{ mean_where_positive('visitor_value') }} as usual_visitor_value,
        {{ mean_where_positive('social_value') }} as usual_social_value
    from components
    group by kind, coalesce(activity_band, '')

),

headrooms as (

    select
        ranked.*,
        greatest(
            coalesce(
                comparable.usual_economic_value - ranked.economic_future_value, 0
            ), 0
        ) as economic_headroom,
        greatest(
            coalesce(comparable.usual_visitor_value - ranked.visitor_value, 0), 0
        ) as visitor_headroom,
        greatest(
            coalesce(comparable.usual_social_value - ranked.social_value, 0), 0
        ) as social_headroom
    from ranked
    left join comparable
        on
            ranked.kind = comparable.kind
            and coalesce(ranked.activity_band, '') = comparable.activity_band

),

chosen as (

    select
        *,
        case
            when greatest(economic_headroom, visitor_headroom, social_headroom) = 0
                then 'none'
            when economic_headroom >= visitor_headroom
                and economic_headroom >= social_headroom
                then 'economic'
            when social_headroom >= visitor_headroom then 'social'
            else 'visitor'
        end as value_to_grow,
        case activity_band
            when '15+' then 'reads most days'
            when '2-14' then 'reads now and then'
            when '1' then 'came on one day of the last 30'
            when 'none' then 'has not come for 30 days'
            else 'nobody knows what he reads'
        end as habit
    from headrooms

),

final as (

    select
        customer_id,
        kind,
        economic_past_value,
        economic_future_value_low,
        economic_future_value,
        economic_future_value_high,
        economic_future_method,
        visitor_value,
        social_value_low,
        social_value,
        social_value_high,
        social_value_observed,
        social_value_assumed,
        cast(
            economic_past_value + economic_future_value_low + visitor_value
            + social_value_low as decimal(18, 4)
        ) as engagement_value_low,
        cast(
            economic_past_value + economic_future_value + visitor_value + social_value
            as decimal(18, 4)
        ) as engagement_value,
        cast(
            economic_past_value + economic_future_value_high + visitor_value
            + social_value_high as decimal(18, 4)
        ) as engagement_value_high,
        cast(
            case
                when coalesce(
                        economic_past_value, visitor_value, social_value_observed
                    ) is not null
                    then coalesce(economic_past_value, 0)
                        + coalesce(visitor_value, 0)
                        + coalesce(social_value_observed, 0)
            end as decimal(18, 4)
        ) as observed_value,
        economic_past_percentile,
        economic_future_percentile,
        visitor_percentile,
        social_percentile,
        value_to_grow,
        cast(
            greatest(economic_headroom, visitor_headroom, social_headroom)
            as decimal(18, 4)
        ) as value_to_grow_headroom,
        case
            when value_to_grow = 'none' then null
            when value_to_grow = 'social' and social_value < 0
                then concat(habit, ', complains: answer before anything else')
            when value_to_grow = 'social' and social_value = 0
                then concat(habit, ', never brought anybody: ask for a recommendation')
            when value_to_grow = 'social'
                then concat(habit, ', brings few others: thank and ask again')
            when value_to_grow = 'visitor' and activity_band = 'none'
                then concat(habit, ', brings little advertising: invite back')
            when value_to_grow = 'visitor'
                then concat(habit, ', sees few pages: show what to read next')
            when kind = 'visitor'
                then concat(habit, ', never registered: ask to register')
            when segment = 'subscriber'
                then concat(habit, ', pays less than others: offer a larger plan')
            when segment = 'former_subscriber'
                then concat(habit, ', left: win back')
            else concat(habit, ', never subscribed: offer a subscription')
        end as value_to_grow_reason
    from chosen

)

select * from final
