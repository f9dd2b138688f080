"""What is told of stores that refuse, or cannot be reached."""

from __future__ import annotations

import pytest

from labeler.errors import LabelerError
from labeler.storage.address import parse
from labeler.storage.connect import connected, file_system, is_refusal, reason

ANSWER = "<Error><Code>NoSuchBucket</Code>\n<Message>It is not</Message></Error>"
XML = f"Server returned non-2xx status code: 404 Not Found: {ANSWER}"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (XML, "It is not (NoSuchBucket)"),
        ("it broke\n\nDebug source:\nReset { 1 }", "it broke"),
        ("Error performing PUT http://169.254.169.254/latest/api/token", "no credentials were found"),
        ("Error performing GET http://metadata.google.internal/x", "no credentials were found"),
    ],
)
def test_the_reason_is_one_line_in_the_words_of_the_store(said: str, told: str) -> None:
    assert reason(OSError(said)).startswith(told)
    assert "\n" not in reason(OSError(said))


@pytest.mark.parametrize(
    ("exc", "refused"),
    [
        (OSError(XML), True),
        (FileNotFoundError("x"), True),
        (OSError("Server returned non-2xx status code: 503 Slow Down"), False),
        (OSError("connection refused"), False),
    ],
)
def test_a_store_that_refuses_is_told_from_one_that_does_not_answer(exc: Exception, refused: bool) -> None:
    assert is_refusal(exc) == refused


@pytest.mark.parametrize("address", ["s3://a/b?anonymous=true", "gs://a/b", "gs://a/b?anonymous=true", "az://a/b"])
def test_pyarrow_lists_where_obstore_does(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "x")
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", "eA==")
    at = parse(address)

    assert connected(at)
    assert file_system(at)[1] == "a/b"


@pytest.mark.parametrize("address", ["http://a/b", "az://a"])
def test_a_store_that_pyarrow_cannot_list_is_told(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_NAME", raising=False)
    with pytest.raises(LabelerError, match=r"cannot be"):
        file_system(parse(address))
