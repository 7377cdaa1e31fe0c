#!/usr/bin/python3
"""`./capos fuzz [TARGET] [SECONDS]`, and the brief fuzz runs of `./capos test`.

A target is a libFuzzer program that tests/tests.mk built. Its kept corpus, tests/fuzz/corpus/NAME,
is read and never written; what a search adds goes below the output directory, and a crashing input
is a file there whose name is printed.
"""

import dataclasses
import os
import subprocess
import sys
import tempfile

import project

SECONDS = 60
INPUT_BYTES_MAX = 4096


@dataclasses.dataclass
class Target:
    name: str
    program: str
    sources: list  # what line coverage is counted over

    @property
    def corpus(self):
        return f"tests/fuzz/corpus/{self.name}"

    @property
    def found(self):
        return os.path.join(project.OUTPUT, "fuzz", self.name)


def targets():
    programs = project.make_variables("FUZZ_PROGRAMS")["FUZZ_PROGRAMS"]
    names = [os.path.basename(program) for program in programs]
    sources = project.make_variables(*(f"FUZZ_{name}" for name in names)) if names else {}
    return [
        Target(name, program, sources.get(f"FUZZ_{name}", []))
        for name, program in zip(names, programs)
    ]


def command(target, seconds):
    """The libFuzzer command line for a search of that length."""
    os.makedirs(os.path.join(target.found, "corpus"), exist_ok=True)
    line = [target.program, f"-max_total_time={seconds}", f"-max_len={INPUT_BYTES_MAX}"]
    line += ["-seed=1", "-timeout=10", "-print_final_stats=1", "-verbosity=0"]
    line += [f"-artifact_prefix={target.found}/", os.path.join(target.found, "corpus")]
    return line + ([target.corpus] if os.path.isdir(target.corpus) else [])


def search(target, seconds):
    """Runs a search on this terminal, without its word list; returns the program's exit status."""
    process = subprocess.Popen(
        command(target, seconds), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    for line in process.stdout:
        if not line.startswith((b'"', b"######")):
            print(line.decode("utf-8", "replace"), end="", flush=True)
    return process.wait()


def tested_files(target):
    """What coverage is counted over: the first tested source and its neighbours in the directory."""
    sources = [path for path in target.sources if "fuzz" not in path]
    return [path for path in sources if os.path.dirname(path) == os.path.dirname(sources[0])]


def coverage(target):
    """Words on how many lines of the tested sources the kept corpus and the finds reach."""
    program = os.path.join(project.HOST, "coverage/bin", target.name)
    if not os.path.exists(program):
        return "line coverage not measured"
    corpora = [target.corpus, os.path.join(target.found, "corpus")]
    corpora = [path for path in corpora if os.path.isdir(path)]
    with tempfile.TemporaryDirectory() as directory:
        raw, merged = os.path.join(directory, "raw"), os.path.join(directory, "merged")
        subprocess.run(
            [program, "-runs=0", "-verbosity=0", *corpora],
            env={**os.environ, "LLVM_PROFILE_FILE": raw},
            capture_output=True,
        )
        if not os.path.exists(raw):
            return "line coverage not measured"
        subprocess.run(["llvm-profdata", "merge", raw, "-o", merged], check=True)
        report = ["llvm-cov", "report", program, f"-instr-profile={merged}"]
        output = subprocess.run(report, capture_output=True, text=True).stdout
    return coverage_words(output, tested_files(target))


def coverage_words(report, files):
    """Sums rows of llvm-cov's table: name, then count, missed, percent of regions, functions, lines."""
    lines = missed = 0
    for row in report.splitlines():
        columns = row.split()
        # The names lose what all rows begin with.
        if len(columns) > 9 and any(path.endswith(columns[0]) for path in files):
            lines += int(columns[7])
            missed += int(columns[8])
    if not lines:
        return "line coverage not measured"
    return f"line coverage {100 * (lines - missed) // lines} % of {lines} lines"


def main():
    arguments = sys.argv[1:]
    seconds = SECONDS
    if arguments and arguments[-1].isdigit():
        seconds = int(arguments.pop())
    os.chdir(project.ROOT)
    known = targets()
    chosen = [target for target in known if not arguments or target.name == arguments[0]]
    if not chosen:
        names = " ".join(target.name for target in known) or "none yet"
        wanted = f"no fuzz target '{arguments[0]}'" if arguments else "nothing to fuzz"
        print(f"capos: {wanted}; the targets are: {names}", file=sys.stderr)
        return 2
    worst = 0
    for target in chosen:
        print(f"fuzz {target.name}: {seconds} s, finds go to {target.found}", flush=True)
        worst = max(worst, abs(search(target, seconds)))
        print(f"fuzz {target.name}: {coverage(target)}", flush=True)
    return 1 if worst else 0


if __name__ == "__main__":
    sys.exit(main())
