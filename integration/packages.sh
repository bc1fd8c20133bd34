# Finds out what is missing and installs it. Read by the scripts beside it, and by `cargo bench`.
# shellcheck shell=sh

say() { printf '%s\n' "$*" >&2; }

has() { command -v "$1" >/dev/null 2>&1; }

# need PACKAGE COMMAND...: the package is missing unless the command succeeds.
need() {
    package=$1
    shift
    "$@" >/dev/null 2>&1 || missing="$missing $package"
}

links_programs() {
    output=$(mktemp) || return
    echo 'int main(void) { return 0; }' | cc -x c -o "$output" -
    status=$?
    rm -f "$output"
    return $status
}

need_for_build() {
    # A compiler alone is not enough: without the C library's headers it links nothing.
    need 'gcc libc6-dev' links_programs
    need make has make
    need cmake has cmake
    need pkg-config has pkg-config
    need libssl-dev pkg-config --exists openssl
}

# Besides what the build needs.
need_for_suites() {
    need git has git
    need lighttpd has lighttpd
    need lighttpd-mod-openssl test -e /usr/lib/lighttpd/mod_openssl.so
    need openssh-server has sshd
    need openssh-client has ssh-keygen
    need openssl has openssl
    need libnss-wrapper has_library libnss_wrapper.so
    need strace has strace
    need bsdutils has script
    need util-linux has setpriv
    need mount has mount
    need postgresql has_postgres
    # A server that speaks S3 is a program for it.
    need npm has npm
    # libFuzzer is built from its source.
    need g++ has g++
}

has_library() {
    ldconfig -p | grep "$1"
}

# Servers that speak S3, into a folder: one that honours conditions, and one that does not. They are
# in no package of Debian's.
install_s3() {
    test -x "$1/bin/moto_server" || {
        python3 -m venv "$1" && "$1/bin/python" -m pip install -q 'moto[s3,server]==5.2.5'
    } || return
    test -x "$1/node_modules/.bin/s3rver" || npm install --silent --prefix "$1" s3rver@3.7.1
}

# The engine that runs are measured beside, into a folder.
install_dbos() {
    test -x "$1/bin/dbos" || {
        python3 -m venv "$1" && "$1/bin/python" -m pip install -q dbos==3.4.0
    }
}

# Its programs for servers are on nobody's path.
has_postgres() {
    has initdb || test -e "$(echo /usr/lib/postgresql/*/bin/initdb | cut -d ' ' -f 1)"
}

# The suites start servers of their own. Those that came with a package are not wanted.
stop_services() {
    for package in $missing; do
        case $package in
        lighttpd) stop_service lighttpd ;;
        openssh-server) stop_service ssh ;;
        postgresql) stop_service postgresql ;;
        esac
    done
}

stop_service() {
    if has systemctl; then
        as_root systemctl disable --now "$1" || true
    fi
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif has sudo; then
        sudo "$@"
    else
        say "Somebody with the right to do it has to run: $*"
        return 1
    fi
}

# Fails where there is no apt, or where it fails.
install_missing() {
    if [ -z "$missing" ]; then
        return
    fi
    has apt-get || return
    say "Installing:$missing"
    as_root apt-get update -q || return
    # shellcheck disable=SC2086  # one word for each package
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -q -y --no-install-recommends $missing
}

find_cargo() {
    PATH=$PATH:${CARGO_HOME:-$HOME/.cargo}/bin
    if ! has cargo; then
        say 'There is no cargo. Install a Rust toolchain, 1.88 or later: https://rustup.rs'
        return 1
    fi
}

# The packages' names are Debian's. Servers are often out of a user's PATH.
missing=
export PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"
