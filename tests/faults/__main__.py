"""`python -m tests.faults` writes the page of the catalogue."""

from tests.faults import page

if __name__ == "__main__":
    page.path().write_text(page.page(), encoding="utf-8")
