{{ latest_by_key('content') }}
