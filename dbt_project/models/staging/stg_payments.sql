{{ latest_by_key('payments') }}
