"""What dbt reckons anew for every model, though it comes out the same.

Holds the shortcuts only, for many builds in one process (small.py runs them); test_shortcuts.py
holds each against dbt's own way. The command runs dbt without any.
"""

from collections.abc import Iterable, Iterator, KeysView, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from types import CodeType
from typing import Any
from unittest.mock import patch

from dbt import compilation
from dbt.clients.jinja import MacroGenerator
from dbt.context.macros import MacroNamespace, MacroNamespaceBuilder
from dbt.task import runnable
from dbt_common.clients import agate_helper
from dbt_common.clients.jinja import MacroFuzzEnvironment
from dbt_common.events.base_types import BaseEvent
from dbt_common.events.event_manager import EventManager

# dbt's own ways.
COMPILE = MacroFuzzEnvironment.compile
INJECT = compilation.inject_ctes_into_sql
TYPE_TESTER = agate_helper.build_type_tester


@contextmanager
def taken() -> Iterator[None]:
    """Takes them all."""
    shortcuts: Sequence[tuple[Any, str, Any]] = (
        # Lines that nobody reads cost a sixth of a build, written or not.
        (BaseEvent, "__init__", _nothing),
        (EventManager, "fire_event", _nothing),
        (MacroNamespaceBuilder, "build_namespace", namespace),
        (MacroFuzzEnvironment, "compile", compiled),
        (compilation, "inject_ctes_into_sql", injected),
        # A table without rows is made for every statement, a reader of dates with it.
        (agate_helper, "empty_table", cache(agate_helper.empty_table)),
        (agate_helper, "build_type_tester", type_tester),
        # The project is the one that small.py parsed, and nobody looks at these files about it.
        (compilation.Linker, "get_graph_summary", _nothing),
        (compilation.Linker, "write_graph", _nothing),
        (runnable, "write_manifest", _nothing),
    )
    with ExitStack() as stack:
        for owner, name, shortcut in shortcuts:
            stack.enter_context(patch.object(owner, name, shortcut))
        yield


def _nothing(*_: object, **__: object) -> None:
    """Instead of telling what dbt does."""


class Macro(MacroGenerator):
    """A macro that a model can call; dbt makes one in four calls."""

    def __init__(self, macro: Any, context: Any, node: Any, stack: Any) -> None:
        """As dbt does."""
        self.macro, self.context, self.node, self.stack = macro, context, node, stack


class Namespace(MacroNamespace):
    """All macros by the names that a model calls them by; dbt seeks each name in five places."""

    def __init__(self, *places: Any) -> None:
        """As dbt does, and looks into all places at once, the first to be asked last."""
        super().__init__(*places)
        self.found: dict[str, Any] = {}
        for place in reversed(list(self._search_order())):
            self.found.update(place)

    def keys(self) -> KeysView[str]:
        return self.found.keys()

    def __getitem__(self, name: str) -> Any:
        return self.found[name]


def namespace(
    builder: MacroNamespaceBuilder,
    by_package: Mapping[str, Mapping[str, Any]],
    context: dict[str, Any],
) -> Namespace:
    """What a model can call: six hundred macros, made twice for every model and test."""
    node, stack = builder.node, builder.thread_ctx
    made = {
        package: {name: Macro(macro, context, node, stack) for name, macro in macros.items()}
        for package, macros in by_package.items()
    }
    internal: dict[str, Any] = {}
    for package in reversed(builder.internal_package_names_order):
        internal.update(made.pop(package, {}))
    searched = made.get(builder.search_package, {})
    is_root = builder.root_package == builder.search_package
    root = {} if is_root else made.get(builder.root_package, {})
    return Namespace(root, searched, internal, made)


def compiled(environment: MacroFuzzEnvironment, source: str) -> CodeType:
    """The code of a template."""
    key = type(environment), source
    if key not in _codes:
        _codes[key] = COMPILE(environment, source)
    return _codes[key]


_codes: dict[tuple[type[MacroFuzzEnvironment], str], CodeType] = {}


def injected(sql: str, parts: Sequence[Any]) -> str:
    """A model's query with its ephemeral parts written in: to find their place, dbt parses it."""
    key = sql, tuple(part.sql for part in parts)
    if key not in _injected:
        _injected[key] = INJECT(sql, parts)
    return _injected[key]


_injected: dict[tuple[str, tuple[str, ...]], str] = {}


def type_tester(text_columns: Iterable[str], *more: Any, **stated: Any) -> Any:
    """How dbt guesses the types of what a query returns."""
    return _type_tester(frozenset(text_columns), *more, **stated)


@cache
def _type_tester(text_columns: frozenset[str], *more: Any, **stated: Any) -> Any:
    return TYPE_TESTER(text_columns, *more, **stated)
