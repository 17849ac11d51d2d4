# SPDX-License-Identifier: MIT
# The short names for what people do here; CMake does the building (CMakePresets.json).

.DEFAULT_GOAL := build
.PHONY: build demo test check-all bench tidy format debug asan tsan musl install deb clean help

# Each configures and builds in build/<preset>/; an unchanged tree rebuilds nothing.
build: deps-demo
	@tool/build release

deps-demo:
	@tool/deps demo
deps-test:
	@tool/deps test
deps-all:
	@tool/deps all
.PHONY: deps-demo deps-test deps-all

demo: deps-demo
	@tool/build release programs
	@tool/demo build/release

test: deps-test
	@tool/test release

check-all: deps-all
	@tool/check-all $(STAGES)

bench: deps-test
	@tool/build release programs
	@bench/run build/release $(BENCH)
figures:
	@bench/figures.py
overload: deps-test
	@tool/build release programs
	@bench/overload/run build/release $(OVERLOAD)
.PHONY: figures overload

debug asan tsan: deps-test
	@tool/build $@
musl: deps-all
	@tool/build $@

PREFIX ?= /usr/local
install: deps-demo
	@tool/build release programs man
	@DESTDIR='$(DESTDIR)' tool/install '$(PREFIX)'

deb: deps-all
	@tool/deb

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
	@echo '  make test       build, then run the tests a user runs (about 5 minutes)'
	@echo '  make check-all  everything: sanitizers, stress, fuzzing, clang, musl, packages (long);'
	@echo '                  some stages alone: make check-all STAGES="clang musl"'
	@echo '  make bench      measure beside a raw epoll server, nginx, Go and Node (15 minutes);'
	@echo '                  a first look in three: make bench BENCH=--quick'
	@echo '  make overload   what becomes of the service beyond its capacity: the protocol (hours);'
	@echo '                  some of it, roughly: make overload OVERLOAD="--quick --rows=A,B"'
	@echo '  make figures    write doc/figures.md from what make bench found'
	@echo '  make tidy       check the rules of the tree: layers, names, comments'
	@echo '  make format     let clang-format decide the form'
	@echo '  make debug      build in build/debug; likewise make asan, make tsan, make musl'
	@echo '  make install    to PREFIX=/usr/local; DESTDIR= stages it for a package'
	@echo '  make deb        the Debian packages libweir0, libweir-dev and weir, in build/deb/'
	@echo '  make clean      remove build/'
	@echo
	@echo 'The first run installs what is missing from Debian packages and says why.'
	@echo 'Everything is built in build/<preset>/.  Try: build/release/weir --help'
