{# Along an order the value falls or stays within each key; null is passed over. #}
{% test never_rises(model, value, key, along) %}
with

in_turn as (

    select
        {{ key | join(', ') }},
        {{ along }},
        {{ value }},
        min({{ value }}) over (
            partition by {{ key | join(', ') }}
            order by {{ along }}
            rows between unbounded preceding and 1 preceding
        ) as lowest_before
    from {{ model }}
    where {{ value }} is not null

)

select *
from in_turn
where {{ value }} > lowest_before
{% endtest %}
