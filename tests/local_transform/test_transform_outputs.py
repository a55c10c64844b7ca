"""Where answers go, that they are whole, and which objects have theirs already.

S3 is SeaweedFS over HTTP.
"""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from faceveil.aws.clients import S3Uri, s3_client
from faceveil.errors import InputError, OutputError, UsageError
from faceveil.local_transform.listing import listed
from faceveil.local_transform.outputs import FolderOutput, S3Output, check_apart, open_output
from faceveil.paths import temporary_beside


@pytest.fixture
def client(aws_credentials):
    """A client that must not be needed: nothing listens there."""
    return s3_client("http://127.0.0.1:9")


def test_a_folder_keeps_relative_names(tmp_path, client):
    target = open_output(str(tmp_path / "new" / "out"), client)
    target.write("a.png", b"1")
    target.write("shot 1/b.png", b"2")
    target.write("a.png", b"3")
    root = tmp_path / "new" / "out"
    files = {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}
    assert files == {"a.png.out": b"3", "shot 1/b.png.out": b"2"}
    assert target.written(["a.png", "b.png", "shot 1/b.png"]) == {"a.png", "shot 1/b.png"}


@pytest.mark.parametrize("name", ["../a", "/a", "x/../../a"])
def test_names_cannot_lead_out_of_the_output_folder(tmp_path, client, name):
    target = open_output(str(tmp_path / "out"), client)
    with pytest.raises(InputError):
        target.write(name, b"x")
    assert [path.name for path in tmp_path.rglob("*")] == ["out"]


def test_a_folder_that_cannot_be_written_is_an_output_error(tmp_path, client):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError):
        open_output(str(tmp_path / "file" / "out"), client)
    target = FolderOutput(tmp_path)
    with pytest.raises(OutputError):
        target.write("file/a", b"x")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_an_output_error(tmp_path, monkeypatch):
    """/dev/full stands for the disk: every write to it fails for want of space."""
    target = FolderOutput(tmp_path)
    monkeypatch.setattr(os, "urandom", bytes)
    temporary_beside(tmp_path / "a.out").symlink_to("/dev/full")
    with pytest.raises(OutputError, match="No space left"):
        target.write("a", b"x")
    assert list(tmp_path.iterdir()) == []


def keys(s3, bucket):
    return [item["Key"] for item in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]


@pytest.mark.parametrize("prefix", ["jobs/1/detections", "jobs/1/detections/"])
def test_s3_keeps_relative_names_under_the_prefix(s3, bucket, s3_url, prefix):
    target = open_output(f"s3://{bucket}/{prefix}", s3_client(s3_url))
    target.write("shot 1/ø.png", b"answer")
    assert keys(s3, bucket) == ["jobs/1/detections/shot 1/ø.png.out"]
    body = s3.get_object(Bucket=bucket, Key="jobs/1/detections/shot 1/ø.png.out")["Body"]
    assert body.read() == b"answer"


def test_s3_that_does_not_take_an_answer_is_an_output_error(bucket, s3_url, reader_credentials):
    target = open_output(f"s3://{bucket}/out", s3_client(s3_url))
    assert target.written(["a"]) == set()
    with pytest.raises(OutputError, match=f"{bucket}/out/a.out: cannot be written.*AccessDenied"):
        target.write("a", b"x")


def test_an_output_bucket_that_is_not_there_is_an_output_error(s3_url):
    target = open_output("s3://no-such-bucket-here/out", s3_client(s3_url))
    with pytest.raises(OutputError, match="cannot be listed"):
        target.written(["a"])


class CountedListing:
    """S3's listing of given keys, simulated exactly as documented, in pages of three."""

    def __init__(self, keys):
        self.keys, self.requests = sorted(keys), 0

    def list_objects_v2(self, Bucket, Prefix, StartAfter):  # noqa: N803 (boto3's names)
        self.requests += 1
        found = [key for key in self.keys if key.startswith(Prefix) and key > StartAfter]
        page = {"IsTruncated": len(found) > 3}
        if found:
            page["Contents"] = [{"Key": key} for key in found[:3]]
        return page


NAMES = st.lists(st.text("ab!./\x7fø", min_size=1, max_size=4), unique=True, max_size=12)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(asked=NAMES, there=NAMES, more=NAMES)
def test_exactly_the_answered_objects_are_skipped(asked, there, more):
    """Whatever sorts around them: names that begin alike, answers of others, other files."""
    listing = CountedListing({f"o/{name}.out" for name in there} | {f"o/{n}" for n in more})
    expected = {name for name in asked if f"o/{name}.out" in listing.keys}
    assert S3Output(listing, S3Uri("b", "o/")).written(asked) == expected
    assert listing.requests <= max(len(asked), 1)


def test_a_dense_page_takes_one_listing_per_page():
    names = [f"img{number:07d}.png" for number in range(300)]
    listing = CountedListing([f"o/{name}.out" for name in names])
    assert S3Output(listing, S3Uri("b", "o/")).written(names) == set(names)
    assert listing.requests == 100


def test_answers_in_s3_are_found(s3, bucket, s3_url):
    target = open_output(f"s3://{bucket}/o", s3_client(s3_url))
    for name in ("a.png", "b/c.png", "z.png"):
        target.write(name, b"x")
    s3.put_object(Bucket=bucket, Key="o/q.png", Body=b"no answer")
    asked = ["z.png", "a.png", "a.pn", "b/c.png", "q.png", "zz.png"]
    assert target.written(asked) == {"z.png", "a.png", "b/c.png"}


def test_a_listing_is_counted_and_can_hold_any_name():
    names = ["a\nb", "ø", "\udcff", '"', *map(str, range(2500))]
    with listed(iter(names), lambda batch: {name for name in batch if name.endswith("7")}) as left:
        assert left.skipped == 250
        assert left.count == len(names) - 250
        assert list(left) == [name for name in names if not name.endswith("7")]
        assert list(left) == list(left)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("frames", "frames"),
        ("frames", "frames/out"),
        ("frames", "x/../frames/out"),
        ("s3://b/frames/", "s3://b/frames"),
        ("s3://b/frames", "s3://b/frames/out"),
        ("s3://b/frames", "s3://b/frames-out"),
        ("s3://b/", "s3://b/out"),
    ],
)
def test_answers_do_not_become_input(source, target):
    with pytest.raises(UsageError, match="write them elsewhere"):
        check_apart(source, target)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("frames", "frames-out"),
        ("frames/in", "frames"),
        ("s3://b/frames/", "s3://b/frames-out"),
        ("s3://b/frames/", "s3://c/frames/"),
        ("frames", "s3://b/frames/out"),
    ],
)
def test_folders_side_by_side_are_apart(source, target):
    check_apart(source, target)
