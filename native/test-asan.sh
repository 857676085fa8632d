#!/bin/sh
# Runs test/native against an addon built with AddressSanitizer and UndefinedBehaviorSanitizer.
#
# Any report of memory misuse or undefined behaviour fails. Leaks: node itself never frees much of what
# it has at exit, so of LeakSanitizer's report only those leaks count that the addon allocated, itself or
# through a function of Node-API or libuv (native/src within three frames of the allocation; what V8
# allocates while it runs JavaScript for us is deeper). Memory that something still points to at exit is
# no leak for it, so a poller that is never stopped hides its own.
# Needs gcc with libasan (Debian: gcc), and a kernel that lets LeakSanitizer use ptrace.
set -eu
cd "$(dirname "$0")/.."

node native/build.mjs --asan
reports=$(mktemp -d)
trap 'rm -rf "$reports"' EXIT

status=0
LD_PRELOAD="$("${CC:-cc}" -print-file-name=libasan.so)" \
  ASAN_OPTIONS="log_path=$reports/report:detect_leaks=1:detect_stack_use_after_return=1" \
  LSAN_OPTIONS="exitcode=0" \
  UBSAN_OPTIONS="print_stacktrace=1" \
  ONEHOP_ADDON="$PWD/native/build/asan/onehop.node" \
  node --experimental-vm-modules node_modules/jest/bin/jest.js --runInBand \
  --selectProjects unit --testPathPatterns '/test/native/' "$@" || status=1

for report in "$reports"/*; do
  [ -e "$report" ] || continue
  if grep -q 'ERROR: AddressSanitizer\|runtime error:' "$report"; then
    cat "$report"
    status=1
  fi
  # Each leak is a paragraph.
  ours=$(awk 'BEGIN { RS = ""; ORS = "\n\n" } /leak of/ && /#[123] [^\n]*native\/src\//' "$report")
  if [ -n "$ours" ]; then
    printf '%s\n' "$ours"
    status=1
  fi
done
[ "$status" -eq 0 ] && echo "test-asan: no misuse, no leak of the addon's"
exit "$status"
