{{ latest_by_key('page_speed') }}
