# Every status of the system: one table of codes, names and sentences. C names are STATUS_<NAME>.
#
# Three layers are kept apart. Zero and the results: the method ran. Positive codes are *exceptions*:
# the call failed (Cap'n Proto's four kinds and invalidArgument); a caller retries, reconnects or
# reports a bug. Negative codes are *transport* refusals: the entry never became a call, or the
# call never reached a method. Anything that a caller branches on is a result of the method instead.
#
# A retired number stays retired.

@0xf0bd33cf4feb5264;

using import "annotations.capnp".code;
using import "annotations.capnp".sentence;

enum Status {
  ok @0 $code(0) $sentence("done");

  # Exceptions.
  failed @1 $code(1) $sentence("the method failed");
  overloaded @2 $code(2) $sentence("a resource is used up; try again later or with more of it");
  disconnected @3 $code(3) $sentence("the object is gone or was revoked");
  unimplemented @4 $code(4) $sentence("the object does not have this method");
  invalidArgument @5 $code(5) $sentence("an argument is not acceptable");

  # Transport: the entry itself.
  badEntry @6 $code(-1) $sentence("the ring entry has an unknown flag, a reserved bit or a field out of range");
  badSpan @7 $code(-2) $sentence("a span of the ring entry lies outside the message arena");
  badCapability @8 $code(-3) $sentence("no such capability in this process");
  badDescriptor @9 $code(-4) $sentence("a transfer descriptor is not valid");
  badMessage @10 $code(-5) $sentence("the message is not valid Cap'n Proto");
  tooLarge @11 $code(-6) $sentence("the message or its capabilities are more than the receiver takes");
  replyTooLarge @12 $code(-7) $sentence("the answer or its capabilities are more than the caller offered space for");
  wouldDeadlock @13 $code(-8) $sentence("the call would wait for itself");
  questionBusy @14 $code(-9) $sentence("the question number is in use");

  # Transport: how it ended.
  cancelled @15 $code(-16) $sentence("the caller cancelled");
  deadlineExceeded @16 $code(-17) $sentence("the deadline passed");
  gone @17 $code(-18) $sentence("the call is no longer waiting for an answer");
  interrupted @18 $code(-19) $sentence("the wait was interrupted");
  stale @19 $code(-20) $sentence("the object was handed out again meanwhile");
  noCredit @20 $code(-21) $sentence("the completion queue has no room; read completions first");
}

enum Reason {
  # Why the kernel raised an exception: the low 8 bits of a completion's `detail`. The other bits:
  # 8..15 a class or small number, 16..31 an id or a size, 32..63 a limit or a size. In the
  # sentence {class}, {id} and {limit} stand for them.
  none @0 $sentence("no further detail");
  ledger @1 $sentence("{class} are used up in ledger {id} (limit {limit})");
  kernelMemory @2 $sentence("the kernel has no free memory for this");
  noMethod @3 $sentence("interface has no method {id}");
  noInterface @4 $sentence("the object does not have this interface");
  closed @5 $sentence("the service has stopped");
  revoked @6 $sentence("the capability was revoked");
  incarnation @7 $sentence("the service was restarted and this object did not survive");
  noReceiver @8 $sentence("the service is not running");
  size @9 $sentence("{id} words were offered where {limit} are taken");
  capabilities @10 $sentence("{id} capabilities were offered where {limit} are taken");
  argument @11 $sentence("parameter {class} is out of range (limit {limit})");
  wrongType @12 $sentence("capability {class} of the parameters does not have the interface needed");
  state @13 $sentence("the object is not in a state that allows this");
  notFound @14 $sentence("no such name");
  overlap @15 $sentence("the range overlaps one in use");
  queueFull @16 $sentence("the queue of the object is full (limit {limit})");
  died @17 $sentence("the process that served the call ended");
  notBuilt @18 $sentence("this part of the system is not built yet");
  noCapability @19 $sentence("the answer that the call waited for has no capability at that place");
  sealed @20 $sentence("the memory is sealed: nobody writes it any more");
  loggedOut @21 $sentence("the session has ended");
  scope @22 $sentence("capability {class} may not be given to a process of another session, or only by its service");
  cycle @23 $sentence("the promise would lead to itself, or through too many others");
  inUse @24 $sentence("all {limit} of this kind are in use; stop or drop one");
  overcommitted @25 $sentence("processor {id} can promise {limit} billionths of its time and no more");
  everybodys @26 $sentence("processor {id} serves everybody and is never leased");
}

enum ResourceClass {
  # What a ledger counts.
  frames @0 $sentence("memory pages");
  slots @1 $sentence("capability slots");
  objects @2 $sentence("kernel objects");
  exports @3 $sentence("exports");
  calls @4 $sentence("service calls");
  timers @5 $sentence("timers");
  threads @6 $sentence("threads");
}
