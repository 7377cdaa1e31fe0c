# The bank: how authority is narrowed, handed out and taken back. An account is reached only through
# a capability that somebody handed over; a name gets nobody anywhere.

@0xf6a20d97c8e4b135;

enum Outcome {
  none @0;
  done @1;
  insufficientFunds @2;      # the account holds less
  overLimit @3;              # the limited account may not take that much any more
  tooMuch @4;                # the account cannot hold so much
  notOurs @5;                # not a facet that this account handed out
  noRoom @6;                 # the bank has no room for another account
}

interface Bank @0xc1a0e5b2d3f40831 {
  # Where accounts begin.
  open @0 (owner :Text) -> (account :Account, outcome :Outcome);
  # A new, empty account. The owner's name is for people: two accounts may carry the same, none may be without.
}

interface BalanceView @0xc1a0e5b2d3f40832 {
  # Seeing what an account holds.
  balance @0 () -> (owner :Text, balance :UInt64);
}

interface DepositAccount @0xc1a0e5b2d3f40833 {
  # Paying in, without seeing how much is there.
  deposit @0 (amount :UInt64) -> (outcome :Outcome);
}

interface LimitedAccount @0xc1a0e5b2d3f40834 extends(DepositAccount) {
  # Paying in freely, and out up to a limit in total.
  withdraw @0 (amount :UInt64) -> (outcome :Outcome);
  remaining @1 () -> (amount :UInt64);
  # How much may still be taken.
}

interface Account @0xc1a0e5b2d3f40835 extends(BalanceView, DepositAccount) {
  # The whole account: whoever holds it is its owner. It is closed when nobody holds it any more.
  withdraw @0 (amount :UInt64) -> (outcome :Outcome);
  depositOnly @1 () -> (account :DepositAccount);
  # A facet for somebody who should only pay in.
  limited @2 (amount :UInt64) -> (account :LimitedAccount);
  # A facet for somebody who may take up to this amount.
  revoke @3 (facet :Capability) -> (outcome :Outcome);
  # Ends a facet that this account handed out, wherever it has gone since.
}
