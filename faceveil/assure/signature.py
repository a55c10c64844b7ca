"""Signatures of reports: Ed25519 (RFC 8032) over the canonical JSON of the report's data.

Canonical is: UTF-8, keys sorted, no white space. The signature stands in the report itself, under
"signature", which is left out of what is signed.
"""

from __future__ import annotations

import base64
import os
import stat
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from faceveil.errors import InputError, UsageError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (
        Ed25519PrivateKey,
        Ed25519PublicKey,
    )

ALGORITHM = "Ed25519"
PASSWORD = "FACEVEIL_KEY_PASSWORD"
"""The environment variable with the password of a key that has one."""
_MAKE_ONE = "make one with `openssl genpkey -algorithm ed25519 -out key.pem`"


def canonical(report: Mapping[str, Any]) -> bytes:
    """Return the bytes of a report that are signed: its data without the signature."""
    data = {name: value for name, value in report.items() if name != "signature"}
    options = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_SORT_KEYS
    # Read once: numbers are then written alike, whether they come from an array or from a file.
    plain = orjson.loads(orjson.dumps(data, option=options))
    return orjson.dumps(plain, option=options)


class Signer:
    """Signs reports with a private key.

    Parameters
    ----------
    path : Path
        An Ed25519 key in PEM (PKCS #8). Its password, where it has one, is in the environment
        variable FACEVEIL_KEY_PASSWORD.

    Raises
    ------
    InputError
        When there is no such file, or it holds no such key, or the password is wrong or missing.
    UsageError
        When others may read the key.
    """

    def __init__(self, path: Path) -> None:
        self._key = _private_key(path)

    def sign(self, report: Mapping[str, Any]) -> dict[str, Any]:
        """Return the report with its signature."""
        public = _raw(self._key.public_key())
        signature = {
            "algorithm": ALGORITHM,
            "public_key": base64.b64encode(public).decode("ascii"),
            "signature": base64.b64encode(self._key.sign(canonical(report))).decode("ascii"),
        }
        return {**report, "signature": signature}


def check_signature(report: Mapping[str, Any], public_key: Path | None = None) -> str:
    """Check the signature of a report.

    Parameters
    ----------
    report : mapping
        The data of a report, as read from JSON.
    public_key : Path, optional
        A PEM file with the key that the report must be signed with, public or private; without it,
        the key in the report is taken, which anybody could have put there.

    Returns
    -------
    str
        The fingerprint of the key: "SHA256:" and the digest of its 32 bytes in base64.

    Raises
    ------
    InputError
        When the report is not signed, is signed with another key, or is not what was signed.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    stored = report.get("signature")
    if stored is None:
        raise InputError("the report is not signed")
    try:
        raw = base64.b64decode(stored["public_key"], validate=True)
        signature = base64.b64decode(stored["signature"], validate=True)
        key = Ed25519PublicKey.from_public_bytes(raw)
        if stored["algorithm"] != ALGORITHM:
            raise ValueError(f"algorithm {stored['algorithm']!r}")
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"the report's signature cannot be read ({error})") from error
    if public_key is not None and raw != (expected := _public_bytes(public_key)):
        raise InputError(
            f"the report is signed with another key: {fingerprint(raw)}, not "
            f"{fingerprint(expected)} of {public_key}"
        )
    try:
        key.verify(signature, canonical(report))
    except InvalidSignature as error:
        raise InputError(
            "the signature does not fit the report: it was changed after it was signed"
        ) from error
    return fingerprint(raw)


def fingerprint(public: bytes) -> str:
    """Return how people name a public key, given its 32 bytes."""
    return f"SHA256:{base64.b64encode(sha256(public).digest()).decode('ascii').rstrip('=')}"


def _private_key(path: Path) -> Ed25519PrivateKey:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    content = _read(path)
    if b"PRIVATE KEY" not in content:
        raise InputError(f"{path}: holds no private key in PEM; {_MAKE_ONE}")
    if os.name == "posix" and path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise UsageError(f"{path}: others may read this key: chmod 600 {path}")
    word = os.environ.get(PASSWORD)
    is_locked = b"ENCRYPTED" in content
    if is_locked and not word:
        raise InputError(f"{path}: has a password; set {PASSWORD} to it")
    try:
        key = load_pem_private_key(content, word.encode() if is_locked and word else None)
    except (TypeError, ValueError, UnsupportedAlgorithm) as error:
        why = f"is {PASSWORD} its password?" if is_locked else _MAKE_ONE
        raise InputError(f"{path}: this key cannot be read; {why}") from error
    if not isinstance(key, Ed25519PrivateKey):
        kind = type(key).__name__.strip("_").removesuffix("PrivateKey")
        raise InputError(f"{path}: is a key of the kind {kind}, not Ed25519; {_MAKE_ONE}")
    return key


def _public_bytes(path: Path) -> bytes:
    """The 32 bytes of the public key in a PEM file, public or private."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    content = _read(path)
    if b"PRIVATE KEY" in content:
        return _raw(_private_key(path).public_key())
    try:
        key = load_pem_public_key(content)
    except ValueError as error:
        raise InputError(f"{path}: holds no public key in PEM") from error
    if not isinstance(key, Ed25519PublicKey):
        raise InputError(f"{path}: is no Ed25519 key")
    return _raw(key)


def _raw(key: Ed25519PublicKey) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    raw: bytes = key.public_bytes(Encoding.Raw, PublicFormat.Raw)
    return raw


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
