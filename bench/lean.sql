-- lean: what a good Postgres engineer would pick. A row per value, bigint ids, known_time beside the value, one index.
-- LEAN stands for the schema: `lean`, or `timescale`, where the table becomes a hypertable.

CREATE SCHEMA LEAN;

CREATE TABLE LEAN.runs (
  run_id      bigint PRIMARY KEY,
  known_time  timestamptz NOT NULL,
  workflow_id text NOT NULL,
  changed_by  text NOT NULL
);

CREATE TABLE LEAN.series (
  series_id  bigint PRIMARY KEY,
  series_key text NOT NULL UNIQUE,
  unit       text NOT NULL
);

CREATE TABLE LEAN.values (
  series_id      bigint NOT NULL,
  valid_time     timestamptz NOT NULL,
  known_time     timestamptz NOT NULL,
  run_id         bigint NOT NULL,
  version        integer NOT NULL DEFAULT 1,
  value          double precision,
  change_time    timestamptz NOT NULL DEFAULT now(),
  valid_time_end timestamptz,
  annotation     text,
  tags           text[],
  PRIMARY KEY (series_id, valid_time, known_time, run_id, version)
);
