# Bytes and terminals. A driver exports a ByteStream; the terminal service turns one into a
# TerminalSession with the line discipline of lib/term; programs that only print get it as a Console.

@0xb1f0c6a3d2974e58;

using import "annotations.capnp".replyWords;
using import "annotations.capnp".sensitive;
using import "annotations.capnp".unit;
using import "annotations.capnp".idempotent;
using import "annotations.capnp".example;
using import "kernel.capnp".Console;

# --- Bytes ------------------------------------------------------------------------------------

interface ByteSource @0xc1a0e5b2d3f40701 {
  # Where bytes come from.
  read @0 (max :UInt32 $unit("bytes")) -> (bytes :Data, end :Bool) $replyWords(256);
  # Waits for at least one byte and answers what is there, up to max and 1024. end: nothing will follow.
}

interface ByteSink @0xc1a0e5b2d3f40702 {
  # Where bytes go.
  write @0 (bytes :Data) -> ();
  # Answers when the bytes are taken, all of them. At most 1024 a call.
  finish @1 () -> ();
  # Nothing will follow.
}

interface ByteStream @0xc1a0e5b2d3f40703 extends(ByteSource, ByteSink) {
  # Both directions of a line: a serial port, a connection, one end of a pipe pair.
}

interface Pipe @0xc1a0e5b2d3f40704 {
  # A bounded queue of bytes.
  source @0 () -> (source :ByteSource);
  # The end to read from.
  sink @1 () -> (sink :ByteSink);
  # The end to write to. When its last holder is gone, the reader sees the end.
}

# --- Terminals --------------------------------------------------------------------------------

enum LineOutcome {
  none @0;
  line @1;          # A line, without its line end.
  endOfInput @2;    # Ctrl-D on an empty line, or the terminal is gone.
  interrupted @3;   # Ctrl-C; the line typed so far is dropped.
}

enum TerminalEvent {
  none @0;
  interrupt @1;     # Ctrl-C
  suspend @2;       # Ctrl-Z
  resize @3;        # size answers something new
  hangUp @4;        # The terminal is gone; every later call answers at once.
  redraw @5;        # Somebody else printed; a program that draws its own line draws it again.
}

interface TerminalSession @0xc1a0e5b2d3f40705 extends(Console) {
  # A person at a terminal. Narrow it to Console for a program that only prints: `@term as Console`.
  #
  # As a Console it shows text and nothing else: a line end is added where there is none, and control
  # characters other than line end and tab appear as `^X`, so printing cannot drive the terminal.
  readLine @0 (prompt :Text, hidden :Bool) -> (line :Text $sensitive, outcome :LineOutcome)
      $replyWords(160) $example("term.readLine(prompt = \"name? \")");
  # Asks for a line, with the usual keys to correct it. hidden: what is typed does not appear.
  readKeys @1 (max :UInt32 $unit("bytes"), controlKeys :Bool) -> (bytes :Data $sensitive, end :Bool)
      $replyWords(160);
  # Waits for keys and answers their bytes, unechoed, at most 1024. With controlKeys Ctrl-C and Ctrl-Z
  # are keys too; without they are events. end: the terminal is gone.
  writeBytes @2 (bytes :Data, rows :UInt16) -> ();
  # Sends bytes to the terminal, escape sequences included. A line feed becomes a new line. At most 1000.
  # rows: how many rows above the cursor are then of a line that the program draws itself. When somebody
  # else prints, that line is erased, and the redraw event asks to draw it again.
  size @3 () -> (columns :UInt16, rows :UInt16) $idempotent $example("term.size");
  # How large the terminal is, as far as known.
  nextEvent @4 () -> (event :TerminalEvent);
  # Answers at the next event for this session. An interrupt or suspend goes to the newest session with
  # a call of nextEvent waiting, and is lost where none is. Ctrl-\ interrupts the oldest one, whatever the
  # others do, and takes the terminal back from the sessions above it: they read its end from then on.
  foreground @5 () -> (session :TerminalSession);
  # A session for a program started from this one. While anybody holds it, what is typed goes to it;
  # Ctrl-C still arrives here. When its last holder is gone, input comes back.
  setSize @6 (columns :UInt16, rows :UInt16) -> ();
  # Tells how large the terminal is. Every session gets the resize event.
}

interface TerminalFactory @0xc1a0e5b2d3f40706 {
  # Turns byte streams into terminals.
  open @0 (stream :ByteStream, columns :UInt16, rows :UInt16) -> (session :TerminalSession);
  # 0 columns or rows: unknown, taken as 80 by 24.
}
