"""Stands in for dbt's `adapter` while sqlfluff renders: a dialect macro becomes a call."""

from collections.abc import Callable


def dispatch(name: str) -> Callable[..., str]:
    """A function that renders a macro's call as a function call of the same name."""
    return lambda *arguments: f"{name}({', '.join(str(argument) for argument in arguments)})"
