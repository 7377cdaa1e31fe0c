# Programs: what a person starts. Each directory's sources are listed here.

# --- hello: one line on the console it was given ---

PROGRAMS += hello
$(eval $(call program,hello,programs/hello/main.c))
