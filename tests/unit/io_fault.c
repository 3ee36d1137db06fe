#include "io/fault.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* The variable is read once per process: each case is a child of its own. Returns its wait status. */
static int in_child(const char *spec, int (*fn)(void))
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		if (spec != NULL)
			setenv("TOWPATH_FAULT", spec, 1);
		else
			unsetenv("TOWPATH_FAULT");
		if (close(2) != 0)
			_exit(99);
		_exit(fn());
	}
	while (waitpid(pid, &status, WUNTRACED) != pid)
		;
	if (WIFSTOPPED(status)) {
		int end;

		kill(pid, SIGKILL);
		waitpid(pid, &end, 0);
	}
	return status;
}

static int hits_of_three(void)
{
	int n = 0;

	for (int i = 0; i < 3; i++)
		n = n * 2 + (fault_point("here") ? 1 : 0);
	return n + (fault_point("there") ? 8 : 0);
}

static int code(const char *spec)
{
	int status = in_child(spec, hits_of_three);

	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void test_errors(void **state)
{
	UNUSED(state);
	assert_int_equal(code(NULL), 0);
	assert_int_equal(code(""), 0);
	assert_int_equal(code("here=error"), 7);
	assert_int_equal(code("here@2=error"), 2);
	assert_int_equal(code("other=error"), 0);
	assert_int_equal(code("here@1=error,there=error"), 12);
}

static void test_signals(void **state)
{
	int status;

	UNUSED(state);
	status = in_child("here=kill", hits_of_three);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	status = in_child("here@3=stop", hits_of_three);
	assert_true(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
}

static void test_nonsense_is_refused(void **state)
{
	UNUSED(state);
	assert_int_equal(code("here"), 2);
	assert_int_equal(code("here=explode"), 2);
	assert_int_equal(code("here@x=error"), 2);
	assert_int_equal(code("here@0=error"), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_errors),
	    cmocka_unit_test(test_signals),
	    cmocka_unit_test(test_nonsense_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
