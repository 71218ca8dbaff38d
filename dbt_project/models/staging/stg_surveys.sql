{{ latest_by_key('surveys') }}
