"""What a job finds in folders, S3 prefixes and manifests, and what it may not touch.

S3 is SeaweedFS over HTTP, with signatures checked.
"""

import json
import os

import boto3
import pytest

from faceveil.aws.clients import S3Uri, s3_client
from faceveil.errors import InputError, UsageError
from faceveil.local_transform.inputs import MEGABYTE, open_input
from testkit.servers.faulty_s3 import TRUNCATE, fail_first


@pytest.fixture
def client(aws_credentials):
    """A client that must not be needed: nothing listens there."""
    return s3_client("http://127.0.0.1:9")


def write(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())


def test_a_folder_gives_every_file_by_its_name_below_it(tmp_path, client):
    names = ["a.png", "shot 1/b.png", "shot 1/deep/c.png", "øl.jpg"]
    write(tmp_path, *names)
    source = open_input(str(tmp_path), False, client)
    assert sorted(source.names) == names
    assert source.read("shot 1/deep/c.png", None) == b"shot 1/deep/c.png"


def test_an_input_that_is_not_there_is_named(tmp_path, client):
    with pytest.raises(InputError, match="no such folder"):
        open_input(str(tmp_path / "gone"), False, client)
    write(tmp_path, "list.json")
    with pytest.raises(UsageError, match="--manifest"):
        open_input(str(tmp_path / "list.json"), False, client)


def test_an_object_over_the_limit_is_not_read(tmp_path, client):
    (tmp_path / "fits").write_bytes(bytes(MEGABYTE))
    (tmp_path / "big").write_bytes(bytes(MEGABYTE + 1))
    source = open_input(str(tmp_path), False, client)
    assert len(source.read("fits", MEGABYTE)) == MEGABYTE
    with pytest.raises(InputError, match=r"1\.00 MB, more than MaxPayloadInMB \(1\)"):
        source.read("big", MEGABYTE)


def manifest(path, *entries):
    path.write_text(json.dumps(entries))
    return str(path)


@pytest.mark.parametrize("absolute", [True, False])
def test_a_manifest_of_a_folder_gives_its_names_once_in_order(tmp_path, client, absolute):
    write(tmp_path / "frames", "2.png", "1.png", "left-out.png")
    prefix = str(tmp_path / "frames") if absolute else "frames"
    address = manifest(tmp_path / "m.json", {"prefix": prefix}, "2.png", "1.png", "2.png")
    source = open_input(address, True, client)
    assert list(source.names) == ["2.png", "1.png"]
    assert source.read("1.png", None) == b"1.png"
    with pytest.raises(InputError, match="cannot be read"):
        source.read("gone.png", None)


@pytest.mark.parametrize("name", ["../secret", "/etc/hostname", "a/../../secret", "./a", "a//b"])
def test_a_manifest_cannot_lead_out_of_its_folder(tmp_path, client, name):
    write(tmp_path, "secret", "frames/a/b", "frames/a/c")
    address = manifest(tmp_path / "m.json", {"prefix": "frames"}, name)
    with pytest.raises(InputError, match="cannot be that of a file"):
        open_input(address, True, client).read(name, None)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not json",
        b"[]",
        b"{}",
        b'["a.png"]',
        b'[{"prefix": ""}, "a.png"]',
        b'[{"prefix": 5}, "a.png"]',
        b'[{"prefix": "s3://b/"}, "a.png", 7]',
        b'[{"prefix": "s3://b/"}, ""]',
    ],
)
def test_what_is_no_manifest_is_shown_the_format(tmp_path, client, content):
    (tmp_path / "m.json").write_bytes(content)
    with pytest.raises(InputError, match=r"m\.json.*a manifest is \["):
        open_input(str(tmp_path / "m.json"), True, client)


def test_a_manifest_that_is_not_there_is_named(tmp_path, client):
    with pytest.raises(InputError, match=r"gone\.json: cannot be read"):
        open_input(str(tmp_path / "gone.json"), True, client)


def test_names_that_are_not_utf8_are_listed_but_refused(tmp_path, client):
    try:
        (tmp_path / os.fsdecode(b"\xff.png")).write_bytes(b"x")
    except OSError:
        pytest.skip("this file system takes no such names")
    source = open_input(str(tmp_path), False, client)
    (name,) = source.names
    with pytest.raises(InputError, match="cannot be that of a file"):
        source.read(name, None)


def put(s3, bucket, *keys):
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())


@pytest.mark.parametrize("prefix", ["frames/", "frames"])
def test_an_s3_prefix_gives_names_below_its_folder(s3, bucket, s3_url, prefix):
    put(s3, bucket, "frames/a.png", "frames/shot 1/ø b+c.png", "other/d.png")
    source = open_input(f"s3://{bucket}/{prefix}", False, s3_client(s3_url))
    assert list(source.names) == ["a.png", "shot 1/ø b+c.png"]
    assert source.read("shot 1/ø b+c.png", None) == "frames/shot 1/ø b+c.png".encode()


def test_an_s3_prefix_may_be_part_of_a_name(s3, bucket, s3_url):
    """S3Prefix is any key that begins so; the answer keeps the key below the last folder."""
    put(s3, bucket, "v/img1.png", "v/img2.png", "v/x.png")
    source = open_input(f"s3://{bucket}/v/img", False, s3_client(s3_url))
    assert list(source.names) == ["img1.png", "img2.png"]
    assert source.read("img2.png", None) == b"v/img2.png"


def test_an_s3_prefix_of_two_folders_is_ambiguous(s3, bucket, s3_url):
    """Batch Transform would send both folders; two frames could then share one answer."""
    put(s3, bucket, "frames/a.png", "frames-old/a.png")
    with pytest.raises(InputError, match=r"write s3://.*/frames/"):
        list(open_input(f"s3://{bucket}/frames", False, s3_client(s3_url)).names)


def test_s3_listings_of_more_than_a_page_are_whole(s3, bucket, s3_url):
    source = open_input(f"s3://{bucket}/", False, s3_client(s3_url))
    names = [f"img{number:07d}.jpg" for number in range(1, 1202)]
    put(s3, bucket, *names)
    assert list(source.names) == names


def test_s3_objects_over_the_limit_or_gone_are_named(s3, bucket, s3_url):
    s3.put_object(Bucket=bucket, Key="big", Body=bytes(MEGABYTE + 1))
    source = open_input(f"s3://{bucket}/", False, s3_client(s3_url))
    with pytest.raises(InputError, match="MaxPayloadInMB"):
        source.read("big", MEGABYTE)
    with pytest.raises(InputError, match="NoSuchKey"):
        source.read("gone", None)


def test_a_body_that_breaks_off_is_read_again_and_given_up_in_words(s3, bucket, faulty):
    s3.put_object(Bucket=bucket, Key="a.png", Body=bytes(range(256)) * 100)
    source = open_input(f"s3://{bucket}/", False, s3_client(faulty.url))
    faulty.rule = fail_first(TRUNCATE)
    assert source.read("a.png", None) == bytes(range(256)) * 100
    faulty.rule = fail_first(TRUNCATE, 1000)
    with pytest.raises(InputError, match="cannot be read"):
        source.read("a.png", None)


def test_a_manifest_in_s3(s3, bucket, s3_url):
    """A name follows the prefix as it is, so that the prefix may end within a file's name."""
    put(s3, bucket, "frames/img7.png", "frames/img9.png")
    entries = [{"prefix": f"s3://{bucket}/frames/img"}, "9.png", "7.png"]
    s3.put_object(Bucket=bucket, Key="lists/m.json", Body=json.dumps(entries).encode())
    source = open_input(f"s3://{bucket}/lists/m.json", True, s3_client(s3_url))
    assert list(source.names) == ["9.png", "7.png"]
    assert source.read("7.png", None) == b"frames/img7.png"


@pytest.mark.parametrize("manifest", [True, False])
def test_a_bucket_that_is_not_there_is_named(s3_url, manifest):
    address = "s3://no-such-bucket-here/x"
    with pytest.raises(InputError, match="no-such-bucket-here"):
        list(open_input(address, manifest, s3_client(s3_url)).names)


def test_wrong_credentials_are_an_input_error(s3, bucket, s3_url, monkeypatch):
    """The server of these tests checks signatures as AWS does."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    with pytest.raises(InputError, match="SignatureDoesNotMatch"):
        list(open_input(f"s3://{bucket}/", False, s3_client(s3_url)).names)


@pytest.mark.parametrize("uri", ["s3://", "s3:///key", "http://bucket/key", "bucket"])
def test_what_is_no_s3_address_is_refused(uri):
    with pytest.raises(UsageError):
        S3Uri.parse(uri)


def test_s3_addresses_are_taken_apart():
    assert S3Uri.parse("s3://b/k/l") == S3Uri("b", "k/l")
    assert S3Uri.parse("s3://b") == S3Uri("b", "")
    assert str(S3Uri("b", "k")) == "s3://b/k"
