"""Protects: objects arrive whole or an error says why; claims have one winner."""

import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import boto3
import pytest

from faceveil.aws import s3
from faceveil.aws.s3 import Listed, S3Location
from faceveil.aws.s3_errors import LostObjectError
from faceveil.errors import InputError, OutputError, UsageError
from testkit.servers.faulty_s3 import DROP, DROP_ANSWER, SLOW_DOWN, TRUNCATE, fail_first

CONTENT = bytes(range(256)) * 400


@pytest.fixture
def place(s3_url, prefix):
    return S3Location.open(f"{prefix}a b/ü", s3_url)


@pytest.fixture
def shaky(faulty, prefix, short_pauses, monkeypatch):
    """The same place as `place`, through the proxy."""
    monkeypatch.setattr(s3, "_PAUSE_SECONDS", 0.001)
    return S3Location.open(f"{prefix}a b/ü", faulty.url)


def names(location, **options):
    return [item.name for page in location.pages(**options) for item in page]


def test_names_with_spaces_and_letters_of_any_script(place):
    name = "bild ø+%41&日本?#.png"
    stored = place.write(name, CONTENT)
    assert stored.sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert [item for page in place.pages() for item in page] == [
        Listed(name, len(CONTENT), stored.etag)
    ]
    assert place.read(name, stored.etag) == CONTENT
    target = place.folder("copies")
    assert target.copy(place, Listed(name, len(CONTENT), stored.etag)).name == name
    assert target.read(name) == CONTENT
    assert place.find(name) == Listed(name, len(CONTENT), stored.etag)
    place.delete([name])
    assert place.find(name) is None


def test_a_listing_leaves_out_folders_below_and_starts_where_told(place, s3):
    for name in ("a.png", "b.png", "c.png", "sub/d.png"):
        place.write(name, b"x")
    s3.put_object(Bucket=place.bucket, Key=place.prefix, Body=b"")
    assert names(place) == ["a.png", "b.png", "c.png"]
    assert names(place, recursive=True) == ["a.png", "b.png", "c.png", "sub/d.png"]
    assert names(place, start_after="a.png") == ["b.png", "c.png"]


def test_an_object_that_is_gone_or_changed_is_told_from_other_errors(place):
    stored = place.write("1.png", b"first")
    listed = Listed("1.png", 5, stored.etag)
    place.write("1.png", b"second")
    with pytest.raises(LostObjectError, match=r"1\.png: was changed since"):
        place.read("1.png", stored.etag)
    with pytest.raises(LostObjectError, match=r"1\.png to s3://.*: was changed since"):
        place.folder("copies").copy(place, listed)
    place.delete(["1.png"])
    with pytest.raises(LostObjectError, match="no such object"):
        place.read("1.png", stored.etag)
    with pytest.raises(LostObjectError, match="no such object"):
        place.folder("copies").copy(place, listed)


@pytest.mark.parametrize("fault", [SLOW_DOWN, DROP, DROP_ANSWER, TRUNCATE, (500, "InternalError")])
def test_passing_faults_are_outlasted(shaky, faulty, fault):
    faulty.rule = fail_first(fault, 2)
    stored = shaky.write("1.bin", CONTENT)
    assert shaky.read("1.bin") == CONTENT
    assert shaky.folder("copies").copy(shaky, Listed("1.bin", len(CONTENT), stored.etag))
    assert names(shaky) == ["1.bin"]
    assert shaky.folder("copies").read("1.bin") == CONTENT
    assert faulty.requests["PUT"] == 3 or fault == TRUNCATE
    assert faulty.requests["LIST"] == 3


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (SLOW_DOWN, "too busy"),
        (DROP, "cannot be reached"),
        (TRUNCATE, "cannot be reached"),
        ((400, "ExpiredToken"), "credentials"),
        ((403, "RequestTimeTooSkewed"), "clock"),
        ((403, "AccessDenied"), r"access denied.*GetObject"),
        ((301, "PermanentRedirect"), "another region"),
        ((400, "KMS.DisabledException"), "KMS key"),
    ],
)
def test_lasting_faults_say_what_to_do(shaky, faulty, fault, words):
    shaky.write("1.bin", CONTENT)
    faulty.rule = fail_first(fault, 1000)
    with pytest.raises(InputError, match=words) as caught:
        shaky.read("1.bin")
    assert not isinstance(caught.value, LostObjectError)


def test_a_missing_bucket_is_named(s3_url):
    with pytest.raises(InputError, match=r"s3://no-such-bucket-here/x/: there is no such bucket"):
        names(S3Location.open("s3://no-such-bucket-here/x", s3_url))


@pytest.mark.parametrize(
    ("variable", "value"),
    [("AWS_ACCESS_KEY_ID", "nobody"), ("AWS_SECRET_ACCESS_KEY", "wrong")],
)
def test_credentials_that_do_not_work(s3_url, prefix, monkeypatch, variable, value):
    monkeypatch.setenv(variable, value)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    with pytest.raises(InputError, match="no credentials for S3 that work"):
        names(S3Location.open(prefix, s3_url))


def test_no_credentials_at_all(s3_url, prefix, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    with pytest.raises(InputError, match="no credentials for S3 that work"):
        names(S3Location.open(prefix, s3_url))


def test_writing_without_the_right_to(s3_url, prefix, reader_credentials):
    place = S3Location.open(prefix, s3_url)
    for attempt in (lambda: place.write("1", b""), lambda: place.put_if_absent("1", b"")):
        with pytest.raises(OutputError, match="access denied"):
            attempt()


def test_an_endpoint_that_nobody_listens_at(aws_credentials, short_pauses):
    with pytest.raises(InputError, match="cannot be reached"):
        names(S3Location.open("s3://bucket/x", "http://127.0.0.1:9"))


@pytest.mark.parametrize("address", ["bucket/x", "s3://", "https://bucket/x"])
def test_what_is_no_address_is_refused(address):
    with pytest.raises(UsageError, match="not an S3 address"):
        S3Location.open(address)


def test_one_claim_wins_of_many_at_once(place):
    threads = 16
    start = threading.Barrier(threads)

    def claim(number):
        start.wait()
        return place.put_if_absent("claim", f"claimant {number}".encode())

    with ThreadPoolExecutor(threads) as pool:
        won = list(pool.map(claim, range(threads)))
    assert sum(won) == 1
    assert place.read("claim") == f"claimant {won.index(True)}".encode()
    assert not place.put_if_absent("claim", b"later")


def test_a_claim_whose_answer_was_lost_is_still_the_claimants(shaky, faulty):
    faulty.rule = fail_first(DROP_ANSWER, operations=("PUT",))
    assert shaky.put_if_absent("claim", b"mine")
    assert not shaky.put_if_absent("claim", b"yours")
    assert not shaky.put_if_absent("claim", b"mine"), "no answer was lost: someone was first"
    assert shaky.read("claim") == b"mine"


def test_a_claim_during_another_write_is_decided_by_asking_again(shaky, faulty):
    faulty.rule = fail_first((409, "ConditionalRequestConflict"), 2)
    assert shaky.put_if_absent("claim", b"mine")


def test_an_object_is_replaced_only_where_it_is_the_one_that_was_read(shaky, faulty):
    """Also where S3's answer is lost, or another write is going on."""
    first = shaky.write("document", b"1").etag
    faulty.rule = fail_first(DROP_ANSWER, operations=("PUT",))
    second = shaky.put_if_unchanged("document", b"2", first)
    assert second is not None
    assert shaky.put_if_unchanged("document", b"3", first) is None
    assert shaky.read("document", second.etag) == b"2"
    faulty.rule = fail_first((409, "ConditionalRequestConflict"), 2)
    assert shaky.put_if_unchanged("document", b"4", second.etag) is not None
    shaky.delete(["document"])
    assert shaky.put_if_unchanged("document", b"5", second.etag) is None


def test_large_files_go_in_parts(shaky, faulty, tmp_path, monkeypatch):
    monkeypatch.setattr(s3._MULTIPART, "multipart_threshold", 5 << 20)
    monkeypatch.setattr(s3._MULTIPART, "multipart_chunksize", 5 << 20)
    monkeypatch.setattr(s3._MULTIPART, "io_chunksize", 1 << 20)
    path = tmp_path / "video.mp4"
    path.write_bytes(CONTENT * 120)
    faulty.rule = fail_first(SLOW_DOWN, operations=("PUT", "POST"))
    shaky.upload("video.mp4", path)
    assert faulty.requests["PUT"] >= 3
    faulty.rule = fail_first(TRUNCATE)
    shaky.download("video.mp4", tmp_path / "back.mp4")
    assert (tmp_path / "back.mp4").read_bytes() == path.read_bytes()


def test_every_request_carries_the_owner_and_every_write_the_key(faulty, prefix):
    """SeaweedFS knows neither owners nor KMS: that S3 refuses others is not shown here."""
    faulty.rule = lambda request: (403, "AccessDenied")
    place = S3Location.open(
        prefix, faulty.url, expected_owner="123456789012", kms_key="alias/frames"
    )
    attempts = {
        "LIST": lambda: names(place),
        "GET": lambda: place.read("1"),
        "HEAD": lambda: place.find("1"),
        "PUT": lambda: place.write("1", b"x"),
        "COPY": lambda: place.copy(place, Listed("1", 1, "e")),
        "POST": lambda: place.delete(["1"]),
    }
    for operation, attempt in attempts.items():
        with pytest.raises((InputError, OutputError), match="access denied"):
            attempt()
        headers = headers_of(faulty, operation)
        assert headers["x-amz-expected-bucket-owner"] == "123456789012"
        if operation in ("PUT", "COPY"):
            assert headers["x-amz-server-side-encryption"] == "aws:kms"
            assert headers["x-amz-server-side-encryption-aws-kms-key-id"] == "alias/frames"
    assert headers_of(faulty, "COPY")["x-amz-source-expected-bucket-owner"] == "123456789012"


def test_a_bucket_of_another_account_is_expected_to_be_theirs(faulty, prefix):
    """Read from theirs, written to ours: a copy says both."""
    faulty.rule = lambda request: (403, "AccessDenied")
    ours = S3Location.open(
        prefix, faulty.url, expected_owner="123456789012", owners={"news-raw": "210987654321"}
    )
    theirs = replace(ours, bucket="news-raw")
    with pytest.raises(InputError, match="access denied"):
        theirs.read("1")
    assert headers_of(faulty, "GET")["x-amz-expected-bucket-owner"] == "210987654321"
    with pytest.raises(OutputError, match="access denied"):
        ours.copy(theirs, Listed("1", 1, "e"))
    sent = headers_of(faulty, "COPY")
    assert sent["x-amz-source-expected-bucket-owner"] == "210987654321"
    assert sent["x-amz-expected-bucket-owner"] == "123456789012"


def test_what_lies_under_a_prefix_is_written_with_a_key_of_its_own(faulty, prefix, tmp_path):
    """Detections hold features: whoever may use the key of results cannot read them."""
    faulty.rule = lambda request: (403, "AccessDenied")
    whole = S3Location.open(
        prefix, faulty.url, kms_key="results", prefix_keys={"detections/": "features"}
    )
    bucket = replace(whole, prefix="")
    path = tmp_path / "large.bin"
    path.write_bytes(b"x" * (17 << 20))
    for name, key in (("detections/a/1.out", "features"), ("jobs/a/1.jpg", "results")):
        for write in (
            lambda name=name: bucket.write(name, b"x"),
            lambda name=name: bucket.upload(name, path),
        ):
            faulty.headers.clear()
            with pytest.raises(OutputError, match="access denied"):
                write()
            (operation,) = faulty.headers
            sent = headers_of(faulty, operation)
            assert sent["x-amz-server-side-encryption-aws-kms-key-id"] == key


def headers_of(faulty, operation):
    return {name.lower(): value for name, value in faulty.headers[operation].items()}
