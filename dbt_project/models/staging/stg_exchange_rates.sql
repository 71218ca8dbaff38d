{{ latest_by_key('exchange_rates') }}
