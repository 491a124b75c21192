#!/usr/bin/env bash
# lint.host - where packages come from is the machine's affair: no file names a registry, nor a path of the machine it was
# written on. (The brackets below keep this file from finding itself.)
. "$(dirname "$0")/lib.bash"

hosts='deb\.debia[n]\.org|security\.debia[n]|snapshot\.debia[n]|ftp\.[a-z.]*debia[n]|pyp[i]\.org|pythonhoste[d]\.org|npmj[s]\.(org|com)|yarnpk[g]\.com|proxy\.golan[g]\.org|sum\.golan[g]\.org|gopro[x]y\.|crate[s]\.io|rubygem[s]\.org|mave[n]\.org'
images='(https?://)(ghcr|quay|gcr|docker|registry)[a-z0-9.-]*\.(io|com|dev)'
found=$(files '*' | grep -vE '\.(png|jpg|ico|woff2?)$' | grep -v '/go\.sum$' |
    xargs -r -d '\n' grep -HnIE "$hosts|$images|(^|[^a-zA-Z0-9_.*/-])/(wor[k]|roo[t]|hom[e])/[a-z]" | cut -c1-200 || true)
verdict "$found"
