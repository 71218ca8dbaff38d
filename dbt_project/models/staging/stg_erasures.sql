{{ latest_by_key('erasures') }}
