{{ latest_by_key('feedback') }}
