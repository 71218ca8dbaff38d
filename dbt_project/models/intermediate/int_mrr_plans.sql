{#
  A customer's movement of the month, split to his plans. What he took from one plan to another is
  a switch, no churn and no new; the rest of a plan's change is his movement's.
#}
with

changes as (

    select * from {{ ref('int_mrr_changes') }}

),

customers as (

    select
        customer_id,
        month,
        movement,
        is_involuntary
    from {{ ref('int_mrr_customers') }}

),

changed as (

    select
        changes.*,
        customers.movement,
        customers.is_involuntary,
        changes.end_mrr - changes.revalued_start_mrr as change,
        sum(greatest(changes.end_mrr - changes.revalued_start_mrr, 0)) over customer
            as gained,
        sum(least(changes.end_mrr - changes.revalued_start_mrr, 0)) over customer
            as lost
    from changes
    inner join customers
        on
            changes.customer_id = customers.customer_id
            and changes.month = customers.month
    window customer as (partition by changes.customer_id, changes.month)

),

moved as (

    select
        *,
        -- Several plans may gain (or lose) at once: each takes its part of the
        -- movement.
        cast(
            case
                when movement in ('new', 'reactivation', 'churn') then change
                when movement = 'expansion' and change > 0
                    then round(cast(change as double) * (gained + lost) / gained, 4)
                when movement = 'contraction' and change < 0
                    then round(cast(change as double) * (gained + lost) / lost, 4)
                else 0
            end as decimal(18, 4)
        ) as moved_mrr
    from changed

),

final as (

    select
        customer_id,
        month,
        plan,
        movement,
        is_involuntary,
        start_mrr,
        revalued_start_mrr,
        end_mrr,
        moved_mrr,
        cast(greatest(change - moved_mrr, 0) as decimal(18, 4)) as switched_in_mrr,
        cast(least(change - moved_mrr, 0) as decimal(18, 4)) as switched_out_mrr
    from moved

)

select * from final
