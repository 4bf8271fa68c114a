# Functions of `.ci/run` and `.ci/deep`.
# shellcheck shell=bash

# step NAME...: starts a step. At its end, the time that it took is printed. GitHub shows each step as a group.
step() {
    end_step
    current_step=$* step_started=$SECONDS
    if [[ ${GITHUB_ACTIONS:-} ]]; then
        printf '::group::%s\n' "$current_step"
    else
        printf '\n== %s\n' "$current_step"
    fi
}

end_step() {
    [[ ${current_step:-} ]] || return 0
    [[ ! ${GITHUB_ACTIONS:-} ]] || printf '::endgroup::\n'
    printf '%s: %d s\n' "$current_step" $((SECONDS - step_started))
    current_step=''
}
trap end_step EXIT

# warn TEXT: prints a warning, which GitHub shows next to the result.
warn() {
    [[ ! ${GITHUB_ACTIONS:-} ]] || printf '::warning::%s\n' "$*"
    printf 'WARNING: %s\n' "$*" >&2
}
