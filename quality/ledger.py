"""Totals of money computed from landing, past the models.

Holds what marts.py reconciles the marts with. The rules (which version of a row counts, a
month's exchange rate, what counts as MRR) stand here a second time on purpose: reconciling with
staging would repeat staging's mistakes. Every function gives a query over the attached
`warehouse`.
"""

AS_OF_DAY = "(select as_of_day from warehouse.landing.refresh)"
AS_OF_END = "(select as_of_end_at from warehouse.landing.refresh)"
REPORTING_CURRENCY = "(select currency from warehouse.landing.refresh)"
_TIME_ZONE = "(select time_zone from warehouse.landing.refresh)"
_GRACE_DAYS = "(select grace_days from warehouse.landing.refresh)"

_PERIOD_MONTHS = "case billing_period when 'month' then 1 when 'quarter' then 3 else 12 end"

# The last instant that counts.
_AT = f"({AS_OF_END} - interval 1 microsecond)"


def payments() -> str:
    """The ledger up to the as-of day: total and converted_rows, one row."""
    paid = f"""
        select
            currency,
            amount,
            cast(timezone({_TIME_ZONE}, timezone('UTC', paid_at)) as date) as day
        from ({_latest("payments", "payment_id")})
        where paid_at < {AS_OF_END}
        """
    return _total(paid)


def billed_revenue() -> str:
    """Advertising bills up to the as-of day: total and converted_rows, one row."""
    billed = f"""
        select currency, revenue as amount, day
        from ({_latest("ad_revenue", "day, placement, device")})
        where day <= {AS_OF_DAY}
        """
    return _total(billed)


def mrr() -> str:
    """MRR of the subscriptions at the end of the as-of day: total and converted_rows, one row.

    An active period counts its price by the month; one past due does while the grace lasts.
    """
    active = f"""
        select
            currency,
            -- Whole cents, a half up, in integers: 99.90 a year is 8.325 a month.
            (
                2 * cast(amount * 10000 as hugeint) * if(billing_period = 'week', 52, 1)
                + 100 * {_PERIOD_MONTHS}
            ) // (200 * {_PERIOD_MONTHS}) / 100 as amount,
            {AS_OF_DAY} as day
        from ({_latest("subscriptions", "subscription_id, started_at")})
        where
            started_at <= {_AT}
            and (ended_at is null or ended_at > {_AT})
            and (
                status = 'active'
                or (
                    status = 'past_due'
                    and {AS_OF_END} - started_at <= to_days(cast({_GRACE_DAYS} as integer))
                )
            )
        """
    return _total(active)


def acquisition_costs() -> str:
    """Acquisition costs up to the as-of day: total and converted_rows, one row."""
    spent = f"""
        select currency, amount, day
        from ({_latest("costs", "day, kind, channel")})
        where kind = 'acquisition' and day <= {AS_OF_DAY}
        """
    return _total(spent)


def referrals() -> str:
    """The outcomes of recommendations up to the as-of day, with the local day of each."""
    return f"""
        select
            *,
            cast(timezone({_TIME_ZONE}, timezone('UTC', occurred_at)) as date) as day
        from ({_latest("referrals", "referral_id")})
        where occurred_at < {AS_OF_END}
        """


def _latest(feed: str, key: str) -> str:
    """The rows of a feed, of each key the latest version."""
    return f"""
        select * from warehouse.landing.{feed}
        qualify row_number() over (
            partition by {key}
            order by
                updated_at desc nulls last, source_modified_at desc, source_name desc,
                source_row desc
        ) = 1
        """


def _total(rows: str) -> str:
    """Σ amount in the reporting currency at each month's rate, rounded row by row.

    The month's rate is the latest quoted on or before its first day, else the earliest after.
    """
    return f"""
        with rows as (
            select currency, amount, cast(date_trunc('month', day) as date) as month from ({rows})
        ),
        quoted as ({_latest("exchange_rates", "day, currency")}),
        rates as (
            select
                months.currency,
                months.month,
                case when months.currency = {REPORTING_CURRENCY} then 1 else coalesce(
                    arg_max(quoted.rate, quoted.day) filter (where quoted.day <= months.month),
                    arg_min(quoted.rate, quoted.day)
                ) end as rate
            from (select distinct currency, month from rows) as months
            left join quoted on months.currency = quoted.currency
            group by months.currency, months.month
        )
        select
            cast(sum(round(rows.amount * rates.rate, 4)) as decimal(38, 4)) as total,
            count(*) filter (where rows.currency <> {REPORTING_CURRENCY}) as converted_rows
        from rows
        inner join rates on rows.currency = rates.currency and rows.month = rates.month
        """
