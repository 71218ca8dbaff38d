with

counted as (

    select
        {{ local_day('accounts.registered_at', 'refresh.time_zone') }} as day,
        accounts.acquisition_channel as channel
    from {{ ref('stg_accounts') }} as accounts
    inner join {{ source('run', 'refresh') }} as refresh
        on accounts.registered_at < refresh.as_of_end_at

),

final as (

    {{ by_segments(
        'counted',
        numerator='count(*)',
        segments=['channel']
    ) }}

)

select * from final
