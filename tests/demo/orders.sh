#!/usr/bin/env bash
# orders - the tenants' own service behind `call {subject: "orders"}`: was the order of this key placed? ({"key":K} → {"count":n})
set -euo pipefail
key=$(jq -er .key <<<"$NATS_REQUEST_BODY")
curl -sf "$1/_sim/record" | jq -c --arg key "$key" '{count: (.orders[$key].count // 0)}'
