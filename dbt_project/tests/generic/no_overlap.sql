{# No two rows of a key overlap in time; an end of null is open. #}
{% test no_overlap(model, key, start, end) %}
with

ordered as (

    select
        {{ key }},
        {{ start }},
        lag({{ end }}) over one_after_another as previous_end,
        lag({{ start }}) over one_after_another as previous_start
    from {{ model }}
    window one_after_another as (partition by {{ key }} order by {{ start }})

)

select *
from ordered
where
    previous_start is not null
    and (previous_end is null or previous_end > {{ start }})
{% endtest %}
