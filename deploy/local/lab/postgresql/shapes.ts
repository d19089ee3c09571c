/*
 * The SQL of the lab's database. Run in this order: roles, the database's properties, schema, data, large objects,
 * rights.
 */

export const roles = `
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'keeper') THEN
    CREATE ROLE readers NOLOGIN;
    CREATE ROLE keeper LOGIN PASSWORD 'keeper-of-notes';
    CREATE ROLE visitor LOGIN PASSWORD 'visitor-of-notes' IN ROLE readers;
  END IF;
END $$`;

/** @param database Its quoted name. */
export const databaseProperties = (database: string) => `
COMMENT ON DATABASE ${database} IS 'The home lab''s notes, sensors and chats';
ALTER DATABASE ${database} SET search_path TO public, archive;
ALTER DATABASE ${database} SET timezone TO 'Europe/Berlin';
ALTER ROLE visitor IN DATABASE ${database} SET statement_timeout TO '30s';
REVOKE CONNECT ON DATABASE ${database} FROM PUBLIC;
GRANT CONNECT ON DATABASE ${database} TO readers;
ALTER DATABASE ${database} CONNECTION LIMIT 50`;

export const schema = `
SET search_path = public;
CREATE SCHEMA archive;
COMMENT ON SCHEMA archive IS 'What is no longer needed; see "notes"';
CREATE TYPE mood AS ENUM ('sad', 'ok', 'it''s "fine"');
CREATE DOMAIN percent AS numeric(5, 2) CHECK (VALUE BETWEEN 0 AND 100);
CREATE SEQUENCE ticket START 1000 INCREMENT 7;
CREATE TABLE notes (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  title text NOT NULL,
  body text NOT NULL,
  length int GENERATED ALWAYS AS (length(body)) STORED,
  mood mood DEFAULT 'ok',
  done percent DEFAULT 0,
  ticket bigint DEFAULT nextval('ticket'),
  tags text[] NOT NULL DEFAULT '{}',
  extra jsonb NOT NULL DEFAULT '{}',
  changed timestamptz
);
CREATE INDEX notes_words ON notes USING gin (title gin_trgm_ops);
CREATE INDEX notes_lower ON notes (lower(title));
CREATE TABLE "Odd; table's ""name"" \\ here" ("select" int PRIMARY KEY, "col\\umn" text, raw bytea);
COMMENT ON TABLE "Odd; table's ""name"" \\ here" IS E'Two\\nlines, a \\\\ and a ''quote''';
CREATE TABLE measurement (at timestamptz NOT NULL, sensor int NOT NULL, value double precision) PARTITION BY RANGE (at);
CREATE TABLE measurement_2024 PARTITION OF measurement FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE measurement_2025 PARTITION OF measurement FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE INDEX ON measurement (sensor, at);
CREATE TABLE archive.notes (LIKE public.notes INCLUDING DEFAULTS, parent bigint REFERENCES public.notes (id));
CREATE TABLE empty (nothing int);
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
  NEW.changed := coalesce(NEW.changed, timestamptz '2025-01-01 00:00:00+00'); -- a "quote" ; and $$ inside
  RETURN NEW;
END $body$;
CREATE TRIGGER touch BEFORE INSERT OR UPDATE ON notes FOR EACH ROW EXECUTE FUNCTION touch();
CREATE FUNCTION notes_about(word text, at_least int DEFAULT 0) RETURNS SETOF notes LANGUAGE sql STABLE
BEGIN ATOMIC
  SELECT * FROM notes WHERE title LIKE '%' || word || '%' AND CASE WHEN at_least > 0 THEN length > at_least ELSE true END;
END;
CREATE PROCEDURE archive.sweep() LANGUAGE sql AS 'DELETE FROM archive.notes; SELECT 1';
CREATE AGGREGATE longest(text) (SFUNC = textcat, STYPE = text, INITCOND = '');
CREATE OPERATOR public.=== (LEFTARG = text, RIGHTARG = text, FUNCTION = texteq);
CREATE VIEW unhappy AS SELECT id, title FROM notes WHERE mood = 'sad';
CREATE MATERIALIZED VIEW moods AS SELECT mood, count(*) AS many FROM notes GROUP BY mood;
CREATE UNIQUE INDEX ON moods (mood);
CREATE RULE keep AS ON DELETE TO empty DO INSTEAD (SELECT 1; SELECT 2);
ALTER TABLE archive.notes ENABLE ROW LEVEL SECURITY;
CREATE POLICY only_happy ON archive.notes FOR SELECT TO readers USING (mood <> 'sad');
CREATE PUBLICATION note_changes FOR TABLE notes`;

/** @param notes How many rows the text-heavy table gets. */
export const data = (notes: number) => `
INSERT INTO notes (title, body, mood, done, tags, extra)
  SELECT 'Note ' || n || ' about ' || (ARRAY['sensors', 'chats', 'maps', 'Grüße'])[1 + n % 4],
         string_agg(md5((n * 100 + k)::text), ' '),
         (ARRAY['sad', 'ok', 'it''s "fine"'])[1 + n % 3]::mood, n % 100,
         ARRAY['a,b', 'c"d', E'e\\\\f', NULL, '🙂'], jsonb_build_object('n', n, 'text', E'tab\\t, "q", \\\\ and ü')
    FROM generate_series(1, ${notes}) n, generate_series(1, 8) k GROUP BY n ORDER BY n;
INSERT INTO "Odd; table's ""name"" \\ here" VALUES
  (1, E'\\\\.', '\\x00ff5c0a'), (2, E'line\\nbreak\\ttab\\rreturn', NULL), (3, NULL, ''), (4, E'\\\\N', '\\x5c2e0a'),
  (5, E'-- no comment; \\\\! touch', NULL), (6, '', NULL);
INSERT INTO measurement
  SELECT timestamptz '2024-06-01 00:00:00+00' + n * interval '1 hour', n % 9, sin(n) * 1e6 FROM generate_series(1, 9000) n;
INSERT INTO archive.notes (id, title, body, length, mood, parent)
  SELECT id, title, body, length, mood, id FROM notes WHERE id % 10 = 0;
REFRESH MATERIALIZED VIEW moods;
SELECT nextval('ticket')`;

export const largeObjects = `
SELECT lo_from_bytea(0, decode(repeat('00ff5c27', 20000), 'hex'));
SELECT lo_from_bytea(0, convert_to(repeat('A picture of a cat; ', 3000), 'UTF8'));
SELECT lo_from_bytea(0, '')`;

export const rights = `
GRANT USAGE ON SCHEMA archive TO readers;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO readers;
GRANT SELECT (id, title) ON archive.notes TO readers;
GRANT UPDATE (title) ON notes TO visitor WITH GRANT OPTION;
GRANT EXECUTE ON FUNCTION notes_about(text, int) TO readers;
REVOKE EXECUTE ON FUNCTION notes_about(text, int) FROM PUBLIC;
GRANT USAGE ON SEQUENCE ticket TO visitor;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO readers;
DO $$ BEGIN
  EXECUTE format('GRANT SELECT ON LARGE OBJECT %s TO readers', (SELECT min(oid) FROM pg_largeobject_metadata));
END $$`;
