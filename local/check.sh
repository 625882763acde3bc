#!/bin/sh
# What a machine needs for the first build, and the Debian package that brings it; exit 1 where something is missing. Run
# by `cargo local` before it builds anything, with --build; run it by hand before `cargo test`, which wants more.
#
# librdkafka is configured by bash and built by make with a C and a C++ compiler; its OpenSSL is configured by perl, with
# modules that Debian's minimal perl-base lacks. SQLite, zstd and aws-lc need the C compiler alone.
missing=0

need() { # program, package, what for
    command -v "$1" >/dev/null 2>&1 && return
    echo "missing: $1 ($3); on Debian and Ubuntu: apt-get install $2" >&2
    missing=1
}

command -v cargo >/dev/null 2>&1 || { echo "missing: cargo; https://rustup.rs installs it" >&2; missing=1; }
need "${CC:-cc}" build-essential "a C compiler, for librdkafka, OpenSSL, SQLite and aws-lc"
need "${CXX:-c++}" build-essential "a C++ compiler, for librdkafka"
need make build-essential "builds librdkafka and OpenSSL"
need bash bash "configures librdkafka"
need perl perl "configures OpenSSL"
if command -v perl >/dev/null 2>&1 && ! perl -MFindBin -MIPC::Cmd -MFile::Compare -MFile::Copy -MTime::Piece -e 1 2>/dev/null; then
    echo "missing: perl's standard modules (OpenSSL's Configure); on Debian and Ubuntu: apt-get install perl" >&2
    missing=1
fi

# No reason to fail: only `cargo test` wants these.
if [ "$1" != --build ]; then
    for program in curl redis-server; do
        command -v "$program" >/dev/null 2>&1 && continue
        echo "missing for cargo test: $program; on Debian and Ubuntu: apt-get install $program" >&2
    done
fi
exit $missing
