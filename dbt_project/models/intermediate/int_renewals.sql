select 'digital' as segment, 1 as period, 1000 as at_risk, 369 as churned
union all
select 'digital' as segment, 2 as period, 631 as at_risk, 163 as churned
union all
select 'digital' as segment, 3 as period, 468 as at_risk, 86 as churned
