{{ latest_by_key('referrals') }}
