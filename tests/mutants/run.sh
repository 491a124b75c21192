#!/usr/bin/env bash
# mutants - each rule here, taken out by its patch, must be missed by the test that the patch names.
#
# usage: tests/mutants/run.sh [NAME...]     all of tests/mutants/*.patch, or those (docs/style.md says how to write one)
#
# It happens in a copy of the tree with a build of its own, both kept in build/mutants, so that a second run compiles only
# what the patches touch. No sanitizers: a rule must be missed by what a test asserts. A patch that does not apply or compile,
# and one whose test passes with it or fails without it, fails.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

LONGEST_S=120 # a test that hangs has missed the rule, too

root=$PWD
home=$root/build/mutants
tree=$home/tree
out=$home/out
built=$home/built # what the compiler and git said last
said=$home/said   # what the test said last

field() { sed -n "s/^$1: //p" "$2"; }

# The copy is made equal, and what is equal is left alone: its objects stay good. Whatever a run that was killed has left
# behind goes the same way.
copy_tree() {
    local file
    mkdir -p "$tree"
    find . \( -path ./build -o -path ./.git -o -path ./.sluice \) -prune -o -type f -print | sort >"$home/files"
    while read -r file; do
        cmp -s "$file" "$tree/$file" || { mkdir -p "$tree/${file%/*}" && cp "$file" "$tree/$file"; }
    done <"$home/files"
    (cd "$tree" && find . -type f | sort) | comm -13 "$home/files" - | while read -r file; do rm "$tree/$file"; done
    ln -sfn "$root/build" "$tree/build" # for build/deps
}

configure() {
    local cc=${CC:-gcc}
    "$cc" -shared -fPIC -o "$home/only.so" tests/mutants/only.c -lcmocka
    [ -e "$out/build.ninja" ] ||
        cmake -S "$tree" -B "$out" -G Ninja -DCMAKE_C_COMPILER="$cc" -DCMAKE_C_FLAGS="-O1 -g1 -w" -DFAULTS=ON
}

# Beside its test a patch may need programs that the test runs.
targets() { field test "$1"; field build "$1" | tr ' ' '\n'; }

make() { ninja -C "$out" -j 1 "$@"; }

# Else git would look for the files in the repository around the copy.
apply() { (cd "$tree" && GIT_CEILING_DIRECTORIES=$home git apply "$@"); }

# Only the case that the patch names: what it breaks beside that has patches of its own.
run_case() {
    local settings=()
    mapfile -t settings < <(field env "$1")
    (cd "$tree" && SLUICE_BIN=$out/bin SLUICE_TEST_BIN=$out/tests/bin NATS_SERVER=$root/build/deps/bin/nats-server \
        PATH=$root/build/deps/bin:$PATH timeout -k 5 "$LONGEST_S" \
        env "${settings[@]}" LD_PRELOAD="$home/only.so" ONLY="$(field case "$1")" "$out/tests/bin/$(field test "$1")") >"$said" 2>&1
}

began() { grep -q "RUN      \] $1\$" "$said"; }
passed() { grep -q "OK \] $1\$" "$said"; }

# Where is written what a case said without a patch? One run answers for all patches that name the same.
before() { echo "$home/sound/$(field test "$1") $(field case "$1") $(field env "$1" | tr '\n' ' ')"; }

# What becomes of one patch, as a word; the copy is as before.
fate() {
    local word=survives all=()
    mapfile -t all < <(targets "$1")
    cp "$(before "$1")" "$said"
    passed "$(field case "$1")" || { echo unsound; return; }
    apply "$root/$1" >"$built" 2>&1 || { echo stale; return; }
    if ! make "${all[@]}" >"$built" 2>&1; then
        word=broken
    elif ! run_case "$1" && began "$(field case "$1")" && ! passed "$(field case "$1")"; then
        word=killed # it failed, hung, or took the program down
    fi
    apply -R "$root/$1"
    echo "$word"
}

# One line; 1 unless it is killed.
judge() {
    local name by since=$SECONDS word
    name=$(basename "$1" .patch)
    by="$(field test "$1") $(field case "$1")"
    word=$(fate "$1")
    case $word in
    killed) echo "$name: killed by $by ($((SECONDS - since)) s)" ;;
    survives) echo "$name: SURVIVES $by ($((SECONDS - since)) s)" ;;
    unsound) echo "$name: $by does not pass without it:"; tail -n 12 "$said" ;;
    stale) echo "$name: does not apply any more:"; cat "$built" ;;
    broken) echo "$name: does not compile:"; grep -m 3 error: "$built" || true ;;
    esac
    [ "$word" = killed ]
}

patches=(tests/mutants/*.patch)
[ $# -eq 0 ] || mapfile -t patches < <(basename -a -s .patch "$@" | sed 's|.*|tests/mutants/&.patch|')
for patch in "${patches[@]}"; do [ -e "$patch" ] || { echo "mutants: there is no $patch"; exit 2; }; done

mkdir -p "$home"
exec 9>"$home/lock"
flock 9
rm -rf "$home/sound"
mkdir "$home/sound"
copy_tree
configure >"$built" 2>&1 || { tail -n 20 "$built"; exit 1; }

mapfile -t all < <(for patch in "${patches[@]}"; do targets "$patch"; done | sort -u)
make "${all[@]}" >"$built" 2>&1 || { grep -E 'error:' "$built" | head -n 10; exit 1; }

for patch in "${patches[@]}"; do # before the first object of a mutant is made
    [ -e "$(before "$patch")" ] || { run_case "$patch" || true; cp "$said" "$(before "$patch")"; }
done
survivors=0
for patch in "${patches[@]}"; do judge "$patch" || survivors=$((survivors + 1)); done
[ "$survivors" = 0 ] || { echo "mutants: $survivors of ${#patches[@]} are not killed"; exit 1; }
echo "mutants: ${#patches[@]} killed in $SECONDS s"
