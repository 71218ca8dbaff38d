{# A part of social value: unknown without its feed, zero of who has no row. #}
{% macro part(amount, relation, condition) -%}
    case
            when known.{{ condition }} and {{ relation }}.customer_id is null
                then cast(0 as decimal(18, 4))
            when known.{{ condition }} then {{ relation }}.{{ amount }}
        end
{%- endmacro %}

{#
  Social value from its parts. A part whose feed is missing is left out, and without any part all is
  unknown; a part whose feed is there but that rests on something unknown makes the sum unknown.
#}
{% macro sum_of_parts(clicks, referred, complaints, detractors) -%}
    cast(
            case
                when has_clicks or has_referred or has_complaints or has_detractors
                    then case when has_clicks then {{ clicks }} else 0 end
                        + case when has_referred then {{ referred }} else 0 end
                        + case when has_complaints then {{ complaints }} else 0 end
                        + case when has_detractors then {{ detractors }} else 0 end
            end as decimal(18, 4)
        )
{%- endmacro %}
{#
  What a referred customer credits (definitions: "Social value"): his value where he would not have
  come otherwise (that share of such customers), else the saved acquisition cost, and never more
  than his value. Written as the saved cost plus that share of what he is worth beyond it. Unknown
  where it rests on something unknown; a customer without value credits nothing whatever that is.
#}
{% macro referral_credit(value, saved_cost, share) -%}
    cast(
            case
                when {{ value }} = 0 then 0
                when {{ saved_cost }} is not null and {{ share }} is not null
                    then round(
                            least(cast({{ value }} as double), {{ saved_cost }})
                            + {{ share }}
                            * greatest(
                                cast({{ value }} as double) - {{ saved_cost }}, 0
                            ),
                            4
                        )
            end as decimal(18, 4)
        )
{%- endmacro %}
