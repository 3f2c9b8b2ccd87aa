# shellcheck shell=bash
#
# Long-running processes of the rig: each in a directory of its own with pid, birth, log and, when
# it has ended, status. A process is known by pid and birth, so that no other is ever signalled.

# born PID: when that process started, in clock ticks since boot; nothing if there is none
born() {
  local stat fields
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 0
  read -ra fields <<<"${stat##*) }" # the name, which may hold anything, is before that
  if [[ ${fields[0]} != Z ]]; then echo "${fields[19]}"; fi
}

# process_start DIRECTORY COMMAND...: in a session of its own; output goes to DIRECTORY/output
process_start() {
  local dir=$1 i
  shift
  rm -f "$dir/pid" "$dir/status"
  # The inner shell is the parent: it sees the exit status, whoever sends the signal.
  # shellcheck disable=SC2016
  setsid bash -c '
    dir=$1; shift
    "$@" </dev/null >"$dir/output" 2>&1 &
    echo "$!" >"$dir/pid.new" && mv "$dir/pid.new" "$dir/pid"
    wait "$!"
    echo "$?" >"$dir/status.new" && mv "$dir/status.new" "$dir/status"
  ' process "$dir" "$@" </dev/null >/dev/null 2>&1 &
  disown
  for ((i = 0; i < 100; i++)); do
    if [[ -f $dir/pid ]]; then break; fi
    sleep 0.05
  done
  born "$(<"$dir/pid")" >"$dir/birth"
}

# process_pid DIRECTORY: its pid, if it is alive
process_pid() {
  local pid birth
  { read -r pid <"$1/pid" && read -r birth <"$1/birth"; } 2>/dev/null || return 1
  [[ -n $birth && $(born "$pid") == "$birth" ]] || return 1
  echo "$pid"
}

process_alive() { process_pid "$1" >/dev/null; }
process_gone() { ! process_alive "$1"; }

# process_stop DIRECTORY SIGNAL SECONDS: sends it, and SIGKILL if that was not enough. Its status is
# there when this returns.
process_stop() {
  local pid
  pid=$(process_pid "$1") || return 0
  kill -"$2" "$pid" 2>/dev/null || true
  if ! wait_for "$3" process_gone "$1"; then
    kill -KILL "$pid" 2>/dev/null || true
    wait_for 5 process_gone "$1" || true
  fi
  wait_for 5 test -f "$1/status" || true
}
