{{ latest_by_key('initiative_members') }}
