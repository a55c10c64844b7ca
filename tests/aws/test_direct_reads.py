"""Protects: objects read without most of boto3 are the same, and faults are left to boto3."""

import base64
import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import boto3
import pytest

from faceveil.aws import s3
from faceveil.aws.s3 import S3Location
from faceveil.aws.s3_errors import LostObjectError
from faceveil.errors import InputError
from testkit.servers.faulty_s3 import DROP, SLOW_DOWN, TRUNCATE
from testkit.servers.fixtures import KEY, READER, SECRET

CONTENT = bytes(range(256)) * 40
NAMES = ["img0000001.png.out", "bild ø+%41&日本?#.out", "a b/c~d.out", "a//b.out"]


@pytest.fixture
def place(faulty, prefix, short_pauses, monkeypatch):
    """A place whose first object was read, in which the others lie, too."""
    monkeypatch.setattr(s3, "_PAUSE_SECONDS", 0.001)
    owner = "123456789012"
    opened = S3Location.open(f"{prefix}a b/ü", faulty.url, expected_owner=owner)
    for name in ["first", *NAMES]:
        opened.write(name, CONTENT + name.encode())
    assert opened.read("first") == CONTENT + b"first"
    faulty.requests.clear()
    return opened


def sent(faulty):
    return {name.lower(): value for name, value in faulty.headers["GET"].items()}


def was_direct(faulty):
    """Whether the last GET was none of boto3's, which counts its attempts in a header."""
    return "amz-sdk-request" not in sent(faulty)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_bytes_come_in_one_request(place, faulty, name):
    assert place.read(name) == CONTENT + name.encode()
    assert faulty.requests == {"GET": 1}
    assert was_direct(faulty)
    direct = sent(faulty)
    assert replace(place, direct=None).read(name) == CONTENT + name.encode()
    assert not was_direct(faulty)
    of_one_request = {"amz-sdk-invocation-id", "amz-sdk-request", "authorization", "x-amz-date"}
    boto3s = {name: value for name, value in sent(faulty).items() if name not in of_one_request}
    assert {name: direct[name] for name in boto3s} == boto3s
    assert direct["x-amz-expected-bucket-owner"] == "123456789012"


def test_another_bucket_is_asked_by_boto3_first(place, faulty, bucket):
    other = replace(place, bucket=bucket)
    other.write("x", b"1")
    for direct in (False, True):
        assert other.read("x") == b"1"
        assert was_direct(faulty) is direct
    assert place.read(NAMES[0]).startswith(CONTENT)


@pytest.mark.parametrize("fault", [SLOW_DOWN, DROP, TRUNCATE, (403, "AccessDenied"), (400, "X")])
def test_a_fault_is_left_to_boto3(place, faulty, fault):
    """Both where S3 is busy and where a connection breaks, before the answer or within it."""
    faulty.rule = lambda request: fault if request.index == 0 else None
    assert place.read(NAMES[0]) == CONTENT + NAMES[0].encode()
    assert faulty.requests["GET"] == 2
    assert not was_direct(faulty)
    faulty.rule = lambda request: None
    place.read(NAMES[1])  # by boto3 where the pattern was in doubt
    assert place.read(NAMES[0]) == CONTENT + NAMES[0].encode()
    assert was_direct(faulty)


def test_errors_are_those_of_boto3(place, faulty):
    """What is gone or changed is lost alone; what is refused concerns all objects."""
    (listed,) = [item for page in place.pages() for item in page if item.name == NAMES[0]]
    assert place.read(NAMES[0], listed.etag).startswith(CONTENT)
    assert was_direct(faulty)
    assert sent(faulty)["if-match"] == f'"{listed.etag}"'
    place.write(NAMES[0], b"another")
    with pytest.raises(LostObjectError, match="was changed since it was listed"):
        place.read(NAMES[0], listed.etag)
    with pytest.raises(LostObjectError, match="there is no such object"):
        place.read("none")
    for code, message in [("AccessDenied", "access denied"), ("ExpiredToken", "Renew them")]:
        faulty.rule = lambda request, code=code: (403, code)
        with pytest.raises(InputError, match=message) as raised:
            place.read(NAMES[0])
        assert not isinstance(raised.value, LostObjectError)


def test_content_that_its_checksum_refuses_is_never_returned(place, faulty):
    wrong = base64.b64encode(hashlib.sha256(b"").digest()).decode()
    faulty.replaced = {"x-amz-checksum-sha256": wrong}
    with pytest.raises(InputError, match="checksum"):
        place.read(NAMES[0])


def test_credentials_that_expire_are_renewed(faulty, prefix, tmp_path, monkeypatch):
    """As those of a role, which last an hour: each request is signed by the newest."""
    config, credentials = tmp_path / "config", tmp_path / "credentials.json"
    config.write_text(f"[profile role]\ncredential_process = cat {credentials}\n")

    def hand_out(key, lifetime):
        expires = datetime.now(UTC) + lifetime
        answer = {
            "Version": 1,
            "AccessKeyId": key,
            "SecretAccessKey": SECRET,
            "Expiration": expires.isoformat(),
        }
        credentials.write_text(json.dumps(answer))

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_PROFILE", "role")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    hand_out(KEY, timedelta(minutes=1))  # so near its end that the next request renews it
    place = S3Location.open(prefix, faulty.url)
    place.write("x", CONTENT)
    place.read("x")
    assert f"={KEY}/" in sent(faulty)["authorization"]
    hand_out(READER, timedelta(hours=1))
    assert place.read("x") == CONTENT
    assert was_direct(faulty)
    assert f"={READER}/" in sent(faulty)["authorization"]


def test_threads_share_the_connections_of_the_client(place, faulty):
    """Reads at once, before and after the first object has come."""
    before = faulty.connections
    fresh = S3Location.open(str(place.uri()), faulty.url)
    with ThreadPoolExecutor(8) as threads:
        assert all(
            content == CONTENT + NAMES[0].encode()
            for content in threads.map(fresh.read, [NAMES[0]] * 80)
        )
    assert was_direct(faulty)
    assert faulty.connections - before <= 8
