"""Pseudonyms of accounts and visitors: keyed hashes that only the key's holder can repeat.

HMAC-SHA256 (RFC 2104) of the identifier behind its kind, so that an account and a visitor who
share an identifier do not share a pseudonym. The key never enters SQL text: DuckDB gets the
two padded blocks of RFC 2104 as parameters of a one-row table.
"""

import hashlib
import hmac
import os
import secrets
from contextlib import suppress

import duckdb

from orchestration import batches, settings
from orchestration.errors import SystemFailure
from orchestration.settings import Home

KINDS = ("account", "visitor")
CHECK_FILE = "pseudonym.check"
_BLOCK_BYTES = 64


def key(home: Home) -> bytes:
    """The key: `ARVO_PSEUDONYM_KEY`, else the home's own, made once with mode 600.

    Raises:
        SystemFailure: The home was landed with another key, or its key file cannot be used.
    """
    given = settings.pseudonym_key()
    if given:
        _refuse_unproven_key(home)
    found = given.encode() if given else _own_key(home)
    _check_same_key(home, found)
    return found


def existing_key(home: Home) -> bytes:
    """The key that a home was landed with; makes none.

    Raises:
        SystemFailure: Nothing was landed yet, or the key is another one.
    """
    if not (home.root / CHECK_FILE).exists():
        raise SystemFailure(
            f"nothing was landed in {home.root} yet, so no identifier has a pseudonym. Run "
            "`arvo refresh` first, or name the home with --home."
        )
    return key(home)


def pseudonym(secret: bytes, kind: str, identifier: str) -> str:
    """The 64 hex characters that stand for an identifier of a kind (account or visitor)."""
    return hmac.new(secret, f"{kind}:{identifier}".encode(), hashlib.sha256).hexdigest()


def install(connection: duckdb.DuckDBPyConnection, secret: bytes) -> None:
    """Gives a private in-memory connection the table that `sql` reads."""
    block = hashlib.sha256(secret).digest() if len(secret) > _BLOCK_BYTES else secret
    block = block.ljust(_BLOCK_BYTES, b"\0")
    pads = [bytes(byte ^ pad for byte in block) for pad in (0x36, 0x5C)]
    connection.execute(
        "create or replace temp table pads as "
        "select $inner::blob as inner_pad, $outer::blob as outer_pad",
        {"inner": pads[0], "outer": pads[1]},
    )


def sql(kind: str, identifier: str) -> str:
    """SQL for the pseudonym of a text expression, in a query that also reads `pads`."""
    message = f"encode('{kind}:' || {identifier})"
    return f"sha256(pads.outer_pad || unhex(sha256(pads.inner_pad || {message})))"


def _own_key(home: Home) -> bytes:
    """Reads the key file; makes it whole, by a link: a crash leaves either none or a good one."""
    path = home.key_file
    if not path.exists() and (home.root / CHECK_FILE).exists():
        raise SystemFailure(
            f"{path} is gone, and {home.root} was landed with it or with an ARVO_PSEUDONYM_KEY "
            "that is not set now. Restore it from a backup, or set the variable; without the key "
            "every known customer would become a stranger."
        )
    if not path.exists():
        working = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(working, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(handle, "wb") as stream:
                stream.write(secrets.token_hex(32).encode())
                stream.flush()
                os.fsync(stream.fileno())
            with suppress(FileExistsError):
                path.hardlink_to(working)
        except OSError as error:
            raise SystemFailure(
                f"{path} cannot be written ({error.strerror}). The home must be a folder this "
                "user may write to; name another with --home or ARVO_HOME."
            ) from error
        finally:
            working.unlink(missing_ok=True)
    found = path.read_bytes().strip()
    if not found:
        raise SystemFailure(
            f"{path} is empty: with no key everybody could repeat the pseudonyms. Restore it from "
            "a backup; if nothing has landed yet, delete it, and another is made."
        )
    return found


def _refuse_unproven_key(home: Home) -> None:
    """Refuses a key from outside where rows have landed and nothing says with which key."""
    path = home.root / CHECK_FILE
    if not path.exists() and any(home.landing.glob("*/*/*.json")):
        raise SystemFailure(
            f"{path} is gone, so nobody can tell whether ARVO_PSEUDONYM_KEY is the key that "
            f"{home.root} was landed with. Restore it from a backup; or, if you are sure of the "
            f"key, write it to {home.key_file} (mode 600) and unset the variable."
        )


def _check_same_key(home: Home, secret: bytes) -> None:
    """Refuses a key that would make every known customer a stranger."""
    path = home.root / CHECK_FILE
    proof = pseudonym(secret, "check", "arvo")
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        batches.write_whole(path, proof)
    elif path.read_text(encoding="utf-8").strip() != proof:
        raise SystemFailure(
            f"the pseudonym key is not the one that {home.root} was landed with: every known "
            "customer would become a stranger. Give the former ARVO_PSEUDONYM_KEY (or unset it, "
            f"where {home.key_file.name} is the key), or start a new home with --home."
        )
