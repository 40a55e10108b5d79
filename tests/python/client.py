"""An application that uses BigCommerce's official client, unmodified: only its host, its token and
the path of the API differ. Each step prints one line of JSON; the test that runs this reads them.

Usage: client.py METAFIELD_ID
"""

import json
import sys

from bigcommerce.api import BigcommerceApi
from bigcommerce.exception import ClientRequestException, RateLimitingException

WRITER = "canary-token-of-writer"
READER = "canary-token-of-reader"
CUSTOMER = 7


def connection(token):
    api = BigcommerceApi(client_id="any", store_hash="abc123", access_token=token)
    api.connection.api_path = "/stores/{}/v3/{}"
    return api.connection


def attempt(step, token, fields):
    """Updates the metafield and tells what the application sees of it."""
    client = connection(token)
    try:
        answer = client.update(f"customers/{CUSTOMER}/metafields", sys.argv[1], fields)
        seen = {"value": answer["data"]["value"], "rate_limit": client.rate_limit}
    except RateLimitingException as error:
        seen = describe(error)
        seen["retry_after"] = error.retry_after
    except ClientRequestException as error:
        seen = describe(error)
    print(json.dumps({"step": step, **seen}), flush=True)
    return seen


def describe(error):
    return {
        "exception": type(error).__name__,
        "status": error.status_code,
        "title": json.loads(error.content)["title"],
        "code": error.headers.get("X-Gateway-Code"),
        "headers": sorted(name.lower() for name in error.headers),
    }


good = {"permission_set": "app_only", "value": "gold"}
attempt("allowed", WRITER, good)
attempt("unknown token", "not-a-known-token", good)
attempt("missing scope", READER, good)
attempt("invalid permission set", WRITER, {**good, "permission_set": "everyone"})
# The store grants few requests: sooner or later it says so.
for _ in range(10):
    if attempt("over the quota", WRITER, good).get("status") == 429:
        break
