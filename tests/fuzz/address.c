/* Address: any bytes as a database URL; written again it reads the same, without a password where none is asked for. */
#include "backends/migrate/address.h"
#include "tests/fuzz/fuzz.h"

/* A URL that was made of an address reads as the same address. */
static void same_again(const struct migrate_address *d, struct arena *a)
{
	const char *url = migrate_address_url(d, NULL, true, NULL, a);
	struct migrate_address again;
	struct error e = {0};

	if (arena_failed(a))
		return;
	HOLDS(url != NULL);
	HOLDS(migrate_address_read(url, &again, a, &e) == 0 || arena_failed(a));
	if (arena_failed(a))
		return;
	HOLDS(strcmp(again.database, d->database) == 0);
	HOLDS((again.user == NULL) == (d->user == NULL) &&
	      (d->user == NULL || strcmp(again.user, d->user) == 0));
	HOLDS(d->password == NULL || (again.password != NULL && strcmp(again.password, d->password) == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct migrate_session session = {"towpath-migrate", 2000};
	struct migrate_address d;
	struct error e = {0};
	const char *jdbc = NULL;
	struct arena a;
	char *url = malloc(size + 1);

	if (url == NULL)
		return 0;
	memcpy(url, data, size);
	url[size] = '\0';
	arena_init(&a, ARENA_DEFAULT_MAX);
	if (migrate_address_read(url, &d, &a, &e) == 0) {
		const char *plain = migrate_address_url(&d, "postgres", false, &session, &a);

		HOLDS(d.scheme != NULL && d.hosts != NULL && d.database != NULL);
		HOLDS(d.n_params >= 0 && d.n_params <= ADDRESS_PARAMS_MAX);
		HOLDS(plain == NULL || strncmp(plain, "postgres://", 11) == 0);
		if (migrate_address_jdbc(&d, &session, &jdbc, &a, &e) == 0 && jdbc != NULL)
			HOLDS(strncmp(jdbc, "jdbc:postgresql://", 18) == 0);
		same_again(&d, &a);
	} else {
		/* What it says never quotes the URL, which may have a password in it. */
		HOLDS(e.text[0] != '\0' || arena_failed(&a));
	}
	arena_release(&a);
	free(url);
	return 0;
}
