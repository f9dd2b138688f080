"""The user's own AWS files, as the AWS command line reads them: obstore knows the environment and the machine only."""

from __future__ import annotations

import configparser
import os
from collections.abc import Mapping
from contextlib import suppress

_KEYS = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
_DEFAULT = "default"


def options(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the credentials, region and endpoint of the profile that is in use; nothing where keys are in variables.

    It is the one that AWS_PROFILE names, else ``default``. Profiles of single sign-on or of an assumed role hold no
    keys: `aws configure export-credentials` gives them as variables.
    """
    profile = environment.get("AWS_PROFILE", _DEFAULT)
    home = os.path.join(os.path.expanduser("~"), ".aws")
    keys = _section(environment.get("AWS_SHARED_CREDENTIALS_FILE") or os.path.join(home, "credentials"), profile)
    section = profile if profile == _DEFAULT else f"profile {profile}"
    config = _section(environment.get("AWS_CONFIG_FILE") or os.path.join(home, "config"), section)
    found: dict[str, str] = {}
    if "AWS_ACCESS_KEY_ID" not in environment:
        found |= {name: value for name in _KEYS if (value := keys.get(name) or config.get(name))}
    if config.get("region") and not {"AWS_REGION", "AWS_DEFAULT_REGION"} & environment.keys():
        found["region"] = config["region"]
    if config.get("endpoint_url") and not {"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"} & environment.keys():
        found["endpoint"] = config["endpoint_url"]
    return found


def _section(path: str, name: str) -> dict[str, str]:
    parser = configparser.RawConfigParser()
    with suppress(configparser.Error, UnicodeDecodeError):  # The AWS tools tell what is wrong with their files.
        parser.read(path, encoding="utf-8")
    return dict(parser[name]) if parser.has_section(name) else {}
