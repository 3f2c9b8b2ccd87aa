# shellcheck shell=bash
#
# A sanitizer build of sekisho and sekishoctl: what it finds goes to files of its own, whichever
# program it was in, however often it was started, and whoever reads its output.

sanitizer_begin() {
  local name value
  rm -rf "$STATE/sanitizer"
  mkdir -p "$STATE/sanitizer"
  for name in ASAN_OPTIONS TSAN_OPTIONS UBSAN_OPTIONS; do
    value=${!name:-}
    value=${value%%log_path=*}
    value=${value%[ :]}
    export "$name=${value:+$value }log_path='$STATE/sanitizer/report'"
  done
}

# sanitizer_silent: false, with the reason, if anything was found. What is in the gateway's output
# counts, too: a sanitizer speaks there while it does not know the file yet.
sanitizer_silent() {
  local found
  found=$(grep -hsE 'ERROR: [A-Za-z]+Sanitizer|WARNING: [A-Za-z]+Sanitizer|runtime error:' \
    "$STATE"/sanitizer/report.* "$STATE/gateway/output" | head -n 1 || true)
  [[ -n $found ]] || return 0
  found+=" ($(grep -hsm 1 '^SUMMARY:' "$STATE"/sanitizer/report.* | head -n 1 || true))"
  printf 'a sanitizer reports: %s\n' "$found" >"$STATE/reason"
  return 1
}
