{{ latest_by_key('accounts') }}
