#!/usr/bin/env bash
# lint.edges - each foreign library is known to one room; libuv to those who do I/O.
. "$(dirname "$0")/lib.bash"

homes='
libs/bus      <nats[./]
libs/http     <curl/
libs/httpd    <microhttpd\.h>
libs/json     <(jansson|jq|jv)\.h>
libs/wire     <(pb|pb_[a-z]+|protobuf-c/[a-z-]+)\.h>|[/"][a-z_]+\.pb(-c)?\.h[">]
'
includes() { files '*.c' '*.h' | { grep -E '^(libs|services)/' || true; } | xargs -r grep -HnE '^ *# *include' || true; }

found=$(
    while read -r home header; do
        [ -n "$home" ] || continue
        includes | grep -E "include +.*($header)" | grep -v "^$home/" | sed -E "s|:( *#)|: belongs to $home alone: \1|" || true
    done <<<"$homes"
    includes | grep -E '<uv\.h>' | grep -E '^libs/(base|wire|json|run|problem)/' | sed -E 's/:#/: no libuv in a room without I\/O: #/' || true
)
verdict "$found"
