# What .ci/run and .ci/full share, sourced by both from the top of the repository: a place to work in, the data of
# MovieLens if there are any, the two lines of the README, and steps that say when they begin.
top=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export JAX_COMPILATION_CACHE_DIR=$work/compiled  # steps with the same JAX compile nothing twice
export JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS=0.1
if [ -z "${EQUILIBRAX_MOVIELENS:-}" ] && [ -d ../shared/data/ml-latest-small ]; then
  EQUILIBRAX_MOVIELENS=$(cd ../shared/data/ml-latest-small && pwd)
  export EQUILIBRAX_MOVIELENS
fi

step() { printf '\n=== %s (%ss)\n' "$1" "$SECONDS"; }

# A fresh clone of what is committed, and one of the README's lines in it.
clone() { git clone -q "$top" "$work/$1"; }
in_clone() { (cd "$work/$1" && bash -euo pipefail -c "$2"); }

mapfile -t lines < <(grep '^python3 -m venv' README.md)
[ "${#lines[@]}" = 2 ] || { echo "README.md: expected two lines that start with 'python3 -m venv', got ${#lines[@]}"; exit 1; }
for line in "${lines[@]}"; do
  [[ $line == *" -c constraints.txt "* ]] || { echo "README.md: expected -c constraints.txt in: $line"; exit 1; }
done

# The newest Python beside python3, if there is one: it gets a newer JAX.
newer_python() {
  local candidate
  for candidate in python3.14 python3.13 python3.12 $(ls -d "$HOME"/.pyenv/versions/3.1[2-9]*/bin/python3 2>/dev/null | sort -rV); do
    if "$candidate" -c 'import sys; assert sys.version_info >= (3, 12)' 2>/dev/null; then echo "$candidate"; return; fi
  done
  echo python3
}
