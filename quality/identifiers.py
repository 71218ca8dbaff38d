"""What a direct identifier of a person looks like in a text, and what a pseudonym looks like.

Holds patterns that DuckDB and Python read alike (RE2, so no look-around: what may stand before and
after is written out). Which columns are searched is marts.py's business.
"""

import re

# Landing writes account and visitor ids as hexadecimal HMAC-SHA256.
PSEUDONYM = "[0-9a-f]{64}"

# Letters of all scripts, as ranges: RE2 takes twenty times as long to read \p{L}, and landing asks
# for a pattern once a column and file.
_LETTERS = "A-Za-z\u00c0-\u1fff\u2c00-\ud7ff"
_WORD = f"0-9{_LETTERS}"

EMAIL_ADDRESS = rf"[{_WORD}_%+.-]+(@|%40)[{_WORD}-]+(\.[{_WORD}-]+)*\.[{_LETTERS}]{{2,}}"

# A number is taken for a telephone number by how it is set, never by its digits alone: ids,
# amounts and hashes are full of digits.
_BEFORE = rf"(^|[^{_WORD}_.,/+-])"
_AFTER = rf"($|[^{_WORD}_-])"
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
    rf"(^|[^{_WORD}.])({_IPV4})\.?($|[^0-9.])"
    rf"|(^|[^{_WORD}:])({_IPV6})($|[^{_WORD}:])"
)

# Whatever matches a pattern matches this, which is looked for in a fraction of the time: an address
# has its sign, a number four digits, and IPv6 a group of four before a colon.
SUSPECT = f"@|%40|[0-9]([^0-9]*[0-9]){{3}}|{_HEX}{{4}}:"

# What a column of a published mart must not hold, by the name a check gives it.
DIRECT_IDENTIFIERS = {
    "email_address": EMAIL_ADDRESS,
    "phone_number": PHONE_NUMBER,
    "ip_address": IP_ADDRESS,
}

WITHHELD = "(withheld)"


def withheld(*texts: str) -> list[str]:
    """The texts with every direct identifier in them hidden, for messages that are published."""
    return [_withheld(text) for text in texts]


def _withheld(text: str) -> str:
    for name, pattern in DIRECT_IDENTIFIERS.items():
        # Looking for the start of an address in a long word takes the square of its length.
        if name == "email_address" and "@" not in text and "%40" not in text:
            continue
        text = re.sub(pattern, f" {WITHHELD} ", text).strip()
    return text
