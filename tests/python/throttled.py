"""An application whose unmodified BigCommerce client slows itself down by the X-Rate-Limit fields: it waits
for the next window where few requests are left. Prints one line of JSON for each request.

Usage: throttled.py METAFIELD_ID REQUESTS
"""

import json
import sys
import time

from bigcommerce.api import BigcommerceApi

api = BigcommerceApi(
    client_id="any",
    store_hash="abc123",
    access_token="canary-token-of-writer",
    rate_limiting_management={"min_requests_remaining": 1, "wait": True},
)
api.connection.api_path = "/stores/{}/v3/{}"
for _ in range(int(sys.argv[2])):
    # A refusal is an exception, and ends it.
    api.connection.update("customers/7/metafields", sys.argv[1], {"value": "gold"})
    print(json.dumps({"at": time.monotonic(), **api.connection.rate_limit}), flush=True)
