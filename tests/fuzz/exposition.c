/* Exposition: both formats on any bytes; what was accepted has names, and labels that are found again. */
#include "core/exposition.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	for (int format = EXPOSITION_TEXT; format <= EXPOSITION_OPENMETRICS; format++) {
		struct exposition x;
		struct error e = {0};
		int rc = exposition_parse(&x, (const char *)data, size, (enum exposition_format)format, &e);

		HOLDS(rc == 0 || (x.n_samples == 0 && e.text[0] != '\0'));
		for (int i = 0; i < x.n_samples; i++) {
			HOLDS(x.samples[i].name[0] != '\0');
			for (int k = 0; k < x.samples[i].n_labels; k++)
				HOLDS(exposition_label(&x.samples[i], x.samples[i].labels[k].name) != NULL);
		}
		exposition_release(&x);
	}
	return 0;
}
