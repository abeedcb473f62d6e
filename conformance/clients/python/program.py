"""Exchanges tokens and edits a role mapping with a generated client."""

import json
import os
from datetime import datetime, timezone
from typing import Any

from token_broker_client import (
    AdminApi,
    ApiClient,
    ApiException,
    Configuration,
    Conditions,
    CredentialsApi,
    CredentialsRequest,
    ErrorCode,
    Problem,
    RoleMappingInput,
    RoleMappingOrNull,
)

TIMEOUT = 10.0


def client(url: str, token: str) -> ApiClient:
    return ApiClient(Configuration(host=os.environ[url], access_token=os.environ[token]))


def exchange() -> dict[str, Any]:
    api = CredentialsApi(client("BROKER_URL", "ORDERS_TOKEN"))
    only = api.issue_credentials(_request_timeout=TIMEOUT)
    request = CredentialsRequest(role="orders-writer", durationSeconds=900)
    named = api.issue_credentials(request, _request_timeout=TIMEOUT)
    return {
        "role": named.role,
        "sameRole": only.role == named.role,
        "lasts": named.credentials.expiration > datetime.now(timezone.utc),
    }


def problem_of(error: ApiException) -> Problem:
    """None if the answer is not the broker's, or its code newer than this client: then there is `error.body`."""
    if not isinstance(error.data, Problem):
        raise error
    return error.data


def refusal(token: str) -> Problem:
    try:
        CredentialsApi(client("BROKER_URL", token)).issue_credentials(_request_timeout=TIMEOUT)
    except ApiException as error:
        return problem_of(error)
    raise RuntimeError("not refused")


def as_input(mapping: RoleMappingOrNull | None) -> RoleMappingInput:
    """Keeps members that this client does not know, so that an edit cannot drop them."""
    converted = None if mapping is None else RoleMappingInput.from_dict(mapping.to_dict())
    if converted is None:
        raise RuntimeError("there is no mapping to edit")
    return converted


def edit() -> dict[str, Any]:
    api = AdminApi(client("BROKER_ADMIN_URL", "ADMIN_TOKEN"))
    read = api.get_role_mapping_with_http_info("orders-writer", _request_timeout=TIMEOUT)
    if read.headers is None:
        raise RuntimeError("not read")
    etag = read.headers["ETag"]
    reason = os.environ["CHANGE_REASON"]
    mapping = as_input(read.data.mapping)
    mapping.description = reason
    if mapping.conditions is None:
        mapping.conditions = Conditions()
    mapping.conditions.expires_at = "2099-12-31T00:00:00Z"
    edited = api.put_role_mapping_with_http_info(
        "orders-writer", reason, mapping, if_match=etag, _request_timeout=TIMEOUT
    )
    if edited.data.mapping is None or edited.headers is None:
        raise RuntimeError("not edited")
    try:
        api.put_role_mapping("orders-writer", reason, mapping, if_match=etag, _request_timeout=TIMEOUT)
    except ApiException as error:
        stale = problem_of(error)
    return {
        "edit": {
            "etag": edited.headers["ETag"],
            "description": edited.data.mapping.description,
            "expiresAt": edited.data.mapping.conditions.expires_at,
        },
        "stale": {"status": stale.status, "code": stale.code},
        "version": edited.data.version,
    }


def main() -> None:
    denied = refusal("STRANGER_TOKEN")
    if denied.code != ErrorCode.ACCESS_DENIED:
        raise RuntimeError(denied.code)
    ambiguous = refusal("REPORTS_TOKEN")
    result = {
        **edit(),
        "kept": as_input(RoleMappingOrNull.from_json(os.environ["FUTURE_MAPPING"])).to_dict(),
        "exchange": exchange(),
        "denied": {
            "status": denied.status,
            "code": denied.code,
            "requestId": denied.request_id != "",
        },
        "ambiguous": {
            "status": ambiguous.status,
            "code": ambiguous.code,
            "choices": sorted(choice.mapping for choice in ambiguous.choices or []),
        },
    }
    print(json.dumps(result))


main()
