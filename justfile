# The same commands as the gate runs; each recipe is a step of .ci/steps.

[private]
default:
    @"{{ just_executable() }}" --list --unsorted

# The gate: every step below it, in order.
check:
    .ci/steps check

# The long steps: soak, bursts, sanitizers, system calls, bench, properties, second coverage, mutants, licences.
deep:
    .ci/steps deep

# What the steps need on this machine; groups: base wine nightly deep.
install *groups:
    .ci/install {{ groups }}

# Run the lab.
lab:
    .ci/steps lab

# Every test of the workspace.
test:
    .ci/steps test

# The example server, with curl.
curl:
    .ci/steps curl

# Is the formatting right?
fmt:
    .ci/steps fmt

# Lint for this system and for the others.
clippy:
    .ci/steps clippy

# The published packages on the oldest compiler that they promise.
msrv:
    .ci/steps msrv

# The documentation, warnings being errors.
doc:
    .ci/steps doc

# The doctests on nightly, which also checks the error codes of compile_fail.
doctest-nightly:
    .ci/steps doctest-nightly

# The core on a target that has no std.
no-std:
    .ci/steps no-std

# Every order in which two workers can meet, by loom.
loom:
    .ci/steps loom

# The core under Miri.
miri:
    .ci/steps miri

# The tests and the lab as Windows programs, under Wine.
wine:
    .ci/steps wine

# Line coverage of the core, with its limit.
coverage:
    .ci/steps coverage

# A server under load for a long time.
soak:
    .ci/steps soak

# Bursts that end in a reset, by the thousand.
bursts:
    .ci/steps bursts

# The adapter for io_uring under AddressSanitizer.
asan:
    .ci/steps asan

# The server on a ring under valgrind.
memcheck:
    .ci/steps memcheck

# System calls for each echo: epoll, and io_uring in two ways.
syscalls:
    .ci/steps syscalls

# The benchmarks.
bench:
    .ci/steps bench

# The property tests with very many cases.
properties:
    .ci/steps properties

# Coverage once more, by cargo-llvm-cov.
llvm-cov:
    .ci/steps llvm-cov

# Change the core in small ways: does a test notice?
mutants:
    .ci/steps mutants

# Licences, duplicate and foreign dependencies.
deny:
    .ci/steps deny

# Known vulnerabilities among the dependencies (asks GitHub).
advisories:
    .ci/steps advisories
