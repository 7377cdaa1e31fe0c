"""Init keeps its word: manifests are refused as a whole, services are restarted, stopped, given up.
The logger and the serial driver survive their own end."""

import re
import subprocess

import pytest

import project
from guest import Guest


def test_a_manifest_with_a_cycle_is_refused_before_anything_starts(boot):
    guest = boot("test-refused")
    assert guest.wait(30)[0] == 1
    log = guest.log()
    assert (
        '[init] manifest refused: services[0].grants[0].source: services depend on each other: '
        '"hen" -> "egg" -> "hen"' in log
    )
    assert "started as process" not in log


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (b"", "manifest.bin cannot be read"),
        (b"\0" * 8, "services: there are none"),
        (b"\xff" * 64, "manifest.bin cannot be read"),
        (b"\0\0\0\0\x01\0\0\0" + b"\xfc\xff\xff\xff\x04\0\x04\0", "manifest: is not a valid message"),
    ],
)
def test_a_manifest_of_arbitrary_bytes_ends_the_system(tmp_path, words, error):
    (tmp_path / "manifest.bin").write_bytes(words)
    package = tmp_path / "boot.cpio"
    subprocess.run(
        [
            "tools/bootpack/bootpack.py",
            "--onto",
            project.built("debug", "boot-test-refused.cpio"),
            str(package),
            f"manifest.bin={tmp_path}/manifest.bin",
        ],
        check=True,
    )
    with Guest(project.built("debug", "capos.elf"), str(package)) as guest:
        assert guest.wait(30)[0] == 1
        assert error in guest.log()


def test_as_many_services_as_a_manifest_may_have_run_at_once(tmp_path):
    names = [f"svc{i}" for i in range(31)]
    provides = 'provides = [(name = "counter", interface = 0xc1a0e5b2d3f40821)]'
    lines = [
        f'const {n} :M.Service = (name = "{n}", program = "bin/counter-service", {provides});'
        for n in names
    ]
    (tmp_path / "many.capnp").write_text(
        '@0xc9e4b2d8f6a07154;\nusing M = import "/capos/manifest.capnp";\n' + "\n".join(lines) +
        '\nconst last :M.Service = (name = "last", program = "bin/test-ender", essential = true);'
        '\nconst manifest :M.Manifest = (name = "many", logLevel = debug, services = ['
        + ", ".join(f".{n}" for n in names) + ", .last]);\n"
    )
    words = subprocess.run(
        ["capnp", "eval", "-b", "--import-path=schema", str(tmp_path / "many.capnp"), "manifest"],
        check=True, stdout=subprocess.PIPE,
    ).stdout
    (tmp_path / "manifest.bin").write_bytes(words)
    package = tmp_path / "boot.cpio"
    subprocess.run(
        ["tools/bootpack/bootpack.py", "--onto", project.built("debug", "boot-test-services.cpio"),
         str(package), f"manifest.bin={tmp_path}/manifest.bin"],
        check=True,
    )
    with Guest(project.built("debug", "capos.elf"), str(package)) as guest:
        assert guest.wait(30)[0] == 0
        log = guest.log()
        assert all(f"[init] {name} started as process" in log for name in names)
        assert "could not be started" not in log
        assert "[init] last ended with status 0" in log


def test_services_end_as_their_policy_says(boot):
    guest = boot("test-restart")
    assert guest.wait(30)[0] == 1
    log = guest.log()
    assert re.search(r"\[init\] orderly ended with status 0$", log, re.MULTILINE)
    assert re.search(r"\[init\] failing ended with status 7$", log, re.MULTILINE)
    crash = r"\[init\] crashing crashed: accessFault at instruction 0x4[0-9a-f]+, address 0x10"
    assert len(re.findall(crash, log)) == 3
    assert re.search(crash + "; restart in 10 ms", log)
    assert re.search(crash + "; restart in 20 ms", log)
    assert re.search(crash + "; given up after 2 restarts", log)
    assert "[init] crashing is essential" in log


def test_the_logger_comes_back_under_the_same_capability(shell):
    assert shell.shell('log.write(level = info, text = "before")').ok
    assert "before" in shell.shell("logs.read(from = 0, max = 20)").text
    assert "done" in shell.shell('services.kill(name = "logger")').text
    shell.expect_log(r"\[init\] logger was killed; restart in \d+ ms")
    assert shell.shell('log.write(level = info, text = "after")').ok
    text = shell.shell("logs.read(from = 0, max = 20)").text
    assert "after" in text and "before" not in text
    services = shell.shell("services.list").text
    assert re.search(r"^logger +running +\d+ +2 +was killed$", services, re.MULTILINE)


def test_a_records_source_is_the_holder_of_the_sink(shell):
    assert shell.shell('log.write(level = info, text = "I am the bank")').ok
    text = shell.shell("logs.read(from = 0, max = 20)").text
    assert re.search(r"info +shell +I am the bank$", text, re.MULTILINE)


def test_a_stopped_service_waits_for_its_start(shell):
    assert shell.shell("counter.add(amount = 2)").text.strip() != ""
    assert "done" in shell.shell('services.stop(name = "counter")').text
    assert "notRunning" in shell.shell('services.stop(name = "counter")').text
    assert re.search(r"^counter +stopped ", shell.shell("services.list").text, re.MULTILINE)
    assert "done" in shell.shell('services.start(name = "counter")').text
    assert "0" in shell.shell("counter.value").text


def test_the_terminal_survives_its_driver(shell):
    shell.shell('services.kill(name = "serial")')
    shell.expect_log(r"\[init\] serial was killed; restart in \d+ ms")
    assert shell.shell("timer.now").ok


def test_the_shell_survives_its_terminal(shell):
    shell.shell('services.kill(name = "terminal")')
    shell.expect_log(r"\[init\] terminal started as process \d+")
    assert shell.shell("timer.now").ok


def test_a_shell_whose_terminal_was_given_up_ends(shell):
    for restart in range(5):
        shell.send_line('services.kill(name = "terminal")')
        shell.expect_log(rf"(?s)(terminal started as process \d+.*){{{restart + 1}}}")
        shell.prompt()
    shell.send_line('services.kill(name = "terminal")')
    shell.expect_log("terminal was killed; given up after 5 restarts")
    shell.expect_log(r"shell ended with status 0; restart in \d+ ms", timeout=20)


def test_a_killed_shell_greets_again(shell):
    shell.send_line('services.kill(name = "shell")')
    shell.expect_log(r"\[init\] shell started as process \d+")
    shell.prompt(timeout=10)
    assert shell.output.count("capOS 0.1 · you hold ") == 2
    assert shell.shell("timer.now").ok


def test_power_off_stops_services_in_order(shell):
    shell.send_line("poweroff 3")
    assert shell.wait(20) == (3, "powered off with status 3")
    assert "[init] every service has ended; power off" in shell.log()
