#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Somebody else's program builds and serves in every way that an installation offers.

Installs into a folder outside the tree and builds server.c and server.cpp against it: by pkg-config
with the shared and the static library and wholly static, by find_package, and from the tree by
add_subdirectory and FetchContent.  Then the installation is moved and used again.
ctest: timeout=600 processors=2"""
import http.client
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import traceback

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = pathlib.Path(os.environ["WEIR_SOURCE"])
BUILD = pathlib.Path(os.environ["WEIR_BUILD"])
BOUND_SECONDS = 30
BUILD_BOUND_SECONDS = 300
READY = re.compile(r"listening on http://127\.0\.0\.1:(\d+)")
WARNINGS = ["-Wall", "-Wextra", "-Werror", "-O2"]


class Failure(AssertionError):
    pass


def check(condition, what):
    if not condition:
        raise Failure(what)


def run(*command, env=None, seconds=BUILD_BOUND_SECONDS):
    """Standard output of a command that must succeed."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=seconds, check=False,
                          env=dict(os.environ, **(env or {})))
    check(done.returncode == 0,
          f"{' '.join(str(word) for word in command)}: status {done.returncode}\n"
          f"{done.stdout[-3000:]}{done.stderr[-3000:]}")
    return done.stdout


class Prefix:
    """An installation."""

    def __init__(self, path):
        self.path = path
        self.lib = next(path.rglob("libweir.a")).parent
        self.env = {"PKG_CONFIG_PATH": str(self.lib / "pkgconfig"),
                    "LD_LIBRARY_PATH": str(self.lib)}

    def pkg_config(self, *words):
        return run("pkg-config", *words, "weir", env=self.env).split()


def serve_once(program, way, version, env=None):
    """Starts the program, asks it, ends it."""
    process = subprocess.Popen([str(program), "--model=tasks", "--listen=127.0.0.1:0"],
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, text=True,
                               env=dict(os.environ, **(env or {})))
    # Whatever it waits for, the wait ends.
    guard = threading.Timer(BOUND_SECONDS, process.kill)
    guard.start()
    try:
        said = process.stderr.readline()
        found = READY.search(said)
        check(found, f"{program} does not say where it listens: {said!r}")
        connection = http.client.HTTPConnection("127.0.0.1", int(found[1]), timeout=BOUND_SECONDS)
        connection.request("GET", f"/version/{way}")
        answer = connection.getresponse()
        body = answer.read().decode()
        connection.close()
        check((answer.status, body) == (200, f"{way} {version}\n"), f"{answer.status} {body!r}")
        process.send_signal(signal.SIGTERM)
        check(process.wait(BOUND_SECONDS) == 0, f"status {process.returncode} after SIGTERM")
    finally:
        guard.cancel()
        process.kill()
        process.wait()
        process.stderr.close()


def uses_shared(program):
    return "libweir.so.0" in run("readelf", "-d", program)


def pkg_config_shared(prefix, work, version):
    program = work / "shared"
    run("cc", "-std=c17", *WARNINGS, HERE / "server.c", "-o", program,
        *prefix.pkg_config("--cflags", "--libs"))
    check(uses_shared(program), "the program does not use the shared library")
    serve_once(program, "shared", version, prefix.env)


def pkg_config_archive(prefix, work, version):
    program = work / "archive"
    words = [word if word != "-lweir" else "-l:libweir.a"
             for word in prefix.pkg_config("--static", "--cflags", "--libs")]
    run("cc", "-std=c17", *WARNINGS, HERE / "server.c", "-o", program, *words)
    check(not uses_shared(program), "the program uses the shared library")
    serve_once(program, "archive", version)


def pkg_config_wholly_static(prefix, work, version):
    program = work / "static"
    run("cc", "-std=c17", *WARNINGS, "-static", HERE / "server.c", "-o", program,
        *prefix.pkg_config("--static", "--cflags", "--libs"))
    check("INTERP" not in run("readelf", "-l", program), "the program asks for a loader")
    serve_once(program, "static", version)


def pkg_config_cxx(prefix, work, version):
    program = work / "cxx"
    run("c++", "-std=c++17", *WARNINGS, HERE / "server.cpp", "-o", program,
        *prefix.pkg_config("--cflags", "--libs"))
    serve_once(program, "cxx", version, prefix.env)


def cmake(project, work, *options):
    folder = work / f"cmake-{project}"
    shutil.rmtree(folder, ignore_errors=True)
    run("cmake", "-S", HERE / project, "-B", folder, "-G", "Ninja", *options)
    run("cmake", "--build", folder)
    return folder


def find_package(prefix, work, version):
    folder = cmake("installed", work, f"-DCMAKE_PREFIX_PATH={prefix.path}")
    check(uses_shared(folder / "shared"), "weir::weir is not the shared library")
    check(not uses_shared(folder / "static"), "weir::static is the shared library")
    for name in ("shared", "static", "cxx"):
        serve_once(folder / name, name, version)


def find_package_of_another_version(prefix, work, version):
    del version
    text = (HERE / "installed" / "CMakeLists.txt").read_text()
    project = work / "newer"
    project.mkdir(exist_ok=True)
    (project / "CMakeLists.txt").write_text(text.replace("find_package(weir 0.1 ",
                                                         "find_package(weir 0.999 "))
    done = subprocess.run(["cmake", "-S", project, "-B", work / "newer-build", "-G", "Ninja",
                           f"-DCMAKE_PREFIX_PATH={prefix.path}"], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=BUILD_BOUND_SECONDS, check=False)
    check(done.returncode != 0, "a version that does not exist was found")
    check("0.999" in done.stderr, f"no word of the version: {done.stderr}")


def add_subdirectory(prefix, work, version):
    del prefix
    folder = cmake("subproject", work, f"-DWEIR_SOURCE={SOURCE}")
    for name in ("shared", "static"):
        serve_once(folder / name, name, version)


def fetch_content(prefix, work, version):
    del prefix
    folder = cmake("fetched", work, f"-DWEIR_SOURCE={SOURCE}")
    serve_once(folder / "static", "fetched", version)


def everything_is_installed(prefix, work, version):
    del work
    wanted = {path.name for path in (SOURCE / "include" / "weir").glob("*.h")}
    found = {path.name for path in (prefix.path / "include" / "weir").iterdir()}
    check(found == wanted, f"headers that differ: {sorted(found ^ wanted)}")
    check(prefix.pkg_config("--modversion") == [version], "the version that pkg-config tells")
    said = run(prefix.path / "bin" / "weir", "--version")
    check(version in said, f"weir --version says {said!r}")
    for name in ("libweir.so", "libweir.so.0"):
        check((prefix.lib / name).is_symlink(), f"{name} is no link")
    check("SONAME" in run("readelf", "-d", prefix.lib / "libweir.so.0"), "no soname")


def nothing_names_the_prefix(prefix, work, version):
    del work, version
    for path in prefix.path.rglob("*"):
        if path.is_file() and path.suffix in (".pc", ".cmake", ".h", ".1", ".3"):
            check(str(prefix.path) not in path.read_text(), f"{path} names where it lies")


def staged_for_a_package(prefix, work, version):
    """DESTDIR puts the same files below another root."""
    del version
    stage = work / "stage"
    run("cmake", "--install", BUILD, "--prefix", "/opt/weir", env={"DESTDIR": str(stage)})
    staged = {path.relative_to(stage / "opt" / "weir") for path in stage.rglob("*")
              if not path.is_dir()}
    installed = {path.relative_to(prefix.path) for path in prefix.path.rglob("*")
                 if not path.is_dir()}
    check(staged == installed, f"files that differ: {sorted(map(str, staged ^ installed))}")


FIRST = (everything_is_installed, nothing_names_the_prefix, staged_for_a_package,
         pkg_config_shared, pkg_config_archive, pkg_config_wholly_static, pkg_config_cxx,
         find_package, find_package_of_another_version, add_subdirectory, fetch_content)
MOVED = (everything_is_installed, pkg_config_shared, pkg_config_archive, find_package)


def project_version():
    text = (SOURCE / "CMakeLists.txt").read_text()
    return re.search(r"project\(weir VERSION ([\d.]+)", text)[1]


def run_cases(cases, prefix, work, when):
    failed = 0
    for case in cases:
        name = f"{case.__name__}{when}"
        try:
            case(prefix, work, project_version())
        except Exception as error:
            failed += 1
            print(f"FAIL  {name}: {error}", flush=True)
            if not isinstance(error, Failure):
                traceback.print_exc(file=sys.stdout)
            continue
        print(f"ok    {name}", flush=True)
    return failed


def main():
    for tool in ("pkg-config", "cc", "c++", "cmake", "ninja", "readelf"):
        if shutil.which(tool) is None:
            print(f"SKIP: {tool} is not installed")
            return 77
    with tempfile.TemporaryDirectory(prefix="weir-consumer-") as folder:
        work = pathlib.Path(folder)
        place = work / "prefix"
        run("cmake", "--install", BUILD, "--prefix", place)
        failed = run_cases(FIRST, Prefix(place), work, "")
        moved = work / "elsewhere" / "deep"
        moved.parent.mkdir()
        place.rename(moved)
        failed += run_cases(MOVED, Prefix(moved), work, ", after it was moved")
    count = len(FIRST) + len(MOVED)
    print(f"{count - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
