{#
  A row per key, and a value where one must be: one query a model for both, as every test costs every
  refresh of a small publisher as long as a small model. `lacks` says which of the two a row fails.
#}
{% test grain(model, key, required) %}
select
    'a value' as lacks,
    {{ key | join(', ') }}
from {{ model }}
where {{ required | join(' is null or ') }} is null

union all

select
    'a key of its own' as lacks,
    {{ key | join(', ') }}
from {{ model }}
group by {{ key | join(', ') }}
having count(*) > 1
{% endtest %}
