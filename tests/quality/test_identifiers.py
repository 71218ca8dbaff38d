"""What is taken for a direct identifier of a person, and what is not."""

import duckdb
import pytest

from quality import identifiers


def found(text: str) -> set[str]:
    """Names of the patterns that match."""
    return {
        name
        for name, pattern in identifiers.DIRECT_IDENTIFIERS.items()
        if duckdb.execute("select regexp_matches(?, ?)", [text, pattern]).fetchone() == (True,)
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
    ],
)
def test_what_marts_hold_is_not_taken_for_one(text: str) -> None:
    assert found(text) == set()


def test_a_pseudonym_is_64_hexadecimal_digits() -> None:
    query = "select regexp_full_match(?, ?)"
    for text, expected in (("0f" * 32, True), ("0f" * 31, False), ("liisa", False)):
        row = duckdb.execute(query, [text, identifiers.PSEUDONYM]).fetchone()
        assert row == (expected,)
