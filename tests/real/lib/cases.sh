# Finds, runs and counts the cases. A case is a function named case_… in cases/*.sh.
# shellcheck shell=bash

LIMIT=300 # seconds for one case
RUNNERS=()

# choose_cases [NAME...]: CASES becomes a list of FILE:NAME, all cases if none is named.
choose_cases() {
  local file name wanted
  CASES=()
  for file in "$HERE"/cases/*.sh; do
    while read -r name; do
      if (($# == 0)) || [[ " $* " == *" $name "* ]]; then
        CASES+=("$file:$name")
      fi
    done < <(sed -nE 's/^case_([a-z0-9_]+)\(\).*/\1/p' "$file")
  done
  for wanted; do
    [[ " ${CASES[*]##*:} " == *" $wanted "* ]] || { echo "no case '$wanted', see --list" >&2 && exit 2; }
  done
}

# Builds the examples as a user does, and the driver with the same versions of everything: EXAMPLES and DRIVER say where
# they are. What does not build is told here, once, and is left unset: the cases that need it fail.
build_crate() {
  local target
  target=$(cargo metadata --manifest-path "$ROOT/Cargo.toml" --no-deps --format-version 1 | jq -r .target_directory) || return 0
  builds examples --manifest-path "$ROOT/Cargo.toml" --examples && export EXAMPLES=$target/debug/examples
  [[ ! -e $ROOT/Cargo.lock ]] || cp "$ROOT/Cargo.lock" "$HERE/driver/Cargo.lock"
  builds driver --manifest-path "$HERE/driver/Cargo.toml" --target-dir "$target" && export DRIVER=$target/debug/real-driver
  return 0
}

# builds NAME ARGUMENT...
builds() {
  cargo build --quiet "${@:2}" 2>"$CACHE/build.log" || {
    echo "the $1 did not build:" >&2
    tail -n 30 "$CACHE/build.log" >&2
    return 1
  }
}

# run_case FILE:NAME: prints its line, and notes it in $RUN/results.
run_case() {
  local name=${1##*:} status=0 started=$SECONDS
  local folder=$RUN/case/$name
  mkdir "$folder"
  timeout --kill-after=5 "$LIMIT" "$HERE/lib/case.sh" "${1%:*}" "$name" >"$folder/log" 2>&1 &
  echo $! >"$folder/pid"
  wait $! || status=$?
  rm "$folder/pid"
  case $status in
    0) echo "ok $name ($((SECONDS - started)) s)" ;;
    77) echo "SKIP $name: $(<"$folder/reason")" ;;
    124 | 137) echo "FAIL $name: not done after $LIMIT s" ;;
    *) echo "FAIL $name: $(cat "$folder/reason" 2>/dev/null || tail -n 3 "$folder/log")" ;;
  esac | tee -a "$RUN/results"
}

# every N FIRST CASE...: runs each Nth of the cases, from the FIRST (0 …) on, one after the other.
every() {
  local step=$1 index
  local list=("${@:3}")
  for ((index = $2; index < ${#list[@]}; index += step)); do
    run_case "${list[index]}"
  done
}

# $JOBS cases at a time. Those of *-long.sh mostly wait: they all start first and take no place from the others.
run_cases() {
  local found job short=()
  mkdir "$RUN/case"
  touch "$RUN/results"
  for found in "${CASES[@]}"; do
    if [[ $found == *-long.sh:* ]]; then
      run_case "$found" &
      RUNNERS+=($!)
    else
      short+=("$found")
    fi
  done
  for ((job = 0; job < JOBS; job++)); do
    every "$JOBS" "$job" "${short[@]}" &
    RUNNERS+=($!)
  done
  wait "${RUNNERS[@]}"
  RUNNERS=()
  echo "$(count ok) passed, $(count FAIL) failed, $(count SKIP) skipped"
  (($(count FAIL) == 0))
}

count() {
  grep -c "^$1 " "$RUN/results" || true
}

# For an interrupted run: first those who start cases, then the cases.
end_cases() {
  local file
  ((${#RUNNERS[@]})) || return 0
  kill "${RUNNERS[@]}" 2>/dev/null || true
  for file in "$RUN"/case/*/pid; do
    [[ ! -e $file ]] || kill "$(<"$file")" 2>/dev/null || true
  done
}

# What an unsuccessful run leaves for who looks into it.
keep_logs() {
  rm -rf "$CACHE/last"
  mkdir "$CACHE/last"
  cp -r "$RUN"/{log,case,gateway} "$CACHE/last" 2>/dev/null || true
  echo "logs: $CACHE/last" >&2
}
