"""What a shortcut gives is what dbt gives."""

from typing import Any, NamedTuple

import pytest
from dbt.clients.jinja import MacroStack
from dbt.context.macros import MacroNamespace, MacroNamespaceBuilder
from dbt_common.clients.jinja import MacroFuzzEnvironment, NativeSandboxEnvironment

from tests.refresh import shortcuts
from tests.refresh.small import parsed_project

# As dbt asks for them of DuckDB.
DBTS_OWN = ["dbt", "dbt_duckdb", "dbt_postgres"]


class Part(NamedTuple):
    """What a model is written into."""

    id: str
    sql: str


@pytest.mark.parametrize("package", ["arvo", "dbt", "dbt_duckdb"])
def test_a_model_can_call_the_macros_that_it_can_call_with_dbts_own_way(package: str) -> None:
    by_package = parsed_project().get_macros_by_package()
    node, context, stack = object(), {"a": 1}, MacroStack()

    def made(build: Any) -> MacroNamespace:
        builder = MacroNamespaceBuilder("arvo", package, stack, DBTS_OWN, node)
        found: MacroNamespace = build(builder, by_package, context)
        return found

    ours, dbts = made(shortcuts.namespace), made(MacroNamespaceBuilder.build_namespace)

    assert _told(dict(ours)) == _told(dict(dbts))
    assert len(dict(ours)) > 500
    for where in (None, "arvo", "dbt"):
        for name in ("default__get_create_table_as_sql", "generate_schema_name", "no_such"):
            assert _told(ours.get_from_package(where, name)) == _told(
                dbts.get_from_package(where, name)
            )


def _told(found: Any) -> Any:
    """What a macro, or macros by name, are; each with what it is called with."""
    if isinstance(found, dict):
        return {name: _told(each) for name, each in found.items()}
    return found and (found.macro.unique_id, id(found.context), id(found.node), id(found.stack))


def test_a_template_means_the_same_the_second_time_and_to_each_kind_of_environment() -> None:
    with shortcuts.taken():
        for _ in range(2):
            for kind in (MacroFuzzEnvironment, NativeSandboxEnvironment):
                template = kind().from_string("{{ number + 1 }}")
                told = template.render({"number": 1})
                assert told == ("2" if kind is MacroFuzzEnvironment else 2)


def test_each_model_gets_its_own_parts_written_in() -> None:
    with shortcuts.taken():
        from dbt import compilation

        for _ in range(2):
            for part in ("p as (select 1)", "p as (select 2)"):
                for sql in ("select * from p", "with q as (select 3) select * from p, q"):
                    parts = [Part("p", part)]
                    told = compilation.inject_ctes_into_sql(sql, parts)
                    assert told == shortcuts.INJECT(sql, parts)
                    assert part in told
