-- Schema 2. A decision whole, as JSON: what a new kind needs beside the columns needs no new schema. Rows of
-- schema 1 have ''.
ALTER TABLE decisions ADD COLUMN json TEXT NOT NULL DEFAULT '';
