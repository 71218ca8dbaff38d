"""Writes docs/marts.md from the descriptions beside the marts: `make docs`.

Holds the page's form only; every fact on it comes from dbt_project/models/marts.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from orchestration import settings

HEAD = """\
# Marts

Generated from `dbt_project/models/marts` by `make docs`; change the descriptions there.
"""


def page() -> str:
    """The page: a section per area, a table of columns per mart."""
    folder = settings.dbt_project_dir() / "models" / "marts"
    areas = sorted(path for path in folder.iterdir() if path.is_dir())
    return "\n".join([HEAD, *(line for area in areas for line in _area(area))]) + "\n"


def _area(folder: Path) -> Iterator[str]:
    yield f"## {folder.name.capitalize()}\n"
    for path in sorted(folder.glob("*.yml")):
        for mart in yaml.safe_load(path.read_text(encoding="utf-8"))["models"]:
            yield from _mart(mart)


def _mart(mart: dict[str, Any]) -> Iterator[str]:
    yield f"### {mart['name']}\n"
    yield f"{_one_line(mart['description'])}\n"
    yield "| column | type | meaning |\n|---|---|---|"
    for column in mart["columns"]:
        told = _one_line(column["description"]).replace("|", "\\|")
        yield f"| {column['name']} | {column['data_type']} | {told} |"
    yield ""


def _one_line(text: str) -> str:
    return " ".join(text.split())


def main() -> None:
    """Writes the page into the checkout."""
    path = settings.project_root() / "docs" / "marts.md"
    path.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
