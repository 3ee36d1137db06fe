/*
 * Real HTTPS servers with certificates that must not be trusted: refused by io/http.c even where their authority is
 * named, and by a driver, with a word about why and where; not one request gets through.
 */
#include "backends/drivers.h"
#include "core/port/metrics.h"
#include "core/text.h"
#include "io/http.h"
#include "tests/lib/cm.h"
#include "tests/lib/porttest.h"
#include "tests/lib/tls.h"

#include <string.h>

static const struct {
	enum tls_flaw flaw;
	const char *name, *says; /* a word of OpenSSL's that curl passes on */
} flaws[] = {
    {TLS_EXPIRED, "expired", "expired"},
    {TLS_NOT_YET, "not valid yet", "not yet valid"},
    {TLS_WRONG_HOST, "for another host", "127.0.0.1"},
    {TLS_SELF_SIGNED, "self-signed", "self"},
    {TLS_FOREIGN_CA, "of an authority that nobody named", "issuer"},
};

struct heard {
	bool done;
	struct outcome o;
	long status;
};

static void on_reply(void *ctx, const struct http_reply *r)
{
	struct heard *h = ctx;

	h->o = r->outcome;
	h->status = r->status;
	h->done = true;
}

static struct heard ask(struct loop *l, const char *url, const char *ca_file)
{
	struct heard h = {.done = false};
	struct http_req req = {.url = url, .ca_file = ca_file};

	assert_non_null(http_start(http_of(l), &req, on_reply, &h));
	assert_true(loop_until(l, &h.done, loop_mono_us() + 20 * US_PER_S));
	return h;
}

static void only_good_ones(void **state)
{
	struct loop *l = loop_new(NULL);
	struct tls_server *s = tls_server_start(TLS_GOOD);
	struct heard h = ask(l, tls_server_url(s), tls_ca_file());

	UNUSED(state);
	if (h.o.kind != OUTCOME_OK)
		fail_msg("%s", h.o.text);
	assert_int_equal(h.status, 200);
	assert_int_equal(tls_server_seen(s), 1);
	/* The same one by the authorities of the system, which do not know its own. */
	h = ask(l, tls_server_url(s), NULL);
	assert_int_equal(h.o.kind, OUTCOME_ERRORED);
	assert_int_equal(tls_server_seen(s), 1);
	tls_server_free(s);
	for (size_t i = 0; i < ARRAY_LEN(flaws); i++) {
		s = tls_server_start(flaws[i].flaw);
		h = ask(l, tls_server_url(s), tls_ca_file());
		if (h.o.kind != OUTCOME_ERRORED || h.status != 0 || strstr(h.o.text, "certificate") == NULL ||
		    strstr(h.o.text, "127.0.0.1:") == NULL || strstr(h.o.text, flaws[i].says) == NULL)
			fail_msg("%s: %s, status %ld: %s", flaws[i].name, outcome_name(h.o.kind), h.status,
			         h.o.text);
		assert_true(h.o.hint[0] != '\0');
		assert_true(text_is_clean(h.o.text, strlen(h.o.text)));
		assert_int_equal(tls_server_seen(s), 0);
		tls_server_free(s);
	}
	loop_free(l);
}

/* What a person reads on the board when it is an instance's. */
static void drivers_say_why(void **state)
{
	struct loop *l = loop_new(NULL);

	UNUSED(state);
	for (size_t i = 0; i < ARRAY_LEN(flaws); i++) {
		struct tls_server *s = tls_server_start(flaws[i].flaw);
		const char *instances[] = {"web-1", tls_server_url(s), NULL};
		struct answer a = {.keep = true};
		struct sample_set *set;
		struct opened o;

		driver_open(&o, l, &metrics_probe.base, "{}", instances);
		metrics_probe.sample(o.priv, answer_op(&a, l, 20 * US_PER_S));
		answer_wait(&a);
		assert_int_equal(a.outcome.kind, OUTCOME_OK);
		set = a.result;
		assert_int_equal(set->state, STATE_FAILED);
		assert_non_null(strstr(set->text, "web-1: 127.0.0.1:"));
		assert_non_null(strstr(set->text, "its certificate cannot be trusted"));
		assert_int_equal(tls_server_seen(s), 0);
		sample_set_free(set);
		driver_close(&o);
		tls_server_free(s);
	}
	loop_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(only_good_ones),
	    cmocka_unit_test(drivers_say_why),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	tls_ca_remove();
	return failed;
}
