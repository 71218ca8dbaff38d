"""dbt's command line, for which what it parsed of the project is good in every home.

Holds only what our dbt does otherwise than dbt's own command. dbt parses the project anew, for
seconds, wherever the connection differs from the one that it parsed for: another database file,
more memory. What the project says depends on none of it.
"""

from dbt.adapters.duckdb.credentials import DuckDBCredentials
from dbt.cli.main import cli

# Of the connection, what differs between homes and machines.
DIFFERENT = ("path", "config_options")


def main() -> None:
    """Runs dbt."""
    share_parse()
    cli()


def share_parse() -> None:
    """Makes dbt in this process go on from what was parsed for any database."""
    every = DuckDBCredentials._connection_keys

    def same(credentials: DuckDBCredentials) -> tuple[str, ...]:
        return tuple(key for key in every(credentials) if key not in DIFFERENT)  # type: ignore[no-untyped-call]

    DuckDBCredentials._connection_keys = same  # type: ignore[method-assign]
