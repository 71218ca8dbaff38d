with

mentions as (

    select * from {{ ref('stg_mentions') }}

),

surveys as (

    select * from {{ ref('stg_surveys') }}

),

identity as (

    select * from {{ ref('int_identity') }}

),

refresh as (

    select * from {{ source('run', 'refresh') }}

),

assumptions as (

    select
        {{ assumed('mention_reach', 'low') }} as mention_reach_low,
        {{ assumed('mention_reach', 'base') }} as mention_reach_base,
        {{ assumed('mention_reach', 'high') }} as mention_reach_high,
        {{ assumed('mention_click_share', 'low') }} as click_share_low,
        {{ assumed('mention_click_share', 'base') }} as click_share_base,
        {{ assumed('mention_click_share', 'high') }} as click_share_high,
        {{ assumed('detractor_reach', 'low') }} as detractor_reach_low,
        {{ assumed('detractor_reach', 'base') }} as detractor_reach_base,
        {{ assumed('detractor_reach', 'high') }} as detractor_reach_high,
        {{ assumed('negative_loss_probability', 'low') }} as loss_low,
        {{ assumed('negative_loss_probability', 'base') }} as loss_base,
        {{ assumed('negative_loss_probability', 'high') }} as loss_high
    from {{ source('run', 'assumptions') }}

),

complaints as (

    -- Somebody nobody knows has no social value to take it from.
    select
        mentions.mention_id as source_id,
        mentions.account_id as customer_id,
        coalesce(cast(mentions.reach as double), assumptions.mention_reach_low)
        * assumptions.click_share_low * assumptions.loss_low as lost_low,
        coalesce(cast(mentions.reach as double), assumptions.mention_reach_base)
        * assumptions.click_share_base * assumptions.loss_base as lost_base,
        coalesce(cast(mentions.reach as double), assumptions.mention_reach_high)
        * assumptions.click_share_high * assumptions.loss_high as lost_high
    from mentions
    inner join refresh on mentions.occurred_at < refresh.as_of_end_at
    cross join assumptions
    where mentions.sentiment < 0 and mentions.account_id is not null

),

answers as (

    select
        surveys.response_id,
        coalesce(surveys.account_id, identity.customer_id) as customer_id,
        surveys.score,
        surveys.responded_at
    from surveys
    inner join refresh on surveys.responded_at < refresh.as_of_end_at
    left join identity on surveys.visitor_id = identity.visitor_id
    where surveys.question = 'nps' and surveys.score is not null

),

latest_answers as (

    select
        response_id,
        customer_id,
        score,
        row_number() over (
            partition by customer_id order by responded_at desc, response_id desc
        ) as answer_rank
    from answers
    where customer_id is not null

),

final as (

    select
        source_id,
        customer_id,
        'complaint' as kind,
        lost_low,
        lost_base,
        lost_high
    from complaints

    union all

    -- Who has answered and is no detractor is known not to be one.
    select
        latest_answers.response_id as source_id,
        latest_answers.customer_id,
        case when latest_answers.score <= 6 then 'detractor' else 'no_detractor' end
            as kind,
        case
            when latest_answers.score <= 6
                then assumptions.detractor_reach_low * assumptions.loss_low
            else 0
        end as lost_low,
        case
            when latest_answers.score <= 6
                then assumptions.detractor_reach_base * assumptions.loss_base
            else 0
        end as lost_base,
        case
            when latest_answers.score <= 6
                then assumptions.detractor_reach_high * assumptions.loss_high
            else 0
        end as lost_high
    from latest_answers
    cross join assumptions
    where latest_answers.answer_rank = 1

)

select * from final
