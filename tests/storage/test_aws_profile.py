"""The files of the AWS command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from labeler.storage import aws_profile

KEYS = """
[default]
aws_access_key_id = one
aws_secret_access_key = two%2

[work]
aws_access_key_id = three
aws_secret_access_key = four
aws_session_token = five
"""
CONFIG = """
[default]
region = eu-central-1

[profile work]
region = eu-west-1
endpoint_url = http://127.0.0.1:9000
"""

DEFAULT = {"aws_access_key_id": "one", "aws_secret_access_key": "two%2", "region": "eu-central-1"}
WORK = {
    "aws_access_key_id": "three",
    "aws_secret_access_key": "four",
    "aws_session_token": "five",
    "region": "eu-west-1",
    "endpoint": "http://127.0.0.1:9000",
}


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, DEFAULT),
        ({"AWS_PROFILE": "work"}, WORK),
        ({"AWS_PROFILE": "another"}, {}),
        ({"AWS_ACCESS_KEY_ID": "x"}, {"region": "eu-central-1"}),
        ({"AWS_ACCESS_KEY_ID": "x", "AWS_REGION": "y"}, {}),
        ({"AWS_PROFILE": "work", "AWS_ENDPOINT_URL": "z", "AWS_REGION": "y", "AWS_ACCESS_KEY_ID": "x"}, {}),
    ],
)
def test_the_profile_in_use_gives_what_no_variable_does(
    variables: dict[str, str], expected: dict[str, str], tmp_path: Path
) -> None:
    files = {"AWS_SHARED_CREDENTIALS_FILE": tmp_path / "credentials", "AWS_CONFIG_FILE": tmp_path / "config"}
    for path, content in zip(files.values(), (KEYS, CONFIG), strict=True):
        path.write_text(content)

    assert aws_profile.options({**variables, **{name: str(path) for name, path in files.items()}}) == expected


@pytest.mark.parametrize("content", [b"", b"no section", b"[default]\nregion", b"\xff\xfe"])
def test_files_that_say_nothing_give_nothing(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "credentials"
    path.write_bytes(content)

    assert aws_profile.options({"AWS_SHARED_CREDENTIALS_FILE": str(path), "AWS_CONFIG_FILE": str(path)}) == {}
