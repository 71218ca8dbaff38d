{{ latest_by_key('costs') }}
