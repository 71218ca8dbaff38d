{{ latest_by_key('mentions') }}
