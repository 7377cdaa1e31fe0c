#!/usr/bin/python3
"""`./capos prove [PATTERN]`: models, proofs, and the seeded mutants that show that both can fail.

Models (tests/models, SPIN) say what holds of every interleaving of a small system; proofs
(tests/proofs, Frama-C WP) say what holds of the shipped sources. Each names its properties in a
table beside it, and for each property a mutant: a defect that must break it. One line per property
and per mutant; the last line is `N passed, N failed`. The tests run the models through here too.
"""

import argparse
import concurrent.futures
import fnmatch
import os
import re
import shutil
import subprocess
import sys
import threading
import time
import tomllib

import project
from results import Result, failed

JOBS = 2
DETAIL_LINES = 30
MODELS = "tests/models"
MODEL_TIMEOUT_S = 300
PROOFS = "tests/proofs"
PROOF_TIMEOUT_S = 900
# For one goal and one prover. A goal of a mutant fails by running into the shorter one.
GOAL_TIMEOUT_S = 30
MUTANT_GOAL_TIMEOUT_S = 4
# The search must be complete: a deeper path or a larger space than this is a failure, not a pass.
SEARCH = ["-m2000000", "-w22"]


class ToolError(Exception):
    """A tool failed in another way than by answering no."""


def run_tool(command, directory, timeout, **environment):
    """Exit status and output; the tool may answer no, but must end by itself."""
    try:
        done = subprocess.run(
            command,
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout,
            env={**os.environ, **environment},
        )
    except subprocess.TimeoutExpired as error:
        raise ToolError(f"{command[0]} was not finished after {timeout} s") from error
    return done.returncode, done.stdout.decode("utf-8", "replace")


def work_directory(*names):
    """An empty directory below the output."""
    path = os.path.abspath(os.path.join(project.OUTPUT, "prove", *names))
    shutil.rmtree(path, ignore_errors=True)
    os.makedirs(path)
    return path


# --- Models ---------------------------------------------------------------------------------------


class Verifier:
    """One model with one set of defines, as a program that searches all of its states."""

    def __init__(self, model, name, defines, liveness=False):
        self.model = model
        self.directory = work_directory("models", name)
        source = os.path.abspath(os.path.join(MODELS, model["file"]))
        variant = [f"-D{model['variant']}"] if "variant" in model else []
        words = [f"-D{define}" for define in [*model.get("defines", []), *defines]]
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
    stem += "_larger" if "defines" in model else ""
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


def larger_model_checks():
    """(name, function) of the searches that are too long for the tests."""
    larger = [{**model, "defines": model["larger"]} for model in read_models() if "larger" in model]
    return [
        (f"model/{model_name(model)} safety", lambda model=model: check_safety(model)) for model in larger
    ]


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


# --- Proofs ---------------------------------------------------------------------------------------


class Prover:
    """Frama-C's WP with the provers that why3 finds, configured below the output directory."""

    def __init__(self):
        self.lock = threading.Lock()
        self.home = None

    def configure(self):
        """Once, when the first proof is wanted."""
        with self.lock:
            if not self.home:
                home = work_directory("home")
                status, output = run_tool(["why3", "config", "detect"], home, 60, HOME=home)
                if status != 0:
                    raise ToolError(f"why3 found no prover\n{output}")
                self.home = home

    def prove(self, proof, functions, over, timeout):
        """Runs WP on the proof's source; a file below `over` hides ours. Goals as {name: whether proved}."""
        self.configure()
        places = [over] if over else []
        places += [os.path.join(project.ROOT, PROOFS, "include"), project.ROOT]
        places += [os.path.abspath(os.path.join(project.OUTPUT, "gen"))]
        source = os.path.join(over or "", proof["source"])
        if not over or not os.path.exists(source):
            source = os.path.join(project.ROOT, proof["source"])
        defines = [f"-D{define}" for define in proof.get("defines", [])]
        preprocess = " ".join([f"-I{place}" for place in places] + defines)
        command = ["frama-c", "-machdep", "gcc_x86_64", "-wp", "-wp-rte"]
        command += ["-cpp-command=clang -E -C", "-cpp-frama-c-compliant"]
        command += ["-wp-prover", "cvc4,z3", "-wp-timeout", str(timeout), "-wp-par", "1"]
        command += ["-wp-fct", ",".join(functions), f"-cpp-extra-args={preprocess}", source]
        _, output = run_tool(command, self.home, PROOF_TIMEOUT_S, HOME=self.home)
        total = re.search(r"Proved goals:\s+(\d+) / (\d+)", output)
        if not total:
            raise ToolError(f"frama-c broke off\n{output[-3000:]}")
        goals = {name: False for name in re.findall(r"\] Goal typed_(\w+)\n", output)}
        goals.update((name, True) for name in re.findall(r"\] Goal typed_(\w+) : Valid", output))
        proved = sum(goals.values())
        if (proved, len(goals)) != (int(total.group(1)), int(total.group(2))):
            raise ToolError(f"{total.group(0)}, but {proved} of {len(goals)} were named\n{output[-3000:]}")
        return goals


def goal_matches(goal, patterns):
    """Goals split in parts are named after the clause, with a part's number."""
    return any(
        fnmatch.fnmatchcase(goal, pattern) or re.fullmatch(rf"{pattern}_part\d+", goal)
        for pattern in patterns
    )


def goals_result(name, goals):
    missing = sorted(goal for goal, proved in goals.items() if not proved)
    if not goals:
        return failed(name, "no goal has this name: the contract is not in the source")
    if missing:
        return failed(name, "not proved: " + ", ".join(missing))
    return Result(name, "passed", detail=f"{len(goals)} goals")


def check_proof(prover, proof):
    """One result for each property, and one for all other goals."""
    goals = prover.prove(proof, proof["functions"], None, GOAL_TIMEOUT_S)
    results, rest = [], dict(goals)
    for prop in proof["property"]:
        mine = {goal: proved for goal, proved in goals.items() if goal_matches(goal, prop["goals"])}
        results.append(goals_result(f"proof/{proof['name']} {prop['name']}", mine))
        for goal in mine:
            rest.pop(goal, None)
    results.append(goals_result(f"proof/{proof['name']} frame", rest))
    return results


def seed_mutant(name, prop):
    """A directory with the property's file as the mutant has it."""
    with open(prop["in"], encoding="utf-8") as file:
        text = file.read()
    if text.count(prop["from"]) != 1:
        raise ToolError(f"{prop['in']} has {text.count(prop['from'])} times: {prop['from']}")
    over = work_directory("mutants", f"{name}-{prop['name']}")
    changed = os.path.join(over, prop["in"])
    os.makedirs(os.path.dirname(changed), exist_ok=True)
    with open(changed, "w", encoding="utf-8") as file:
        file.write(text.replace(prop["from"], prop["to"]))
    return over


def check_proof_mutant(prover, proof, prop):
    """With one text changed in a copy of the source, a goal of the property fails."""
    title = f"mutant/{proof['name']} breaks {prop['name']}"
    over = seed_mutant(proof["name"], prop)
    names = sorted(proof["functions"], key=len, reverse=True)
    functions = sorted({next(name for name in names if goal.startswith(name)) for goal in prop["goals"]})
    goals = prover.prove(proof, functions, over, MUTANT_GOAL_TIMEOUT_S)
    mine = [proved for goal, proved in goals.items() if goal_matches(goal, prop["goals"])]
    if all(mine):
        return [failed(title, "it does not: the goals are proved of the mutant too")]
    return [Result(title, "passed")]


# --- Complete searches of shipped C -----------------------------------------------------------------


def over_source(over, source):
    """The mutant's copy of a source, if that is the one it changes."""
    changed = os.path.join(over or "", source)
    return changed if over and os.path.exists(changed) else source


def search_results(search, name, over, defines):
    """Builds the test program and runs it: {test: whether it passed}."""
    directory = work_directory("search", name)
    places = ([over] if over else []) + [".", "kernel", "lib", os.path.join(project.OUTPUT, "gen")]
    command = ["clang", "-std=gnu11", "-O2", "-w", "-DCAPOS_HOST=1", "-DCONFIG_DEBUG=1"]
    command += [f"-D{define}" for define in defines] + [f"-I{place}" for place in places]
    program = os.path.join(directory, "search")
    command += [over_source(over, source) for source in search["sources"]]
    command += ["-lcmocka", "-lm", "-o", program]
    status, output = run_tool(command, project.ROOT, MODEL_TIMEOUT_S)
    if status != 0:
        raise ToolError(f"{search['sources'][0]} could not be built\n{output[-2000:]}")
    _, output = run_tool([program], directory, MODEL_TIMEOUT_S, CMOCKA_MESSAGE_OUTPUT="TAP")
    return {test.split()[-1]: not no for no, test in re.findall(r"^(not )?ok \d+ - (.+)$", output, re.MULTILINE)}


def check_search(search):
    tests = search_results(search, search["name"], None, search["defines"])
    return [
        Result(f"search/{search['name']} {prop['name']}", "passed" if tests.get(prop["test"]) else "failed")
        for prop in search["property"]
    ]


def check_search_mutant(search, prop):
    """Built with the mutant, at the tests' size, it must run to its end and say that this test failed."""
    title = f"mutant/{search['name']} breaks {prop['name']}"
    name = f"{search['name']}-{prop['name']}"
    tests = search_results(search, name, seed_mutant(search["name"], prop), [])
    if tests.get(prop["test"], True):
        return [failed(title, "it does not: the test passes, or was not reached")]
    return [Result(title, "passed")]


def search_checks(searches):
    checks = [
        (f"search/{search['name']}", lambda search=search: check_search(search)) for search in searches
    ]
    checks += [
        (
            f"mutant/{search['name']} {prop['name']}",
            lambda search=search, prop=prop: check_search_mutant(search, prop),
        )
        for search in searches
        for prop in search["property"]
    ]
    return checks


def proof_checks():
    """(name, function) of each proof, each search and each of their mutants."""
    with open(os.path.join(PROOFS, "proofs.toml"), "rb") as file:
        declared = tomllib.load(file)
    proofs = declared["proof"]
    prover = Prover()
    checks = [
        (f"proof/{proof['name']}", lambda proof=proof: check_proof(prover, proof)) for proof in proofs
    ]
    checks += [
        (
            f"mutant/{proof['name']} {prop['name']}",
            lambda proof=proof, prop=prop: check_proof_mutant(prover, proof, prop),
        )
        for proof in proofs
        for prop in proof["property"]
    ]
    return checks + search_checks(declared["search"])


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
    checks = [*proof_checks(), *model_checks(), *larger_model_checks(), *model_mutant_checks()]
    checks = [check for check in checks if options.pattern in check[0]]
    if not checks:
        print("no check has this name")
        return 1
    report = Report()
    run_checks(checks, report.add)
    print(f"proved in {time.monotonic() - started:.0f} s" if not report.failed else "not proved")
    print(f"{report.passed} passed, {report.failed} failed")
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
