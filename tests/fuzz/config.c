/* towpath.yaml from any bytes: a setup, or an error with a place. */
#include "config/config.h"
#include "backends/drivers.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct setup *s = NULL;
	struct error e = {0};

	if (config_parse("f.yaml", "/base", (const char *)data, size, drivers, &s, &e) == 0) {
		HOLDS(s->n_envs > 0 && s->n_services > 0);
		setup_free(s);
	} else {
		HOLDS(e.text[0] != '\0');
		HOLDS(e.code == ERR_NOMEM || (e.line > 0 && e.col > 0));
	}
	return 0;
}
