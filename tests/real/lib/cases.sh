# Finds, runs and counts the cases. A case is a function named case_… in cases/*.sh.
# shellcheck shell=bash

TIME_LIMIT=300 # seconds per case
RUNNERS=()

# choose_cases [NAME...]: sets CASES to a list of FILE:NAME, with all cases if no name is given.
choose_cases() {
  local file name wanted
  CASES=()
  for file in "$HERE"/cases/*.sh; do
    [[ ! ${QUICK:-} || $file != */40-long.sh ]] || continue
    while read -r name; do
      if (($# == 0)) || [[ " $* " == *" $name "* ]]; then
        CASES+=("$file:$name")
      fi
    done < <(sed -nE 's/^case_([a-z0-9_]+)\(\).*/\1/p' "$file")
  done
  for wanted; do
    [[ " ${CASES[*]##*:} " == *" $wanted "* ]] || { echo "unknown case '$wanted' (see --list)" >&2 && exit 2; }
  done
}

# Builds the examples in the same way as a user does, and the driver with the same dependency versions. Sets EXAMPLES and
# DRIVER to their paths. A failed build is reported once here and leaves its variable unset, so that the cases that need it
# fail.
build_crate() {
  local target
  target=$(cargo metadata --manifest-path "$ROOT/Cargo.toml" --no-deps --format-version 1 | jq -r .target_directory) || return 0
  build examples --manifest-path "$ROOT/Cargo.toml" --examples && export EXAMPLES=$target/debug/examples
  [[ ! -e $ROOT/Cargo.lock ]] || cp "$ROOT/Cargo.lock" "$HERE/driver/Cargo.lock"
  build driver --manifest-path "$HERE/driver/Cargo.toml" --target-dir "$target" && export DRIVER=$target/debug/real-driver
  return 0
}

# build NAME ARGUMENT...
build() {
  echo "building the $1 ..." >&2
  cargo build "${@:2}" || {
    echo "building the $1 failed" >&2
    return 1
  }
}

# run_case FILE:NAME: prints the result and appends it to $RUN/results
run_case() {
  local name=${1##*:} status=0 started=$SECONDS
  local folder=$RUN/case/$name
  mkdir "$folder"
  timeout --kill-after=5 "$TIME_LIMIT" "$HERE/lib/case.sh" "${1%:*}" "$name" >"$folder/log" 2>&1 &
  echo $! >"$folder/pid"
  wait $! || status=$?
  rm "$folder/pid"
  case $status in
    0) echo "ok $name ($((SECONDS - started)) s)" ;;
    77) echo "SKIP $name: $(<"$folder/reason")" ;;
    124 | 137) echo "FAIL $name: timed out after $TIME_LIMIT s" ;;
    *) echo "FAIL $name: $(cat "$folder/reason" 2>/dev/null || tail -n 3 "$folder/log")" ;;
  esac | tee -a "$RUN/results"
}

# run_every STEP FIRST CASE...: runs each case whose index is FIRST plus a multiple of STEP, one after another
run_every() {
  local step=$1 index
  local list=("${@:3}")
  for ((index = $2; index < ${#list[@]}; index += step)); do
    run_case "${list[index]}"
  done
}

# Runs $JOBS cases at a time. The cases of *-long.sh mostly wait, so they all start at once in addition.
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
    run_every "$JOBS" "$job" "${short[@]}" &
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

# Ends an interrupted run: first the runners, so that they start no more cases, then the cases.
end_cases() {
  local file
  ((${#RUNNERS[@]})) || return 0
  kill "${RUNNERS[@]}" 2>/dev/null || true
  for file in "$RUN"/case/*/pid; do
    [[ ! -e $file ]] || kill "$(<"$file")" 2>/dev/null || true
  done
}

# Keeps the logs of a failed run.
keep_logs() {
  rm -rf "$CACHE/last"
  mkdir "$CACHE/last"
  cp -r "$RUN"/{log,case,gateway} "$CACHE/last" 2>/dev/null || true
  echo "logs: $CACHE/last" >&2
}
