/* What one raw log line says about itself: read once when it arrives, cheaply. */
#ifndef CORE_LOGLINE_H
#define CORE_LOGLINE_H

#include "core/logbuf.h"

struct log_facts {
	enum log_level level; /* LOG_NONE: it has none */
	int64_t time_us;      /* 0: it has none */
	bool is_json;
};

struct log_facts log_facts_read(const char *line, size_t n);

#endif
