{{ latest_by_key('subscriptions') }}
