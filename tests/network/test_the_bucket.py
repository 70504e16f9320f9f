"""The suite's own bucket: what it answers is what S3 answers, by moto's word; and a line stops each request."""

import http.client
import socket
from contextlib import closing

import pytest

from pytest_tradestore.backends import Bucket, hosts
from pytest_tradestore.backends.bucket_line import BucketLines
from pytest_tradestore.backends.http_messages import taken
from pytest_tradestore.backends.lines import Spoil
from pytest_tradestore.backends.objects import Objects, Request
from tests.network.clients import Client

moto_server = pytest.importorskip("moto.server", reason="moto is not installed")
boto3 = pytest.importorskip("boto3", reason="boto3 is not installed")
from botocore.config import Config  # noqa: E402 - it comes with boto3
from botocore.exceptions import ClientError  # noqa: E402 - as above


@pytest.fixture(scope="module")
def of_moto():
    server = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def of_ours(tmp_path):
    address = hosts.address_of(Bucket(), tmp_path)
    return address.endpoint


def client_of(endpoint):
    return boto3.client(
        "s3", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="id", aws_secret_access_key="no secret",
        config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
    )  # fmt: skip


def told(call, **arguments):
    """Return what a call gives, as far as two servers have to agree: the error's code, or what is in the answer."""
    try:
        answer = call(**arguments)
    except ClientError as error:
        return int(error.response["ResponseMetadata"]["HTTPStatusCode"])
    if "Body" in answer:
        return answer["Body"].read()
    return sorted(entry["Key"] for entry in answer.get("Contents", ())), answer.get("IsTruncated")


def test_what_is_wrong_is_told_as_xml_and_a_listing_names_its_bucket(of_ours):
    with closing(http.client.HTTPConnection(of_ours.removeprefix("http://"))) as connection:
        connection.request("GET", "/books/none")
        answer = connection.getresponse()
        assert (answer.status, answer.headers["Content-Type"]) == (404, "application/xml")
        answer.read()
        connection.request("PUT", "/xml/a%0Cb%26", body=b"one")
        connection.getresponse().read()
        connection.request("GET", "/xml/?list-type=2&prefix=a&encoding-type=url")
        listing = connection.getresponse().read().decode()

    for part in ("<Name>xml</Name>", "<Prefix>a</Prefix>", "<EncodingType>url</EncodingType>", "<Key>a%0Cb%26</Key>"):
        assert part in listing


def test_names_that_xml_has_no_words_for_are_listed_as_they_are(of_ours):
    s3 = client_of(of_ours)
    for name in ("a\x0cb", "a&b", "a%26"):
        s3.put_object(Bucket="names", Key=name, Body=b"")

    pages = s3.get_paginator("list_objects_v2").paginate(Bucket="names", PaginationConfig={"PageSize": 1})
    assert [entry["Key"] for page in pages for entry in page["Contents"]] == ["a\x0cb", "a%26", "a&b"]


def conversation(s3):
    """Yield what a server answers to everything that stores ask."""
    put, get, there = s3.put_object, s3.get_object, {"Bucket": "books", "Key": "a b/ä"}
    yield told(get, **there)
    yield told(put, **there, Body=b"one", IfNoneMatch="*")
    yield told(put, **there, Body=b"two", IfNoneMatch="*")
    tag = s3.head_object(**there)["ETag"]
    yield told(put, **there, Body=b"three", IfMatch=tag)
    yield told(put, **there, Body=b"four", IfMatch=tag)
    yield told(get, **there)
    yield told(get, **there, Range="bytes=1-2")
    yield told(get, **there, Range="bytes=-2")
    for name in ("a b/1", "b", "c"):
        s3.put_object(Bucket="books", Key=name, Body=b"")
    yield told(s3.list_objects_v2, Bucket="books", Prefix="a b/")
    yield told(s3.list_objects_v2, Bucket="books", MaxKeys=2)
    yield told(s3.list_objects_v2, Bucket="books", StartAfter="b")
    yield told(s3.copy_object, Bucket="books", Key="d", CopySource={"Bucket": "books", "Key": "a b/ä"})
    yield told(s3.get_object, Bucket="books", Key="d")
    upload = s3.create_multipart_upload(Bucket="books", Key="big")["UploadId"]
    part = s3.upload_part(Bucket="books", Key="big", UploadId=upload, PartNumber=1, Body=b"x" * 100)
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    yield told(s3.get_object, Bucket="books", Key="big")
    s3.complete_multipart_upload(Bucket="books", Key="big", UploadId=upload, MultipartUpload=parts)
    yield told(s3.get_object, Bucket="books", Key="big")
    s3.delete_object(Bucket="books", Key="big")
    yield told(s3.get_object, Bucket="books", Key="big")
    yield told(s3.delete_object, Bucket="books", Key="never there")


def test_our_bucket_and_moto_answer_alike(of_ours, of_moto):
    ours, motos = client_of(of_ours), client_of(of_moto)
    motos.create_bucket(Bucket="books")

    assert list(conversation(ours)) == list(conversation(motos))


def test_a_generation_guards_a_put_as_googles_does():
    bucket = Objects()

    def put(generation):
        return bucket.answer(Request("PUT", "/b/k", {"x-goog-if-generation-match": generation}, b"x")).status

    assert (put("0"), put("0"), put("1"), put("1")) == (200, 412, 200, 412)


def test_a_request_is_taken_only_when_all_of_it_is_there():
    whole = b"PUT /b/k HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET"
    received = bytearray()
    for byte in whole[:-4]:
        received.append(byte)
        assert taken(received) is None
    received += whole[-4:]

    assert taken(received) == Request("PUT", "/b/k", {"content-length": "3"}, b"abc")
    assert received == b"GET"


def test_chunks_of_a_body_are_put_together():
    received = bytearray(
        b"PUT /b/k HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nx-amz-checksum: 1\r\n\r\n"
    )

    assert taken(received) == Request("PUT", "/b/k", {"transfer-encoding": "chunked"}, b"abcde")
    assert not received


@pytest.mark.parametrize(
    "spoil", [None, *(s for s in Spoil if s not in (Spoil.SERIALIZATION, Spoil.DEADLOCK, Spoil.SHUTDOWN))]
)
def test_a_request_that_is_spoilt_is_done_or_not_as_it_is_said(spoil):
    lines = BucketLines()
    line, (ours, theirs) = lines.line(0), socket.socketpair()
    with ours, theirs, socket.create_connection(("127.0.0.1", line.port)) as asking:
        asking.sendall(b"PUT /tradestore/k HTTP/1.1\r\nContent-Length: 1\r\nIf-None-Match: *\r\n\r\nx")
        asked = line.wait(ours)

        assert (asked.text, asked.writes) == ("PUT k (If-None-Match: *)", True)
        assert not lines.objects.objects, "it waits"
        line.answer(spoil)
        assert bool(lines.objects.objects) is (spoil is None or spoil.done)
    lines.close()


def test_each_directory_has_a_bucket_of_its_own_as_long_as_it_is_the_same(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    with closing(Client(hosts.address_of(Bucket(), first))) as client:
        client.put("k", b"x")

    assert content_of(first) == b"x"
    assert content_of(second) is None


def content_of(directory):
    with closing(Client(hosts.address_of(Bucket(), directory))) as client:
        return client.get("k")[0]
