{{ latest_by_key('consents') }}
