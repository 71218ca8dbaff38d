"""One module per kind of system a feed can come from. No Dagster in here."""
