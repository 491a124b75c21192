#!/usr/bin/env bash
# lint.prefix - every exported name lives in the file whose name is its longest prefix.
#
# Read from the objects of the build, so it sees what the linker sees. Only the door of a room (bus.h) is opened from several
# of the room's files; base has no door, and four bare words that belong to the whole program. The nouns of wire are bare
# (lane_word), those of run may be (flow_read in run_flow_read.c).
. "$(dirname "$0")/lib.bash"

# "file symbol" of each exported name, of objects whose source still exists
symbols() {
    local file name
    find "${BUILD_DIR:?run me by ctest, or set BUILD_DIR=build/debug}/libs" "$BUILD_DIR/services" -name '*.c.o' -print0 2>/dev/null |
        xargs -0 -r nm -gA --defined-only |
        sed -nE "s|^$BUILD_DIR/||; s|CMakeFiles/[^/]*\.dir/||; s|\.o:[0-9a-f]+ [TDBRVWC] | |p" | sort -u |
        while read -r file name; do
            case $file in */main.c | *_compat.c) continue ;; esac
            case $name in __*) continue ;; esac
            [ ! -e "$file" ] || echo "$file $name"
        done
}

# The most specific file of this folder that NAME could belong to, into stem: find_stem FOLDER NAME
find_stem() {
    stem=$2
    while [ -n "$stem" ]; do
        if [ -e "$1/$stem.c" ] || [ -e "$1/$stem.h" ]; then return; fi
        case $stem in *_*) stem=${stem%_*} ;; *) stem='' ;; esac
    done
}

declared() { [ -e "$1" ] && grep -qw "$2" "$1"; }

all=$(symbols || true)
[ -n "$all" ] || [ -z "$(find libs -mindepth 2 -name '*.c')" ] || verdict "no objects in $BUILD_DIR: build it first"

found=$(while read -r file name; do
    [ -n "$file" ] || continue
    folder=${file%/*} room=${file%/*} own=${file##*/}
    room=${room##*/} own=${own%.c}
    find_stem "$folder" "$name"
    if [ "$folder" = libs/run ] && [ -z "$stem" ]; then find_stem "$folder" "run_$name"; fi
    [ "$stem" != "$own" ] || continue
    if [ "$folder" = libs/base ]; then
        case $name in die | must | failed | take) continue ;; esac
    elif [ -z "$stem" ] && [ "$folder" = libs/wire ] && declared "$folder/$own.h" "$name"; then
        continue
    elif [ "${folder%/*}" = libs ] && [ "${name#"${room}"_}" != "$name" ] && [ "${stem:-$room}" = "$room" ]; then
        if [ -e "$folder/$room.h" ]; then door=$folder/$room.h; else door=$folder/$own.h; fi
        ! declared "$door" "$name" || continue
    fi
    echo "$file: exports $name, which by its name belongs to ${stem:-no file of $folder}${stem:+.c}"
done <<<"$all")
verdict "$found"
