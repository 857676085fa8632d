#!/bin/sh
# Runs test/native against an addon built with AddressSanitizer and UndefinedBehaviorSanitizer.
#
# Any report of memory misuse or undefined behaviour fails. Leaks: node itself never frees much of what
# it has at exit, so of LeakSanitizer's report only those leaks count that the addon allocated (a frame
# of onehop.node in their stack) and that are no longer reachable from anywhere. What is still held by a
# live poller at exit is not seen; the tests' count of descriptors and the chunks of a stopped poller are.
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
  # Leak reports are paragraphs; those with a frame of ours are printed.
  ours=$(awk 'BEGIN { RS = ""; ORS = "\n\n" } /leak of/ && /onehop\.node/' "$report")
  if [ -n "$ours" ]; then
    printf '%s\n' "$ours"
    status=1
  fi
done
[ "$status" -eq 0 ] && echo "test-asan: no misuse, no leak of the addon's"
exit "$status"
