"""What a person sees on a terminal of unlimited width, enough to know when a prompt waits.

A line editor repaints the line that it edits. Screen follows carriage return, backspace, cursor
moves and erasing, and drops every other control sequence. guest.py uses it to tell a prompt that
waits from the same text passing by, and to print what was shown rather than what was sent.
"""

import codecs
import re

SEQUENCE = re.compile(r"\x1b(?:\[([0-?]*)[ -/]*([@-~])|\][^\x07]*\x07|[^\[\]])")


class Screen:
    """Feed bytes; read lines_from() (those above the cursor), `line` (the cursor's own) and `column`."""

    def __init__(self):
        self.rows = [[]]
        self.row = 0
        self.column = 0
        self.pending = ""
        self.decoder = codecs.getincrementaldecoder("utf-8")("replace")

    @property
    def line(self):
        return "".join(self.rows[self.row])

    def lines_from(self, first):
        """The lines from number `first` up to the cursor's, without the blanks at their ends."""
        return ["".join(row).rstrip() for row in self.rows[first : self.row]]

    def feed(self, data):
        text = self.pending + self.decoder.decode(data)
        self.pending = ""
        position = 0
        while position < len(text):
            if text[position] == "\x1b":
                match = SEQUENCE.match(text, position)
                if not match:
                    self.pending = text[position:]
                    return
                self.control(match.group(1) or "", match.group(2))
                position = match.end()
            else:
                self.put(text[position])
                position += 1

    def put(self, char):
        if char == "\n":
            self.move_row(1)
            self.column = 0
        elif char == "\r":
            self.column = 0
        elif char == "\b":
            self.column = max(0, self.column - 1)
        elif char == "\t":
            self.column += 8 - self.column % 8
        elif char >= " ":
            self.pad(self.column + 1)
            self.rows[self.row][self.column] = char
            self.column += 1

    def move_row(self, count):
        self.row = max(0, self.row + count)
        while len(self.rows) <= self.row:
            self.rows.append([])

    def pad(self, width):
        cells = self.rows[self.row]
        cells.extend(" " * (width - len(cells)))

    def control(self, arguments, final):
        first = arguments.split(";")[0]
        count = int(first) if first.isdigit() else 0
        steps = max(count, 1)
        if final == "A":
            self.move_row(-steps)
        elif final == "B":
            self.move_row(steps)
        elif final == "C":
            self.column += steps
        elif final == "D":
            self.column = max(0, self.column - steps)
        elif final == "G":
            self.column = steps - 1
        elif final == "P":
            del self.rows[self.row][self.column : self.column + steps]
        elif final == "@":
            self.pad(self.column)
            self.rows[self.row][self.column : self.column] = " " * steps
        elif final == "K":
            self.erase(count)
        elif final == "J":
            self.erase(count)
            if count == 0:
                del self.rows[self.row + 1 :]

    def erase(self, mode):
        """Within the line: 0 from the cursor on, 1 up to it, 2 all of it."""
        cells = self.rows[self.row]
        if mode == 0:
            del cells[self.column :]
        elif mode == 1:
            self.pad(self.column)
            cells[: self.column] = " " * self.column
        else:
            cells.clear()
