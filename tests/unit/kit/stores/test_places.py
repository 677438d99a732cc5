"""Which host a bucket is asked at, and how URLs, regions and endpoints are found."""

from __future__ import annotations

from pathlib import Path

import pytest

from trainctl.kit.stores.connections import Host, fresh, host_of
from trainctl.kit.stores.opening import open_store
from trainctl.kit.stores.place import place_of
from trainctl.kit.stores.s3 import S3Store

AWS = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "s"}


@pytest.mark.parametrize(
    ("bucket", "region", "endpoint", "style", "host", "path"),
    [
        ("data", "eu-west-1", "", "", "data.s3.eu-west-1.amazonaws.com", "/k"),
        ("data", "", "", "", "data.s3.us-east-1.amazonaws.com", "/k"),
        ("data", "cn-north-1", "", "", "data.s3.cn-north-1.amazonaws.com.cn", "/k"),
        ("my.data", "eu-west-1", "", "", "s3.eu-west-1.amazonaws.com", "/my.data/k"),
        ("Data_1", "eu-west-1", "", "", "s3.eu-west-1.amazonaws.com", "/Data_1/k"),
        ("data", "", "https://x.example/", "", "x.example", "/data/k"),
        ("data", "", "https://x.example", "virtual", "data.x.example", "/k"),
        ("data", "eu-west-1", "", "path", "s3.eu-west-1.amazonaws.com", "/data/k"),
    ],
)
def test_a_bucket_stands_in_the_name_or_in_the_path(
    bucket: str, region: str, endpoint: str, style: str, *, host: str, path: str
) -> None:
    place = place_of(bucket, region, endpoint, style)
    assert place.host.name == host
    assert place.path("k") == path


def test_hosts_and_ports() -> None:
    assert host_of("http://127.0.0.1:8333") == Host(False, "127.0.0.1", 8333)
    assert host_of("http://127.0.0.1:8333").header == "127.0.0.1:8333"
    assert host_of("https://s3.example").header == "s3.example"
    assert host_of("http://[::1]:80/x").header == "[::1]"


@pytest.mark.parametrize(
    "url", ["s3://", "s3://a", "s3://b..c/x", "s3://u:p@bucket/x", "gs://bucket", "out/store", ""]
)
def test_what_names_no_store_is_a_value_error(url: str) -> None:
    with pytest.raises(ValueError, match=r"bucket|neither|absolute"):
        open_store(url, {}, AWS)


def test_a_bad_endpoint_is_a_value_error() -> None:
    for endpoint in ("example.com", "ftp://x", "http://", "http://x:port"):
        with pytest.raises(ValueError, match="URL of a service"):
            open_store("s3://bucket", {"endpoint": endpoint}, AWS)


def opened(environ: dict[str, str], **options: str) -> tuple[str, str]:
    store = open_store("s3://bucket/a/b/", options, {**AWS, **environ})
    assert isinstance(store, S3Store)
    assert store.url == "s3://bucket/a/b"
    return store.service.place.region, store.service.place.endpoint


def test_region_and_endpoint_by_option_environment_and_profile(tmp_path: Path) -> None:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "config").write_text(
        "[default]\nregion = eu-south-1\nendpoint_url = https://profile.example\n"
    )
    home = {"HOME": str(tmp_path)}
    assert opened(home) == ("eu-south-1", "https://profile.example")
    named = {**home, "AWS_REGION": "eu-north-1", "AWS_ENDPOINT_URL": "https://all.example"}
    assert opened(named) == ("eu-north-1", "https://all.example")
    named["AWS_ENDPOINT_URL_S3"] = "https://s3.example"
    assert opened(named) == ("eu-north-1", "https://s3.example")
    assert opened(named, region="sa-east-1", endpoint="https://o.example") == (
        "sa-east-1",
        "https://o.example",
    )
    ignoring = {**named, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}
    assert opened(ignoring) == ("eu-north-1", "")


def test_https_goes_through_the_proxy_unless_the_host_is_near() -> None:
    host = Host(True, "s3.example", 443)
    proxied = fresh(host, {"https_proxy": "http://proxy.example:3128"}, 1)
    assert (proxied.host, proxied.port) == ("proxy.example", 3128)
    for near in ("s3.example", ".example", "*", "other, example"):
        straight = fresh(host, {"HTTPS_PROXY": "proxy:1", "no_proxy": near}, 1)
        assert straight.host == "s3.example"
    plain = fresh(Host(False, "s3.example", 80), {"https_proxy": "http://proxy:1"}, 1)
    assert plain.host == "s3.example"


def test_a_file_url_is_a_folder(tmp_path: Path) -> None:
    assert open_store(f"file://{tmp_path}/a%20b", {}, {}).url == f"{tmp_path}/a b"
