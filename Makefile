# SPDX-License-Identifier: MIT
# The short names for what people do here; CMake does the building (CMakePresets.json).

.DEFAULT_GOAL := build
.PHONY: build demo test check-all bench tidy format debug asan tsan clean help

# Each configures and builds in build/<preset>/; an unchanged tree rebuilds nothing.
build: deps-demo
	@tool/build release

deps-demo:
	@tool/deps demo
deps-test:
	@tool/deps test
.PHONY: deps-demo deps-test

demo: deps-demo
	@tool/build release programs
	@tool/demo build/release

test: deps-test
	@tool/test release

check-all: deps-test
	@tool/test release old-kernel $(if $(shell command -v clang),clang) stress fuzz \
	    asan stress-asan fuzz-asan tsan stress-tsan

bench: deps-test
	@tool/build release programs
	@bench/run build/release

debug asan tsan: deps-test
	@tool/build $@

tidy: deps-demo
	@tool/tidy

format:
	@tool/format

clean:
	rm -rf build

help:
	@echo 'weir: one concurrency runtime for C'
	@echo
	@echo '  make            build the library, the tool, the examples and the tests'
	@echo '  make demo       build, then see one handler run under all five models (2 minutes)'
	@echo '  make test       build, then run the tests a user runs (under 5 minutes)'
	@echo '  make check-all  those, and sanitizers, stress, fuzzing, older kernels (long)'
	@echo '  make bench      measure against a raw epoll server'
	@echo '  make tidy       check the rules of the tree: layers, names, comments'
	@echo '  make format     let clang-format decide the form'
	@echo '  make debug      build in build/debug; likewise make asan, make tsan'
	@echo '  make clean      remove build/'
	@echo
	@echo 'The first run installs what is missing from Debian packages and says why.'
	@echo 'Everything is built in build/<preset>/.  Try: build/release/weir --help'
