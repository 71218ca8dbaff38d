"""What is taken for a direct identifier of a person, and what is not."""

import duckdb
import pytest

from quality import identifiers


def found(text: str) -> set[str]:
    """Names of the patterns that match."""
    return {
        name
        for name, pattern in identifiers.DIRECT_IDENTIFIERS.items()
        if duckdb.connect().execute("select regexp_matches(?, ?)", [text, pattern]).fetchone()
        == (True,)
    }


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("liisa.virtanen@example.fi", "email_address"),
        ("mailto:Matti+news@sub.example.co.uk", "email_address"),
        ("liisa%40example.fi", "email_address"),
        ("päivi@järvi.fi", "email_address"),
        ("+358 40 123 4567", "phone_number"),
        ("call +358401234567 now", "phone_number"),
        ("040-123 4567", "phone_number"),
        ("(09) 123 4567", "phone_number"),
        ("192.168.0.1", "ip_address"),
        ("from 10.0.255.3, twice", "ip_address"),
        ("2001:0db8:85a3:0000:0000:8a2e:0370:7334", "ip_address"),
        ("fe80::1", "ip_address"),
        ("2001:db8::8a2e:370:7334", "ip_address"),
        ("01 23 45 67 89", "phone_number"),
        ("555-123-4567", "phone_number"),
    ],
)
def test_a_direct_identifier_is_found(text: str, kind: str) -> None:
    assert kind in found(text)


@pytest.mark.parametrize(
    "text",
    [
        "0000f0f57967b8f1b295462dd09be4eacdd399dae3a17c86c9a7323a8061d3d1",
        "20261123T100042Z-2f9b",
        "2026-06-30",
        "2026-06-30 10:13:19.256",
        "1234567.8900",
        "js-002176",
        "Kunta säästää 2 000 000 euroa vuonna 2026",
        "version 1.2.3",
        "mobile",
        "(all plans)",
        "99.5 % of 1,210,017 rows",
        "0.1.0",
        "1.24.1.post2",
        "2023-2024",
        "Vuosien 1917-1918 sota: 100 vuotta",
        "Yle 24.12.2025 klo 18.00",
        "12:30:45",
        "std::vector",
        "marts-000012-20261123T100042Z-2f9b.duckdb",
        "10 before, 12 now",
    ],
)
def test_what_marts_hold_is_not_taken_for_one(text: str) -> None:
    assert found(text) == set()


def test_a_pseudonym_is_64_hexadecimal_digits() -> None:
    query = "select regexp_full_match(?, ?)"
    for text, expected in (("0f" * 32, True), ("0f" * 31, False), ("liisa", False)):
        row = duckdb.connect().execute(query, [text, identifiers.PSEUDONYM]).fetchone()
        assert row == (expected,)


@pytest.mark.parametrize(
    "text",
    [
        "a@b.fi",
        "a%40b.fi",
        "+358401234567",
        "02 345 67",
        "01 23 45 67 89",
        "(09) 123 4567",
        "1.2.3.4",
        "fe80::a",
        "fdab::c",
    ],
)
def test_whatever_is_found_is_suspect_at_first_sight(text: str) -> None:
    query = "select regexp_matches(?, ?)"
    assert found(text)
    assert duckdb.connect().execute(query, [text, identifiers.SUSPECT]).fetchone() == (True,)


@pytest.mark.parametrize(
    ("text", "is_dialled"),
    [("0401234567", True), ("00358401234567", True), ("4012345678", False), ("2026", False)],
)
def test_digits_as_dialled_are_told_from_other_digits(text: str, is_dialled: bool) -> None:
    query = "select regexp_matches(?, ?)"
    row = duckdb.connect().execute(query, [text, identifiers.DIALLED_DIGITS]).fetchone()
    assert row == (is_dialled,)


def test_identifiers_in_a_message_are_withheld_and_the_rest_stays() -> None:
    told = "cannot be read: liisa@example.fi (row 7)"
    hidden, plain = identifiers.withheld(told, "nothing to hide, 12 rows")
    assert "liisa" not in hidden
    assert "cannot be read:" in hidden
    assert "(row 7)" in hidden
    assert found(hidden) == set()
    assert plain == "nothing to hide, 12 rows"
