/* Checkpoint: any bytes as a line of a witness; what was read is written as a line that reads the same. */
#include "core/audit.h"
#include "core/str.h"
#include "tests/fuzz/fuzz.h"

enum { LINE_MAX_BYTES = 65536 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct checkpoint c, again;
	struct error e = {0};
	struct str line, bytes;

	if (checkpoint_parse((const char *)data, size, &c, &e) != 0) {
		HOLDS(e.text[0] != '\0');
		return 0;
	}
	HOLDS(memchr(c.actor, '\0', sizeof(c.actor)) != NULL && memchr(c.host, '\0', sizeof(c.host)) != NULL);
	HOLDS(memchr(c.signature, '\0', sizeof(c.signature)) != NULL);
	str_init(&line, LINE_MAX_BYTES);
	str_init(&bytes, LINE_MAX_BYTES);
	checkpoint_line(&c, &line);
	checkpoint_bytes(&c, &bytes);
	HOLDS(!line.failed && !bytes.failed && memchr(str_text(&line), '\n', line.len) == NULL);
	HOLDS(checkpoint_parse(str_text(&line), line.len, &again, &e) == 0);
	HOLDS(again.mark.seq == c.mark.seq && strcmp(again.actor, c.actor) == 0);
	HOLDS(strcmp(again.host, c.host) == 0 && strcmp(again.signature, c.signature) == 0);
	str_release(&line);
	str_release(&bytes);
	return 0;
}
