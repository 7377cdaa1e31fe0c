"""One line of a terminal, enough to know what a person sees.

A line editor repaints the line that it edits. Screen follows carriage return, backspace, cursor
moves and erasing within the line, hands out each line once it is complete, and drops every other
control sequence. guest.py uses it to tell a prompt that waits from the same text passing by.
"""

import codecs
import re

SEQUENCE = re.compile(r"\x1b(?:\[([0-9;?]*)([@-~])|\][^\x07]*\x07|[^\[\]])")


class Screen:
    """Feed bytes; read `lines` (complete ones), `line` and `column` (the one being written)."""

    def __init__(self):
        self.lines = []
        self.cells = []
        self.column = 0
        self.pending = ""
        self.decoder = codecs.getincrementaldecoder("utf-8")("replace")

    @property
    def line(self):
        return "".join(self.cells)

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
            self.lines.append(self.line.rstrip())
            self.cells = []
            self.column = 0
        elif char == "\r":
            self.column = 0
        elif char == "\b":
            self.column = max(0, self.column - 1)
        elif char == "\t":
            self.column += 8 - self.column % 8
        elif char >= " ":
            self.pad(self.column + 1)
            self.cells[self.column] = char
            self.column += 1

    def pad(self, width):
        self.cells.extend(" " * (width - len(self.cells)))

    def control(self, arguments, final):
        first = arguments.split(";")[0]
        count = int(first) if first.isdigit() else 0
        if final == "C":
            self.column += max(count, 1)
        elif final == "D":
            self.column = max(0, self.column - max(count, 1))
        elif final == "G":
            self.column = max(count, 1) - 1
        elif final == "P":
            del self.cells[self.column : self.column + max(count, 1)]
        elif final == "@":
            self.pad(self.column)
            self.cells[self.column : self.column] = " " * max(count, 1)
        elif final == "K":
            self.erase(count)
        elif final in "HJ" and count in (0, 1, 2) and final == "H":
            self.column = 0
        elif final == "J":
            self.erase(0)

    def erase(self, mode):
        if mode == 0:
            del self.cells[self.column :]
        elif mode == 1:
            self.pad(self.column)
            self.cells[: self.column] = " " * self.column
        else:
            self.cells = []
