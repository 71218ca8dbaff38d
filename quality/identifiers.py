"""What a direct identifier of a person looks like in a text, and what a pseudonym looks like.

Holds patterns in DuckDB's dialect (RE2, so no look-around: what may stand before and after is
written out). Which columns are searched is marts.py's business.
"""

import duckdb

# Landing writes account and visitor ids as hexadecimal HMAC-SHA256.
PSEUDONYM = "[0-9a-f]{64}"

EMAIL_ADDRESS = r"[\p{L}\p{N}_%+.-]+(@|%40)[\p{L}\p{N}-]+(\.[\p{L}\p{N}-]+)*\.\p{L}{2,}"

# A number is taken for a telephone number by how it is set, never by its digits alone: ids,
# amounts and hashes are full of digits.
_BEFORE = r"(^|[^\p{L}\p{N}_.,/+-])"
_AFTER = r"($|[^\p{L}\p{N}_-])"
_PHONE_NUMBERS = (
    r"\+[1-9][0-9]{0,2}[ ().-]{0,2}([0-9][ ().-]{0,2}){6,11}[0-9]",  # +358 40 123 4567
    r"00[1-9][0-9]{0,2}[ -]([0-9][ -]?){6,11}[0-9]",  # 00358 40 1234567
    r"0[1-9][0-9]{0,3}[ -][0-9]{3,4}[ -]?[0-9]{2,4}([ -]?[0-9]{2,4})?",  # 040-123 4567
    r"0[1-9]([ .-][0-9]{2}){4}",  # 01 23 45 67 89
    r"\([0-9]{2,5}\) ?[0-9]{3,4}[ -][0-9]{3,4}",  # (09) 123 4567
    r"[2-9][0-9]{2}[-. ][0-9]{3}[-. ][0-9]{4}",  # 555-123-4567
)
PHONE_NUMBER = f"{_BEFORE}({'|'.join(_PHONE_NUMBERS)}){_AFTER}"

# Bare digits as a telephone number is dialled; a zero-padded id may look the same.
DIALLED_DIGITS = "^(0[1-9][0-9]{7,9}|00[1-9][0-9]{8,12})$"

_OCTET = "(25[0-5]|2[0-4][0-9]|1?[0-9]{1,2})"
_IPV4 = rf"({_OCTET}\.){{3}}{_OCTET}"
_HEX = "[0-9a-fA-F]"
# Addresses in use begin with 2 or 3, fc, fd or fe8 to feb; without that, C++ names match.
_IPV6_START = f"([23]{_HEX}{{3}}|[fF][cCdD]{_HEX}{{2}}|[fF][eE][89abAB]{_HEX})"
_GROUP = f"{_HEX}{{1,4}}"
_IPV6 = f"{_IPV6_START}((:{_GROUP}){{7}}|(:{_GROUP}){{0,5}}::({_GROUP}(:{_GROUP}){{0,5}})?)"
IP_ADDRESS = (
    rf"(^|[^\p{{L}}\p{{N}}.])({_IPV4})\.?($|[^0-9.])"
    rf"|(^|[^\p{{L}}\p{{N}}:])({_IPV6})($|[^\p{{L}}\p{{N}}:])"
)

# Whatever matches a pattern matches this, which is looked for in a fraction of the time.
SUSPECT = "[0-9@:]"

# What a column of a published mart must not hold, by the name a check gives it.
DIRECT_IDENTIFIERS = {
    "email_address": EMAIL_ADDRESS,
    "phone_number": PHONE_NUMBER,
    "ip_address": IP_ADDRESS,
}

WITHHELD = "(withheld)"


def withheld(*texts: str) -> list[str]:
    """The texts with every direct identifier in them hidden, for messages that are published."""
    with duckdb.connect() as scratch:
        return [_withheld(scratch, text) for text in texts]


def _withheld(scratch: duckdb.DuckDBPyConnection, text: str) -> str:
    for pattern in DIRECT_IDENTIFIERS.values():
        row = scratch.execute(
            "select regexp_replace(?, ?, ?, 'g')", [text, pattern, f" {WITHHELD} "]
        ).fetchone()
        text = str(row[0]).strip() if row else WITHHELD
    return text
