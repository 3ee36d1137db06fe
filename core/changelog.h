/*
 * Liquibase's changelogs, in XML, YAML or JSON, as one tree: a dict of named entries in their order, where names may
 * repeat. Lists that only hold changes or columns are gone: their entries stand in the parent, as in XML.
 *
 * This reads what changelogs are made of, not all of XML and YAML: entities, anchors and tags make a value CODE_OTHER.
 */
#ifndef CORE_CHANGELOG_H
#define CORE_CHANGELOG_H

#include "core/code.h"

/* The root as a CODE_DICT whose entry is databaseChangeLog; NULL where the text is none of the three. */
struct code *changelog_read(struct arena *a, const char *src, size_t n);

#endif
