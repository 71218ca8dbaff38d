{{ latest_by_key('ad_revenue') }}
