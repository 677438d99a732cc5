# The tasks of a working day. ./run makes .venv with just and uv in it, and then comes here.

set positional-arguments

root := justfile_directory()
bin := root / ".venv/bin"
pip := bin / "uv pip install --quiet --python " + quote(bin / "python")
torch := "2.13.0"
system_tools := "strace:strace mkfs.ext4:e2fsprogs losetup:mount unshare:util-linux tmux:tmux git:git zsh:zsh fish:fish"

# What a shell happens to carry must not change what is measured or compiled here.

unexport PYTHONDONTWRITEBYTECODE
unexport PYTHONUNBUFFERED

# List these tasks
_default:
    @"{{ just_executable() }}" --justfile "{{ justfile() }}" --list --unsorted

# Train a small network on real data under trainctl, and show the result
demo: _demo
    @echo '$ trainctl run examples/digits.py'
    @"{{ bin }}/trainctl" run --python "{{ bin }}/python" examples/digits.py
    @echo '$ trainctl show'
    @"{{ bin }}/trainctl" show
    @echo '$ trainctl list'
    @"{{ bin }}/trainctl" list

# Run the tests, or those named: ./run test tests/unit -k resume
test *ARGS: _system _dev _torch _frameworks
    "{{ bin }}/python" -m pytest "$@"

# Everything that judges the code without running it
check: _dev _torch
    "{{ bin }}/ruff" format --check
    "{{ bin }}/ruff" check
    "{{ bin }}/basedpyright"
    PYTHONPATH=src "{{ bin }}/lint-imports" --no-logo
    "{{ bin }}/vermin" --quiet --target=3.8- --violations --no-tips src/trainctl/kit src/trainctl/supervisor
    "{{ bin }}/vulture"
    ! grep -n '://' requirements/*

# Measure what trainctl costs: a table, and bench/results.json
bench *ARGS: _dev _torch
    "{{ bin }}/python" -m bench "$@"

# Kill, cut the power, flip bits and fill disks, ten times as often as the tests do
torture *ARGS: _system _dev _torch _frameworks
    "{{ bin }}/python" -m pytest tests/torture --kills=500 -s "$@"

# Format the code, and mend what can be mended without thinking
fmt: _dev
    "{{ bin }}/ruff" check --fix --quiet || true
    "{{ bin }}/ruff" format

# Build the wheel and the source archive into dist/
build: _demo
    @"{{ bin }}/uv" build --quiet --python "{{ bin }}/python" --no-build-isolation --out-dir "{{ root }}/dist"
    @ls -l dist

# Train a script of your own from this checkout, where you stand: ./run train-local train.py --epochs 5
[no-cd]
train-local +CMD: _demo
    @"{{ bin }}/trainctl" local "$@"

# Put trainctl on the PATH, for projects of your own
install: _demo
    @"{{ bin }}/uv" tool install --quiet --force --reinstall-package trainctl --no-python-downloads \
        --python "{{ bin }}/python" --constraints requirements/demo.txt \
        --build-constraints requirements/demo.txt "{{ root }}"
    @dir=$("{{ bin }}/uv" tool dir --bin); case ":$PATH:" in \
        *":$dir:"*) echo "trainctl is installed. Try: trainctl --help" ;; \
        *) echo "trainctl is in $dir, which is not on your PATH. Try: export PATH=\"$dir:\$PATH\"" ;; esac

# Lock the requirements anew; --upgrade takes what is newest
lock *ARGS:
    cd requirements && for name in run dev demo; do \
        constraints=; [ $name = demo ] && constraints='-c dev.txt'; \
        "{{ bin }}/uv" pip compile --quiet --generate-hashes --universal --python-version 3.11 \
            --no-header --no-annotate $constraints $name.in -o $name.txt "$@" || exit 1; done
    cd requirements && "{{ bin }}/uv" pip compile --quiet --generate-hashes --universal \
        --python-version 3.11 --no-header --no-annotate -c dev.txt --override without.in \
        frameworks.in -o frameworks.txt "$@"

# Each step below leaves a copy of what it installed, last of all, and does nothing while that is current.

_demo: (_sync "demo") _trainctl

_dev: (_sync "dev") _trainctl

_sync name:
    @cmp -s requirements/$1.txt .venv/$1.txt || { {{ pip }} --compile-bytecode --require-hashes \
        -r requirements/$1.txt && cp requirements/$1.txt .venv/$1.txt; }

_trainctl:
    @cmp -s pyproject.toml .venv/pyproject.toml || { {{ pip }} --no-deps --no-build-isolation \
        --editable . && cp pyproject.toml .venv/pyproject.toml; }

# By pip, not uv: only pip sees a CPU wheel that this machine may hold. WITHOUT_TORCH=1 leaves it out.
_torch:
    #!/bin/sh
    set -eu
    if [ -n "${WITHOUT_TORCH-}" ] || [ -e .venv/torch-{{ torch }} ]; then exit 0; fi
    echo "Installing torch {{ torch }}, gigabytes where pip finds no CPU build; WITHOUT_TORCH=1 leaves it out"
    "{{ bin }}/python" -m pip --disable-pip-version-check install --quiet torch=={{ torch }}
    touch .venv/torch-{{ torch }}

# Whose checkpoints the tests make and read; 600 MB on the disk. WITHOUT_FRAMEWORKS=1 leaves them out.
_frameworks: _torch
    #!/bin/sh
    set -eu
    [ -z "${WITHOUT_TORCH-}${WITHOUT_FRAMEWORKS-}" ] || exit 0
    if cmp -s requirements/frameworks.txt .venv/frameworks.txt; then exit 0; fi
    echo "Installing the frameworks that tests make checkpoints with; WITHOUT_FRAMEWORKS=1 leaves them out"
    {{ pip }} --no-deps --require-hashes -r requirements/frameworks.txt
    cp requirements/frameworks.txt .venv/frameworks.txt

# System packages that some tests want: installed by root on Debian, else named.
_system:
    #!/bin/sh
    PATH="$PATH:/usr/sbin:/sbin"
    missing() { for pair in {{ system_tools }}; do command -v "${pair%:*}" >/dev/null || echo "${pair#*:}"; done; }
    [ -n "$(missing)" ] || exit 0
    if [ "$(id -u)" = 0 ] && [ -e /etc/debian_version ]; then
        echo "Installing for the tests:" $(missing)
        { apt-get -qq update && DEBIAN_FRONTEND=noninteractive \
            apt-get -qq install --no-install-recommends $(missing); } >/dev/null 2>&1
    fi
    for package in $(missing); do
        case $package in
            strace) lost="the kill points at single writes" ;;
            e2fsprogs | mount) lost="power cuts and full disks" ;;
            util-linux) lost="what needs a namespace of its own" ;;
            tmux) lost="closed terminals" ;;
            git) lost="the record of the code's state" ;;
            zsh | fish) lost="completion in that shell" ;;
        esac
        echo "Not installed: $package. Not run without it: $lost"
    done
