{# Every row has a value in each of these columns: one query a model. #}
{% test required(model, columns) %}
select *
from {{ model }}
where {{ columns | join(' is null or ') }} is null
{% endtest %}
