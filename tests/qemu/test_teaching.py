"""The programs that teach do what they say: the bank, the counter and its client."""


def test_an_account_is_used_narrowed_and_taken_back(shell):
    assert shell.shell('acct = bank.open(owner = "ann")').ok
    assert "done" in shell.shell("acct.deposit(amount = 5)").text
    assert "insufficientFunds" in shell.shell("acct.withdraw(amount = 6)").text
    assert shell.shell("few = acct.limited(amount = 3)").ok
    assert "overLimit" in shell.shell("few.withdraw(amount = 4)").text
    assert "done" in shell.shell("few.withdraw(amount = 2)").text
    assert "1" in shell.shell("few.remaining").text
    assert "balance = 3" in shell.shell("acct.balance").text
    assert "done" in shell.shell("acct.revoke(facet = @few)").text
    assert not shell.shell("few.remaining").ok
    assert "notOurs" in shell.shell("acct.revoke(facet = @few)").text


def test_a_facet_does_not_have_the_methods_of_its_account(shell):
    shell.shell('acct = bank.open(owner = "ann")')
    assert shell.shell("gift = acct.depositOnly").ok
    assert "done" in shell.shell("gift.deposit(amount = 5)").text
    assert not shell.shell("gift.withdraw(amount = 1)").ok
    assert not shell.shell("gift.balance").ok


def test_a_foreign_facet_is_not_ours(shell):
    shell.shell('ann = bank.open(owner = "ann")')
    shell.shell('bob = bank.open(owner = "bob")')
    shell.shell("few = bob.limited(amount = 3)")
    assert "notOurs" in shell.shell("ann.revoke(facet = @few)").text
    assert "notOurs" in shell.shell("ann.revoke(facet = @console)").text
    assert "3" in shell.shell("few.remaining").text


def test_a_facet_ends_with_its_account(shell):
    shell.shell('acct = bank.open(owner = "ann")')
    shell.shell("few = acct.limited(amount = 3)")
    shell.shell("drop acct")
    assert not shell.shell("few.remaining").ok


def test_amounts_do_not_wrap_round(shell):
    shell.shell('acct = bank.open(owner = "ann")')
    shell.shell("acct.deposit(amount = 0xffffffffffffffff)")
    assert "tooMuch" in shell.shell("acct.deposit(amount = 1)").text


def test_an_account_has_an_owner(shell):
    answer = shell.shell('bank.open(owner = "")')
    assert not answer.ok
    assert "an account needs an owner" in answer.text


def test_the_counter_counts_with_and_without_its_service(shell):
    answer = shell.shell("run counter with { log: @console }")
    assert answer.ok
    assert answer.lines[0] == "counter: no `counter` was granted, counting alone"
    assert answer.lines[-1] == "counter: 3"
    answer = shell.shell('run counter with { log: @console, @counter } args ["-v"] env { BY = "2" }')
    assert answer.ok
    assert "counter: granted counter" in answer.lines
    assert answer.lines[-1] == "counter: 6"
    assert "6" in shell.shell("counter.value").text


def test_a_program_without_grants_can_do_nothing_but_end(shell):
    answer = shell.shell("run counter")
    assert not answer.ok
    assert "2" in shell.shell("$?").text
