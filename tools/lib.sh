# shellcheck shell=bash
#
# What the tools share: how they speak to a person, and how they run something long.
# Sourced, never run.

# shellcheck disable=SC2034  # used by the scripts that source this file
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

if [[ -t 1 ]]; then
  BOLD=$'\e[1m' PLAIN=$'\e[0m'
else
  BOLD='' PLAIN=''
fi

# step TEXT...: the heading of what comes next
step() { printf '%s== %s%s\n' "$BOLD" "$*" "$PLAIN"; }

# die TEXT...: one sentence that says what is missing and what to do
die() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

# usage: prints the comment at the head of the script that was started, without its marks
usage() { sed -n '2,${/^#/!q;s/^# \{0,1\}//p}' "$0"; }
