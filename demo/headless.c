#include "demo/world.h"
int headless_main(const char *self) { UNUSED(self); return 1; }
