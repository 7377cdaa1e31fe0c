#!/usr/bin/python3
"""`./capos prove [PATTERN]`: models, proofs, and the seeded mutants that show that both can fail.

Models (tests/models, SPIN) say what holds of every interleaving of a small system; proofs
(tests/proofs, Frama-C WP) say what holds of the shipped sources. Each names its properties in a
table beside it, and for each property a mutant: a defect that must break it. One line per property
and per mutant; the last line is `N passed, N failed`. The tests run the models through here too.
"""

import argparse
import concurrent.futures
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib

import project
from results import Result, failed

JOBS = 2
DETAIL_LINES = 30
MODELS = "tests/models"
MODEL_TIMEOUT_S = 300
# The search must be complete: a deeper path or a larger space than this is a failure, not a pass.
SEARCH = ["-m2000000", "-w22"]


class ToolError(Exception):
    """A tool failed in another way than by answering no."""


def run_tool(command, directory, timeout):
    """The tool's output; it may answer no, but must end by itself."""
    try:
        done = subprocess.run(
            command,
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout,
        )
    except subprocess.TimeoutExpired as error:
        raise ToolError(f"{command[0]} was not finished after {timeout} s") from error
    return done.returncode, done.stdout.decode("utf-8", "replace")


# --- Models ---------------------------------------------------------------------------------------


class Verifier:
    """One model with one set of defines, as a program that searches all of its states."""

    def __init__(self, model, name, defines, liveness=False):
        self.model = model
        self.directory = os.path.abspath(os.path.join(project.OUTPUT, "prove", "models", name))
        shutil.rmtree(self.directory, ignore_errors=True)
        os.makedirs(self.directory)
        source = os.path.abspath(os.path.join(MODELS, model["file"]))
        variant = [f"-D{model['variant']}"] if "variant" in model else []
        words = [f"-D{define}" for define in defines]
        self.step(["spin", "-Pclang -E -x c", *variant, *words, "-a", source], "pan.c")
        kind = [] if liveness else ["-DSAFETY"]
        claim = ["-DNFAIR=3"] if liveness or "BUT" in "".join(defines) else ["-DNOCLAIM"]
        self.step(["clang", "-O0", "-w", *kind, *claim, "-o", "pan", "pan.c"], "pan")

    def step(self, command, product):
        status, output = run_tool(command, self.directory, MODEL_TIMEOUT_S)
        if status != 0 or not os.path.exists(os.path.join(self.directory, product)):
            raise ToolError(f"{command[0]} failed on {self.model['file']}\n{output[-2000:]}")

    def search(self, *options):
        """(what was broken, or "" if nothing was; number of states)."""
        _, output = run_tool(["./pan", *SEARCH, *options], self.directory, MODEL_TIMEOUT_S)
        errors = re.search(r"errors: (\d+)", output)
        states = re.search(r"(\d+) states, stored", output)
        if not errors or not states:
            raise ToolError(f"the search of {self.model['file']} broke off\n{output[-2000:]}")
        if errors.group(1) != "0":
            broken = re.search(r"pan:1: (.*)", output)
            return broken.group(1) if broken else "an error without a name", int(states.group(1))
        if "search depth too small" in output or "out of memory" in output:
            raise ToolError(f"the search of {self.model['file']} was not complete\n{output[-2000:]}")
        return "", int(states.group(1))


def model_name(model):
    stem = model["file"].removesuffix(".pml")
    return f"{stem}_{model['variant'].lower()}" if "variant" in model else stem


def check_safety(model):
    """All ALWAYS properties of a model in one search, and that nothing gets stuck."""
    name = model_name(model)
    properties = [prop for prop in model["property"] if "always" in prop]
    broken, states = Verifier(model, name, []).search()
    if not broken:
        return [
            Result(f"model/{name} {prop['name']}", "passed", detail=f"{states} states")
            for prop in properties
        ]
    results = []
    for prop in properties:
        only = Verifier(model, f"{name}-only-{prop['name']}", [f"ONLY={prop['always']}"])
        broken_only, _ = only.search()
        outcome = "failed" if broken_only else "passed"
        results.append(Result(f"model/{name} {prop['name']}", outcome, detail=broken_only))
    if not any(result.outcome == "failed" for result in results):
        results.append(failed(f"model/{name} end", broken))
    return results


def check_liveness(model):
    """All formulas of a model, under weak fairness."""
    name = model_name(model)
    formulas = [prop for prop in model["property"] if "ltl" in prop]
    verifier = Verifier(model, f"{name}-ltl", [], liveness=True)
    results = []
    for prop in formulas:
        broken, states = verifier.search("-a", "-f", "-N", prop["ltl"])
        outcome = "failed" if broken else "passed"
        detail = broken or f"{states} states"
        results.append(Result(f"model/{name} {prop['name']}", outcome, detail=detail))
    return results


def check_model_mutant(model, prop, seeded):
    """The mutant breaks its property; no other safety property breaks before it."""
    name = f"{model_name(model)}-{seeded.lower()}"
    mutant = f"MUTANT_{seeded}"
    if "always" in prop:
        verifier = Verifier(model, name, [mutant, f"ONLY={prop['always']}"])
        broken, _ = verifier.search("-E")
        others = Verifier(model, f"{name}-others", [mutant, f"BUT={prop['always']}"])
        beside, _ = others.search("-E")
    else:
        verifier = Verifier(model, name, [mutant], liveness=True)
        broken, _ = verifier.search("-a", "-f", "-N", prop["ltl"])
        beside, _ = Verifier(model, f"{name}-others", [mutant]).search("-E")
    title = f"mutant/{model_name(model)} {seeded} breaks {prop['name']}"
    if not broken:
        return [failed(title, "it does not: the property holds of the mutant too")]
    if beside:
        return [failed(title, f"it also breaks {beside}")]
    return [Result(title, "passed")]


def mutants_of(prop):
    """A property has one mutant or several."""
    return prop["mutant"] if isinstance(prop["mutant"], list) else [prop["mutant"]]


def read_models():
    with open(os.path.join(MODELS, "models.toml"), "rb") as file:
        return tomllib.load(file)["model"]


def model_checks():
    """(name, function) of what the models promise; the tests run these."""
    checks = []
    for model in read_models():
        name = f"model/{model_name(model)}"
        checks.append((f"{name} safety", lambda model=model: check_safety(model)))
        if any("ltl" in prop for prop in model["property"]):
            checks.append((f"{name} liveness", lambda model=model: check_liveness(model)))
    return checks


def model_mutant_checks():
    """(name, function) of each mutant of the models."""
    return [
        (
            f"mutant/{model_name(model)} {seeded}",
            lambda model=model, prop=prop, seeded=seeded: check_model_mutant(model, prop, seeded),
        )
        for model in read_models()
        for prop in model["property"]
        for seeded in mutants_of(prop)
    ]


# --- Running --------------------------------------------------------------------------------------


def run_check(name, function):
    """A check that cannot be made is a failure too."""
    started = time.monotonic()
    try:
        results = function()
    except (ToolError, OSError) as error:
        results = [failed(name, str(error))]
    return results, time.monotonic() - started


def run_checks(checks, report):
    """Runs them, some at a time; `report` gets each check's results and seconds as they come."""
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        running = [pool.submit(run_check, *check) for check in checks]
        for done in concurrent.futures.as_completed(running):
            report(*done.result())


class Report:
    """One line per result, and the sum."""

    def __init__(self):
        self.passed = self.failed = 0

    def add(self, results, seconds):
        for result in results:
            good = result.outcome == "passed"
            self.passed += good
            self.failed += not good
            remark = f" ({result.detail})" if good and result.detail else ""
            print(f"{'ok  ' if good else 'FAIL'} {result.name}{remark}", flush=True)
            if not good:
                lines = result.detail.splitlines()[-DETAIL_LINES:]
                print("\n".join(f"    {line}" for line in lines), flush=True)


def main():
    parser = argparse.ArgumentParser(prog="./capos prove")
    parser.add_argument("pattern", nargs="?", default="", help="only checks whose name contains it")
    options = parser.parse_args()
    os.chdir(project.ROOT)
    started = time.monotonic()
    checks = [*model_checks(), *model_mutant_checks()]
    checks = [check for check in checks if options.pattern in check[0]]
    report = Report()
    run_checks(checks, report.add)
    print(f"proved in {time.monotonic() - started:.0f} s" if not report.failed else "not proved")
    print(f"{report.passed} passed, {report.failed} failed")
    return 1 if report.failed or not report.passed else 0


if __name__ == "__main__":
    sys.exit(main())
