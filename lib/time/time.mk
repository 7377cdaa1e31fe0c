# The calendar. Needs nothing.
LIB_TIME_SRCS := lib/time/calendar.c

HOST_TESTS         += calendar
HOST_TEST_calendar := lib/time/calendar_test.c $(LIB_TIME_SRCS)
